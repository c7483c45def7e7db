"""Nonlinear conjugate gradients."""

from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.line_search.zoom import scale_by_zoom_linesearch
from gdlab.transforms.probes.conjugate_direction import Beta, conjugate_direction
from gdlab.transforms.signals.scaling import scale

WOLFE_WITH_SMALL_SLOPE: GradientTransformation = scale_by_zoom_linesearch(
    30, curv_rtol=0.25, initial_guess_strategy="length_one"
)
"""A line search that leaves so little slope that the next conjugate direction is one of descent."""


@transformation
def nonlinear_cg(
    beta: Beta = "PR+", *, linesearch: GradientTransformation = WOLFE_WITH_SMALL_SLOPE
) -> GradientTransformation:
    """Nonlinear conjugate gradients, with a state of two vectors.

    wₜ₊₁ = wₜ − ηₜ·dₜ, dₜ = gₜ + βₜ·dₜ₋₁ as in :func:`conjugate_direction`

    On a quadratic with exact line searches it reaches the minimum in as many steps as the Hessian
    has different eigenvalues. A rotation of the parameters rotates its path.

    When to use:
        Smooth deterministic losses with so many parameters that :func:`lbfgs` needs too much
        memory; otherwise :func:`lbfgs` needs fewer evaluations. Not with minibatches.

    Args:
        beta: the formula of β.
        linesearch: the line search, which chooses η. It must leave a small slope, ``curv_rtol`` <
            1/2, or the directions of FR may not be directions of descent.

    >>> import jax.numpy as jnp
    >>> from gdlab import minimize, nonlinear_cg
    >>> loss = lambda w: (1 - w[0]) ** 2 + 10 * (w[1] - w[0] ** 2) ** 2
    >>> minimize(loss, jnp.array([-1.2, 1.0]), nonlinear_cg(), 200, tol=1e-3).params.round(2)
    Array([1., 1.], dtype=float32)

    Source: J. Nocedal, S. Wright, Numerical Optimization, 2006, algorithm 5.4.
    """
    return chain(conjugate_direction(beta), scale(-1.0), linesearch)
