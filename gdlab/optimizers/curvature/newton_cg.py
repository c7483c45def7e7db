"""Newton's method with steps computed by conjugate gradients."""

import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import NonNegative, Period
from gdlab.core.numerics import safe_divide
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.line_search.zoom import scale_by_zoom_linesearch
from gdlab.transforms.norms.inner_products import chosen, filled, inner_product, scaled
from gdlab.transforms.probes.truncated_cg import forcing_tolerance, hessian_times, truncated_cg
from gdlab.transforms.signals.scaling import scale

WOLFE_FROM_LAST_DECREASE: GradientTransformation = scale_by_zoom_linesearch(
    20, initial_guess_strategy="interpolate"
)
"""A line search that begins with a short step after a short step, and with the whole step near the
minimum."""


@transformation(reads=("params", "grad_fn"), slots=("products",))
def scale_by_truncated_newton(
    max_products: Period = 100.0, forcing: NonNegative = 0.25
) -> TreeFunctions:
    """Multiply the gradient by the inverse Hessian, approximately, by conjugate gradients.

    dₜ ≈ H⁻¹·gₜ with ‖H·dₜ − gₜ‖ ≤ min(forcing, √‖gₜ‖)·‖gₜ‖, computed only from products H·v, each
    of which costs about two gradients. At a direction of negative curvature the iteration returns
    its last dₜ, or gₜ·‖gₜ‖²/|⟨gₜ, H·gₜ⟩| if that direction is the first, so −dₜ is always a
    direction of descent. The state counts the ``products``.

    On a quadratic with positive curvatures, −dₜ leads the closer to the minimum the smaller the
    gradient is.

    Args:
        max_products: the largest number of Hessian-vector products per step.
        forcing: the largest relative residual of a step.

    Raises:
        ValueError: if ``params`` or ``grad_fn`` are missing.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import scale_by_truncated_newton
    >>> grad_fn = jax.grad(lambda w: 50 * w[0] ** 2 + w[1] ** 2)
    >>> w, tx = jnp.array([1e-4, 0.0]), scale_by_truncated_newton()
    >>> tx.update(grad_fn(w), tx.init(w), w, grad_fn=grad_fn)[0] + 0.0
    Array([0.0001, 0.    ], dtype=float32)

    Source: J. Nocedal, S. Wright, Numerical Optimization, 2006, algorithm 7.1; R. S. Dembo,
    T. Steihaug, Truncated-Newton algorithms for large-scale unconstrained optimization, 1983.
    """

    def init(_):
        return (jnp.zeros((), jnp.int32),)

    def update(updates, state, *, params, grad_fn):
        gradient = filled(updates, params)
        product = hessian_times(grad_fn, params)
        tolerance = forcing_tolerance(gradient, forcing)
        most = jnp.asarray(max_products).astype(jnp.int32)
        solved = truncated_cg(product, gradient, tolerance, most, jnp.inf)
        is_concave = (solved.curvature <= 0) & (solved.products == 1)
        size = safe_divide(inner_product(gradient, gradient), -solved.curvature)
        steepest = scaled(jnp.where(size > 0, size, 1), gradient)
        direction = chosen(is_concave, steepest, scaled(-1.0, solved.step))
        return direction, (state[0] + solved.products,)

    return init, update


@transformation
def newton_cg(
    max_products: Period = 100.0,
    forcing: NonNegative = 0.25,
    *,
    linesearch: GradientTransformation = WOLFE_FROM_LAST_DECREASE,
) -> GradientTransformation:
    """Newton's method with steps computed by conjugate gradients from Hessian-vector products.

    wₜ₊₁ = wₜ − ηₜ·dₜ, dₜ ≈ H⁻¹·gₜ as in :func:`scale_by_truncated_newton`

    Near a minimum with positive curvatures it converges superlinearly. An affine change of the
    parameters affects only the truncation.

    When to use:
        Smooth deterministic losses whose curvatures differ by orders of magnitude, where
        Hessian-vector products are cheap. :func:`lbfgs` needs no such products, but more steps;
        :func:`trust_region` is safer far from the minimum.

    Args:
        max_products: the largest number of Hessian-vector products per step.
        forcing: the largest relative residual of a step; SciPy uses 0.5, which needs fewer products
            but more steps.
        linesearch: the line search, which chooses η.

    >>> import jax.numpy as jnp
    >>> from gdlab import minimize, newton_cg
    >>> loss = lambda w: jnp.sum(jnp.cosh(w)) + 0.5 * (w[0] - w[1]) ** 2
    >>> int(minimize(loss, jnp.array([1.0, -2.0]), newton_cg(), 50, tol=1e-5).steps) < 10
    True

    Source: J. Nocedal, S. Wright, Numerical Optimization, 2006, algorithm 7.1.
    """
    return chain(scale_by_truncated_newton(max_products, forcing), scale(-1.0), linesearch)
