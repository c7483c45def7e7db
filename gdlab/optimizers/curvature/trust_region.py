"""The trust-region method with truncated conjugate gradients."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Fraction, Period, Positive
from gdlab.core.numerics import common_dtype, widen
from gdlab.core.structure import Number, Tree, Updates
from gdlab.core.transformation import transformation
from gdlab.transforms.line_search.ray import Searched, along
from gdlab.transforms.norms.inner_products import chosen, filled, inner_product
from gdlab.transforms.norms.norms import tree_norm
from gdlab.transforms.probes.truncated_cg import (
    forcing_tolerance,
    hessian_times,
    to_the_edge,
    truncated_cg,
)


@transformation(
    reads=("params", "value", "grad", "value_fn", "grad_fn"),
    slots=("radius", "products", "searched"),
)
def trust_region(
    initial_radius: Positive = 1.0,
    max_radius: Positive = 1000.0,
    accept_ratio: Fraction = 0.15,
    max_products: Period = 100.0,
) -> TreeFunctions:
    """The trust-region method: minimise a quadratic model in a ball whose radius adapts.

    pₜ ≈ argmin m(p) = ⟨g, p⟩ + ½⟨p, H·p⟩ over ‖p‖ ≤ Δₜ by conjugate gradients, which end at the
    edge of the ball if they leave it or meet negative curvature. With ρ = (f(w) − f(w +
    p))/(−m(p)): wₜ₊₁ = wₜ + pₜ if ρ > accept_ratio, else wₜ; Δ ← min(Δ, ‖p‖)/4 if ρ < ¼; Δ ←
    min(2Δ, max_radius) if ρ > ¾ and p lies at the edge.

    A step that is not accepted leaves the parameters unchanged, and the next step tries a smaller
    ball. The method escapes saddle points, since it follows negative curvature; near a minimum with
    positive curvatures it converges superlinearly. A rotation of the parameters rotates its path.

    When to use:
        Smooth deterministic losses with saddle points or strong nonlinearity, where Hessian-vector
        products are cheap. If all curvatures are positive, :func:`newton_cg` does as well.

    Args:
        initial_radius: Δ₀, in the units of the parameters.
        max_radius: the largest Δ.
        accept_ratio: the least ρ of an accepted step, in [0, ¼).
        max_products: the largest number of Hessian-vector products per step.

    Raises:
        ValueError: if ``params``, ``value``, ``grad``, ``value_fn`` or ``grad_fn`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import minimize, trust_region
    >>> saddle = lambda w: w[0] ** 2 - w[1] ** 2 + w[1] ** 4
    >>> run = minimize(saddle, jnp.array([1.0, 1e-3]), trust_region(), 50, tol=1e-4)
    >>> run.params.round(2) + 0.0
    Array([0.  , 0.71], dtype=float32)

    Source: J. Nocedal, S. Wright, Numerical Optimization, 2006, algorithms 4.1 and 7.2; Ph. L.
    Toint, Towards an efficient sparsity exploiting Newton method for minimization, 1981.
    """

    def init(params):
        dtype = common_dtype(jax.tree.leaves(params))
        none = jnp.zeros((), jnp.int32)
        return jnp.asarray(initial_radius, dtype), none, Searched.nothing(params)

    def update(updates, state, *, params, value, grad, value_fn, grad_fn):
        radius, products, searched = state
        gradient, grad = filled(updates, params), filled(widen(grad), params)
        value = jnp.asarray(value).astype(radius.dtype)
        step, model, at_edge, more = _model_step(
            gradient, hessian_times(grad_fn, params), radius, max_products
        )
        trial, new_grad = along(value_fn, params, step)(jnp.ones_like(radius))
        actual = jnp.where(trial.is_finite(), value - trial.value, -jnp.inf)
        ratio = actual / jnp.where(model > 0, model, 1)
        taken = (ratio > accept_ratio) & (model > 0)
        smaller = jnp.minimum(radius, tree_norm(step)) / 4
        larger = jnp.minimum(2 * radius, max_radius)
        radius = jnp.where(
            ratio < 0.25, smaller, jnp.where((ratio > 0.75) & at_edge, larger, radius)
        )
        least = jnp.finfo(radius.dtype).eps * tree_norm(params)
        # In a smaller ball the decrease would be lost in rounding.
        failed = ~taken & ((radius <= least) | ~(model > 0))
        after = searched.after(
            jnp.where(taken, trial.value, value), chosen(taken, new_grad, grad), 1, failed
        )
        nowhere = jax.tree.map(jnp.zeros_like, step)
        return chosen(taken, step, nowhere), (radius, products + more, after)

    return init, update


def _model_step(
    gradient: Updates, product: Tree, radius: jax.Array, max_products: Number
) -> tuple[Updates, jax.Array, jax.Array, jax.Array]:
    """The step, the decrease of the model, whether the step ends at the edge, and the products."""
    most = jnp.asarray(max_products).astype(jnp.int32)
    solved = truncated_cg(product, gradient, forcing_tolerance(gradient, 0.5), most, radius)
    at_edge = ~((solved.curvature > 0) & solved.is_inside)
    step = chosen(at_edge, to_the_edge(solved.step, solved.direction, radius), solved.step)
    model = -inner_product(gradient, step) - inner_product(step, product(step)) / 2
    return step, model, at_edge, solved.products + 1
