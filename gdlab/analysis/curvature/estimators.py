"""The trace and the diagonal of a Hessian, estimated from random probes."""

import functools
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from gdlab.analysis.curvature.eigenpairs import flat_hessian
from gdlab.analysis.curvature.hessian import MeanLoss
from gdlab.analysis.curvature.parameter_space import require_finite
from gdlab.checks.checked import checked
from gdlab.checks.kinds import LARGEST_LENGTH, Between, Count, Key

Probes: TypeAlias = Annotated[int, Between(2, LARGEST_LENGTH)]
"""A number of random probes, of whose mean the standard error is known."""


class Estimate(NamedTuple):
    """A mean over random probes."""

    value: Any
    """The mean, an unbiased estimate."""
    standard_error: Any
    """The standard deviation of ``value``, estimated from the spread of the probes."""


@checked
def hessian_trace(
    loss: Callable[..., Any],
    params: Any,
    data: Any = None,
    *,
    key: Key,
    probes: Probes = 100,
    batch_size: Count | None = None,
) -> Estimate:
    """The trace of a loss's Hessian, by Hutchinson's estimator.

    tr H ≈ mean of zᵀHz,    z of independent random signs

    A probe has the variance 2 Σ Hᵢⱼ² over i ≠ j: a diagonal Hessian is traced exactly.

    Args:
        loss: ``loss(params)``, or ``loss(params, batch)``, a mean over the batch, if there are
            data; a real scalar.
        params: a tree of real floating-point arrays, or a model as in :func:`gdlab.minimize`.
        data: a tree of arrays with a leading axis of examples, or a loader, of which one pass is
            held in memory; the loss is the mean over all examples.
        key: PRNG key of the probes.
        probes: the number of Hessian-vector products, at least 2.
        batch_size: the number of examples in memory at a time; ``None`` for all.

    Returns:
        The :class:`Estimate`, whose fields are scalars.

    Raises:
        TypeError: if a parameter is not real, or the loss no real scalar.
        ValueError: if the Hessian is not finite, or there are fewer than 2 probes.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> from gdlab.analysis import hessian_trace
    >>> loss = lambda w: w[0] ** 2 + 3 * w[1] ** 2
    >>> hessian_trace(loss, jnp.ones(2), key=jax.random.key(0)).value
    Array(8., dtype=float32)

    Source: M. Hutchinson, A Stochastic Estimator of the Trace of the Influence Matrix for Laplacian
    Smoothing Splines, 1990.
    """
    return _estimate(_quadratic_form, loss, params, data, key, probes, batch_size)


@checked
def hessian_diagonal(
    loss: Callable[..., Any],
    params: Any,
    data: Any = None,
    *,
    key: Key,
    probes: Probes = 100,
    batch_size: Count | None = None,
) -> Estimate:
    """The diagonal of a loss's Hessian, by Hutchinson's estimator.

    diag H ≈ mean of z ⊙ Hz,    z of independent random signs

    The entry i of a probe has the variance Σ Hᵢⱼ² over j ≠ i.

    Args:
        loss: as in :func:`hessian_trace`.
        params: a tree of real floating-point arrays, or a model as in :func:`gdlab.minimize`.
        data: as in :func:`hessian_trace`.
        key: PRNG key of the probes.
        probes: the number of Hessian-vector products, at least 2.
        batch_size: as in :func:`hessian_trace`.

    Returns:
        The :class:`Estimate`, whose fields are trees like ``params``.

    Raises:
        TypeError: if a parameter is not real, or the loss no real scalar.
        ValueError: if the Hessian is not finite, or there are fewer than 2 probes.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> from gdlab.analysis import hessian_diagonal
    >>> loss = lambda w: w[0] ** 2 + 3 * w[1] ** 2
    >>> hessian_diagonal(loss, jnp.ones(2), key=jax.random.key(0)).value
    Array([2., 6.], dtype=float32)

    Source: C. Bekas, E. Kokiopoulou and Y. Saad, An Estimator for the Diagonal of a Matrix, 2007.
    """
    return _estimate(jnp.multiply, loss, params, data, key, probes, batch_size)


def _quadratic_form(probe: jax.Array, product: jax.Array) -> jax.Array:
    return jnp.vdot(probe, product, precision="highest")


def _estimate(sample, loss, params, data, key, probes, batch_size) -> Estimate:
    mean_loss, params, data = MeanLoss.over(loss, params, data, batch_size)
    estimate = _mean(sample, mean_loss, probes, params, data, key)
    require_finite(estimate, "the Hessian")
    if sample is _quadratic_form:
        return estimate
    unravel = ravel_pytree(params)[1]
    return Estimate(*map(unravel, estimate))


@functools.partial(jax.jit, static_argnums=(0, 2))
def _mean(sample, mean_loss, probes, params, data, key) -> Estimate:
    flat = ravel_pytree(params)[0]
    matvec = flat_hessian(mean_loss, params, data)

    def probe(carry, step):
        # Welford's recursion, since a difference of large sums would cancel.
        count, mean, squares = carry
        signs = jax.random.rademacher(jax.random.fold_in(key, step), flat.shape, flat.dtype)
        drawn = sample(signs, matvec(signs))
        count = count + 1
        new = mean + (drawn - mean) / count
        return (count, new, squares + (drawn - mean) * (drawn - new)), None

    zeros = jnp.zeros_like(jax.eval_shape(sample, flat, flat))
    start = jnp.zeros((), flat.dtype), zeros, zeros
    (_, mean, squares), _ = jax.lax.scan(probe, start, jnp.arange(probes))
    return Estimate(mean, jnp.sqrt(squares / (probes * (probes - 1))))
