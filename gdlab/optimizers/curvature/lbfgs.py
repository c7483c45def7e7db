"""L-BFGS: Newton's method with an inverse Hessian estimated from the last steps."""

import jax
import jax.numpy as jnp

from gdlab.checks.kinds import Length
from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import common_dtype, safe_divide
from gdlab.core.structure import Tree
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, identity
from gdlab.transforms.line_search.zoom import scale_by_zoom_linesearch
from gdlab.transforms.norms.inner_products import (
    add_scaled,
    chosen,
    filled,
    inner_product,
    scaled,
    subtracted,
)
from gdlab.transforms.norms.norms import tree_norm
from gdlab.transforms.signals.scaling import scale, scale_by_learning_rate

WOLFE_FROM_ONE: GradientTransformation = scale_by_zoom_linesearch(20, initial_guess_strategy="one")
"""The line search of methods whose step is right without scaling near the minimum."""


@transformation(
    reads=("params", "step"),
    slots=("params", "updates", "diff_params_memory", "diff_updates_memory", "weights_memory"),
)
def scale_by_lbfgs(memory_size: Length = 10, scale_init_precond: bool = True) -> TreeFunctions:
    """Multiply gradients by an estimate of the inverse Hessian from the last few steps.

    With sₜ = wₜ − wₜ₋₁, yₜ = gₜ − gₜ₋₁ and ρ = 1/⟨y, s⟩, the output is Hₜ·gₜ, where H ← (1 −
    ρ·s·yᵀ)·H·(1 − ρ·y·sᵀ) + ρ·s·sᵀ runs over the pairs in memory, the oldest first, from H⁰ = γ
    with γ = ⟨y, s⟩/‖y‖² of the newest pair. Without a pair γ = min(1, 1/‖g‖), so the first step has
    at most length 1.

    A pair is kept only if ⟨y, s⟩ > ε·‖y‖², with ε the precision of its dtype, so H stays positive
    definite. If the parameters did not move, since a line search found no step, all pairs are
    dropped and the direction is the gradient. On a quadratic in n dimensions with exact line
    searches, n pairs and H⁰ = 1, it takes the same steps as conjugate gradients. With all pairs
    kept it is BFGS.

    Args:
        memory_size: the number of pairs.
        scale_init_precond: whether γ is ⟨y, s⟩/‖y‖² of the newest pair, instead of 1.

    Raises:
        ValueError: if ``memory_size`` is not positive, or ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_lbfgs
    >>> tx = scale_by_lbfgs()
    >>> w = jnp.array([3.0, 4.0])
    >>> tx.update(w, tx.init(w), w)[0]
    Array([0.6, 0.8], dtype=float32)

    Source: D. C. Liu, J. Nocedal, On the limited memory BFGS method for large scale optimization,
    1989; J. Nocedal, S. Wright, Numerical Optimization, 2006, algorithm 7.4; the rule for pairs:
    R. H. Byrd, P. Lu, J. Nocedal, C. Zhu, A limited memory algorithm for bound constrained
    optimization, 1995, eq. 3.9.
    """

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, params)
        memory = jax.tree.map(
            lambda zero: jnp.broadcast_to(zero, (memory_size, *zero.shape)), zeros
        )
        weights = jnp.zeros(memory_size, common_dtype(jax.tree.leaves(params)))
        return zeros, zeros, memory, memory, weights

    def update(updates, state, *, params, step):
        old_params, old_updates, *memory = state
        gradient = filled(updates, params)
        s, y = subtracted(params, old_params), subtracted(gradient, old_updates)
        moved = jnp.any(jnp.array([jnp.any(leaf != 0) for leaf in jax.tree.leaves(s)]))
        moved = moved & (step > 0)
        memory = chosen(moved, _with_pair(memory, s, y), jax.tree.map(jnp.zeros_like, memory))
        direction = _inverse_hessian_times(gradient, memory, scale_init_precond)
        return direction, (params, gradient, *memory)

    return init, update


@transformation
def lbfgs(
    learning_rate: Hyperparameter | None = None,
    memory_size: Length = 10,
    scale_init_precond: bool = True,
    linesearch: GradientTransformation | None = WOLFE_FROM_ONE,
) -> GradientTransformation:
    """L-BFGS: Newton's method with an inverse Hessian estimated from the last steps.

    wₜ₊₁ = wₜ − ηₜ·Hₜ·gₜ, with H as in :func:`scale_by_lbfgs` and η from the line search, which
    tries η = 1 first

    A change of units or a rotation of the parameters affects the path only through the first step.
    On a quadratic it converges in a number of steps of the order of the dimension.

    When to use:
        Smooth deterministic losses of tens to millions of parameters, to high precision:
        ``minimize(fun, x0, lbfgs(), 200, tol=1e-8)``. Not with minibatches: the difference of
        gradients of two batches does not measure curvature.

    Args:
        learning_rate: a factor on the step before the line search; none unless given.
        memory_size: the number of steps from which the inverse Hessian is estimated.
        scale_init_precond: as in :func:`scale_by_lbfgs`.
        linesearch: the line search, which chooses the step size, or None.

    Raises:
        ValueError: if ``memory_size`` is not positive, or an argument of ``update`` that the line
            search needs is missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import lbfgs, minimize
    >>> rosenbrock = lambda w: (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
    >>> run = minimize(rosenbrock, jnp.array([-1.2, 1.0]), lbfgs(), 200, tol=1e-4)
    >>> run.params.round(3)
    Array([1., 1.], dtype=float32)

    Source: D. C. Liu, J. Nocedal, On the limited memory BFGS method for large scale optimization,
    1989; J. Nocedal, S. Wright, Numerical Optimization, 2006, algorithm 7.5.
    """
    return chain(
        scale_by_lbfgs(memory_size, scale_init_precond),
        scale(-1.0) if learning_rate is None else scale_by_learning_rate(learning_rate),
        identity() if linesearch is None else linesearch,
    )


def _with_pair(memory: Tree, s: Tree, y: Tree) -> Tree:
    """The memory with a pair put in front, if the pair has positive curvature."""
    weights = memory[-1]
    curvature, length = inner_product(y, s), inner_product(y, y)
    is_kept = curvature > jnp.finfo(weights.dtype).eps * length
    pair = s, y, safe_divide(jnp.ones_like(curvature), jnp.where(is_kept, curvature, 0))
    push = lambda old, new: jnp.concatenate([new[None].astype(old.dtype), old[:-1]])  # noqa: E731
    return chosen(is_kept, jax.tree.map(push, list(memory), list(pair)), memory)


def _inverse_hessian_times(gradient: Tree, memory: Tree, scale_init_precond: bool) -> Tree:
    """H·g by two loops over the memory, in which the newest pair comes first."""
    _, newest_y, newest_weight = jax.tree.map(lambda leaf: leaf[0], tuple(memory))
    s, y, weights = memory

    def backward(q, pair):
        s, y, weight = pair
        along = weight * inner_product(s, q)
        return add_scaled(q, -along, y), along

    def forward(r, pair):
        s, y, weight, along = pair
        return add_scaled(r, along - weight * inner_product(y, r), s), None

    q, along = jax.lax.scan(backward, gradient, (s, y, weights))
    if scale_init_precond:
        size = tree_norm(gradient)
        first = 1 / jnp.where(size > 1, size, 1)
        by_pair = safe_divide(
            jnp.ones_like(size), newest_weight * inner_product(newest_y, newest_y)
        )
        q = scaled(jnp.where(newest_weight > 0, by_pair, first), q)
    return jax.lax.scan(forward, q, (s, y, weights, along), reverse=True)[0]
