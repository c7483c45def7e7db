"""Means over all examples, computed one minibatch at a time."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from gdlab.analysis.curvature.one_pass import OnePass
from gdlab.training.batches import EpochSampler


def mean_over_batches(fun: Callable[[Any], Any], data: Any, sampler: EpochSampler | None) -> Any:
    """The mean over all examples of a function that returns the mean over a batch.

    The batches are taken in the order of the data, and a short last one is weighted by its size.
    Without a sampler the data are one pass over a loader; or there are none, and the result is
    ``fun(None)``.
    """
    if isinstance(data, OnePass):
        return data.mean(fun)
    if sampler is None:
        return fun(None)
    if sampler.batches_per_epoch == 1:
        return fun(data)
    length = sampler.batch_size
    full, rest = divmod(sampler.size, length)

    def share(start: Any, length: int) -> Any:
        batch = jax.tree.map(lambda leaf: lax.dynamic_slice_in_dim(leaf, start, length), data)
        return jax.tree.map(lambda mean: mean * (length / sampler.size), fun(batch))

    def add(total: Any, start: jax.Array) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, share(start, length)), None

    zeros = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(lambda: share(0, length))
    )
    total, _ = lax.scan(add, zeros, length * jnp.arange(full))
    if rest:
        total = jax.tree.map(jnp.add, total, share(full * length, rest))
    return total
