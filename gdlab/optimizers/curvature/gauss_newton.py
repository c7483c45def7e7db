"""Gauss–Newton: a nonlinear least-squares problem as a sequence of linear ones."""

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
    """The Gauss–Newton step, with the sign of a gradient.

    dₜ = J⁺·r, the shortest d with the least ‖r − J·d‖, where r = residuals(wₜ) and J is its
    Jacobian. It replaces the gradient g; for the loss ½‖r‖² it is (JᵀJ)⁻¹·g.

    Args:
        residuals: a function of the parameters that returns an array or a tree of real arrays. Its
            Jacobian is formed and decomposed at each step, so there should be hundreds of
            parameters, not millions.

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
    """Gauss–Newton with a line search: nonlinear least squares as a sequence of linear problems.

    wₜ₊₁ = wₜ − ηₜ·J⁺·r as in :func:`scale_by_gauss_newton`; η = 1 is tried first

    Linear least squares are solved by the first step, a Newton step. An affine change of the
    parameters changes nothing. If the residuals vanish at the minimum and J has full rank, it
    converges quadratically; if they are large and curved, it may converge slowly.

    When to use:
        Curve fits and other small least-squares problems whose Jacobian has full rank. If it may
        lose rank, :func:`levenberg_marquardt` is safer.

    Args:
        residuals: a function of the parameters that returns the residuals. The loss must be a
            positive multiple of ‖r‖², such as :func:`half_squares` of the same function.
        linesearch: the line search, which chooses η.

    >>> import jax.numpy as jnp
    >>> from gdlab import gauss_newton, half_squares, minimize
    >>> x, y = jnp.arange(4.0), jnp.array([1.0, 3.0, 5.0, 7.0])
    >>> residuals = lambda w: w[0] + w[1] * x - y
    >>> minimize(half_squares(residuals), jnp.zeros(2), gauss_newton(residuals), 1).params.round(4)
    Array([1., 2.], dtype=float32)

    Source: J. Nocedal, S. Wright, Numerical Optimization, 2006, section 10.3.
    """
    return chain(scale_by_gauss_newton(residuals), scale(-1.0), linesearch)
