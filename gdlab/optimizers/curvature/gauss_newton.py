"""Gauss–Newton: least squares by a sequence of linear ones."""

from gdlab.core.authoring import TreeFunctions
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.curvature.lbfgs import WOLFE_FROM_ONE
from gdlab.transforms.norms.inner_products import scaled
from gdlab.transforms.probes.residuals import Linearized
from gdlab.transforms.signals.scaling import scale


@transformation(reads="params")
def scale_by_gauss_newton(residuals: Function) -> TreeFunctions:
    """The step of Gauss and Newton, with the sign of a gradient.

    dₜ = J⁺·r, the shortest d with the least ‖r − J·d‖, where r = residuals(wₜ) and J is its
    Jacobian. It replaces the gradient, whose multiple by (JᵀJ)⁻¹ it is where the loss is ½‖r‖².

    Args:
        residuals: ``residuals(params)``, an array or a tree of real arrays. Its Jacobian is formed
            and decomposed at each step, so the parameters should be hundreds and not millions.

    Raises:
        ValueError: if ``params`` are missing.
        TypeError: if a parameter or a residual is complex.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_gauss_newton
    >>> tx = scale_by_gauss_newton(lambda w: 2 * w - 6)
    >>> w = jnp.array([1.0])
    >>> tx.update(w, tx.init(w), w)[0]
    Array([-2.], dtype=float32)

    Source: J. Nocedal, S. Wright, Numerical Optimization, 2006, eq. 10.23.
    """

    def update(updates, *, params):
        del updates
        return scaled(-1.0, Linearized.at(residuals, params).step(0.0)[0])

    return update


@transformation
def gauss_newton(
    residuals: Function, *, linesearch: GradientTransformation = WOLFE_FROM_ONE
) -> GradientTransformation:
    """Gauss–Newton with a line search: least squares by a sequence of linear ones.

    wₜ₊₁ = wₜ − ηₜ·J⁺·r as in :func:`scale_by_gauss_newton`; η = 1 is tried first

    Linear least squares are solved by the first step, which is Newton's there. An affine change of
    the parameters changes nothing. Where the residuals vanish at the minimum and J has full rank
    it converges quadratically; where they are large and curved it may converge slowly.

    When to use:
        Curve fits and other small least squares whose Jacobian has full rank. Where it may lose
        it, :func:`levenberg_marquardt` is the safer choice.

    Args:
        residuals: ``residuals(params)``. The loss that is minimized has to be a positive multiple
            of ‖r‖², such as :func:`half_squares` of the same function.
        linesearch: what chooses η.

    >>> import jax.numpy as jnp
    >>> from gdlab import gauss_newton, half_squares, minimize
    >>> x, y = jnp.arange(4.0), jnp.array([1.0, 3.0, 5.0, 7.0])
    >>> residuals = lambda w: w[0] + w[1] * x - y
    >>> minimize(half_squares(residuals), jnp.zeros(2), gauss_newton(residuals), 1).params.round(4)
    Array([1., 2.], dtype=float32)

    Source: J. Nocedal, S. Wright, Numerical Optimization, 2006, section 10.3.
    """
    return chain(scale_by_gauss_newton(residuals), scale(-1.0), linesearch)
