"""The sharpness: the largest eigenvalue of a loss's Hessian, once or followed along a run."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.flatten_util import ravel_pytree

from gdlab.analysis.curvature.eigenpairs import eigenpairs, flat_hessian
from gdlab.analysis.curvature.hessian import MeanLoss
from gdlab.analysis.curvature.lanczos import krylov, masked_eigh, require_krylov_memory
from gdlab.analysis.curvature.parameter_space import (
    as_vector,
    number_of_parameters,
    require_finite,
)
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Count, Key

_NOISE = 1e-2


class Sharpness(NamedTuple):
    """The largest eigenvalue of a Hessian, found by :func:`follow_sharpness`."""

    value: jax.Array
    """The eigenvalue λ; NaN where the Hessian is not finite."""
    vector: Any
    """The eigenvector v, a tree like the parameters, from which the next computation can start."""
    residual: jax.Array
    """The norm ‖Hv − λv‖: an eigenvalue lies within this distance of the value."""


@checked
def sharpness(
    loss: Callable[..., Any],
    params: Any,
    data: Any = None,
    *,
    preconditioner: Any = None,
    key: Key | None = None,
    batch_size: Count | None = None,
) -> float:
    """The largest eigenvalue of a loss's Hessian.

    Gradient descent is stable where the sharpness is below 2 / learning rate. For a method that
    multiplies gradients by a diagonal D, such as Adam, the same holds for the preconditioned
    Hessian D^½ H D^½.

    Args:
        loss: ``loss(params)``, or ``loss(params, batch)``, a mean over the batch, if there are
            data; a real scalar.
        params: a tree of real floating-point arrays, or a model as in :func:`gdlab.minimize`.
        data: a tree of arrays with a leading axis of examples, or a loader, of which one pass is
            held in memory; the loss is the mean over all examples.
        preconditioner: the diagonal D, a tree like ``params`` of nonnegative numbers; D is the
            identity by default.
        key: as in :func:`hessian_eigenpairs`.
        batch_size: the number of examples in memory at a time; ``None`` for all.

    Raises:
        TypeError: if a parameter is not real, or the loss no real scalar.
        ValueError: if the Hessian is not finite, or ``preconditioner`` not like ``params``.
        ImportError: if matfree is not installed.
        RuntimeError: if the eigenvalue does not converge.

    >>> import jax.numpy as jnp
    >>> from gdlab.analysis import sharpness
    >>> round(sharpness(lambda w: w[0] ** 2 + 3 * w[1] ** 2, jnp.ones(2)), 4)
    6.0
    """
    mean_loss, params, data = MeanLoss.over(loss, params, data, batch_size)
    root = None if preconditioner is None else _root(preconditioner, params)
    found, converged = eigenpairs(mean_loss, params, data, k=1, which="largest", key=key, root=root)
    require_finite(found.values, "the Hessian")
    if not converged:
        raise RuntimeError(
            f"the largest eigenvalue has not converged: {found.values[0]} has the residual "
            f"{found.residuals[0]}"
        )
    return float(found.values[0])


@checked
def follow_sharpness(
    loss: Callable[..., Any],
    params: Any,
    vector: Any,
    data: Any = None,
    *,
    preconditioner: Any = None,
    key: Key | None = None,
    iterations: Count = 12,
    batch_size: Count | None = None,
) -> Sharpness:
    """The largest eigenvalue of a loss's Hessian, from its eigenvector a few steps before.

    It does a fixed number of Lanczos iterations, as a pure function for use inside ``jax.jit``,
    ``jax.lax.scan`` or ``jax.vmap``::

        found = follow_sharpness(loss, params, found.vector, data)

    The iteration starts from the vector with a little noise, so that it also notices when another
    eigenvalue becomes the largest. The value is never above the largest eigenvalue, up to rounding.

    Args:
        loss: as in :func:`sharpness`.
        params: a tree of real floating-point arrays, or a model as in :func:`gdlab.minimize`.
        vector: the last eigenvector, a tree like ``params``; zeros stand for a random start.
        data: as in :func:`sharpness`.
        preconditioner: as in :func:`sharpness`.
        key: PRNG key of the noise; ``None`` for a fixed one.
        iterations: the number of Hessian-vector products, beside one for the residual; more than
            the number of parameters has no effect.
        batch_size: as in :func:`sharpness`.

    Returns:
        The :class:`Sharpness`. If the Hessian is not finite, its value is NaN, and its vector is
        the given one, if that is finite.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> from gdlab.analysis import follow_sharpness
    >>> loss = lambda w: jnp.sum(w**4)
    >>> def step(carry, _):
    ...     w, vector = carry
    ...     found = follow_sharpness(loss, w, vector)
    ...     return (w - 0.1 * jax.grad(loss)(w), found.vector), found.value
    >>> _, values = jax.lax.scan(step, (jnp.array([1.0, 0.5]), jnp.zeros(2)), length=3)
    >>> values.round(2)
    Array([12.  , 4.32, 3.16], dtype=float32)
    """
    mean_loss, params, data = MeanLoss.over(loss, params, data, batch_size)
    return follow_sharpness_of(
        mean_loss, params, vector, data,
        preconditioner=preconditioner, key=key, iterations=iterations,
    )  # fmt: skip


def follow_sharpness_of(
    mean_loss: MeanLoss,
    params: Any,
    vector: Any,
    data: Any,
    *,
    preconditioner: Any = None,
    key: jax.Array | None = None,
    iterations: int,
) -> Sharpness:
    """Do what :func:`follow_sharpness` does for a :class:`MeanLoss` and parameters of one dtype."""
    vector = as_vector("vector", vector, params)
    root = None if preconditioner is None else _root(preconditioner, params)
    key = jax.random.key(0) if key is None else key
    iterations = min(iterations, number_of_parameters(params))
    require_krylov_memory("iterations", iterations, params)
    return _follow(mean_loss, iterations, params, data, vector, root, key)


@functools.partial(jax.jit, static_argnums=1)
def _follow(
    mean_loss: MeanLoss,
    iterations: int,
    params: Any,
    data: Any,
    vector: Any,
    root: Any,
    key: jax.Array,
) -> Sharpness:
    matvec = flat_hessian(mean_loss, params, data, root)
    before, unravel = ravel_pytree(vector)
    before = jnp.where(jnp.isfinite(before).all(), before, 0)
    noise = jax.random.normal(key, before.shape, before.dtype)
    noise = noise / jnp.linalg.norm(noise)
    length = jnp.linalg.norm(before)
    start = before / jnp.where(length > 0, length, 1) + _NOISE * noise

    space = krylov(matvec, start, iterations)
    values, rotation = masked_eigh(space.tridiagonal, space.exists)
    last = jnp.maximum(space.size - 1, 0)
    value = jnp.where(space.size > 0, values[last], jnp.nan)
    found = jnp.where(space.size > 0, rotation[:, last] @ space.basis, before)
    residual = jnp.linalg.norm(matvec(found) - value * found)
    return Sharpness(value, unravel(found), residual)


def _root(preconditioner: Any, params: Any) -> Any:
    diagonal = as_vector("preconditioner", preconditioner, params)
    leaves = jax.tree.leaves(diagonal)
    if not any(isinstance(leaf, Tracer) for leaf in leaves) and not all(
        bool(jnp.all(jnp.isfinite(leaf) & (leaf >= 0))) for leaf in leaves
    ):
        raise ValueError("preconditioner must be finite, and not negative")
    return jax.tree.map(jnp.sqrt, diagonal)
