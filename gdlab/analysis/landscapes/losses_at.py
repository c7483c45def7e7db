"""A loss over all data, at many points in parameter space."""

import contextlib
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from gdlab.analysis.curvature.hessian import MeanLoss
from gdlab.analysis.curvature.one_pass import OnePass, Stack
from gdlab.devices.memory import points_that_fit
from gdlab.progress.bar import Bar
from gdlab.training.loader import is_loader, one_pass

UPDATES = 25
"""The approximate number of updates of the progress bar."""


class Points(NamedTuple):
    """Points at which a loss is evaluated, made on demand from their indices."""

    size: int
    """The number of points."""
    params_of: Callable[[np.ndarray], Any]
    """A function: indices of points → parameters with a leading axis of points."""


class _Part(NamedTuple):
    """The part of the data that is in memory at a time."""

    data: Any
    examples: int
    batches: int


def losses_at(
    mean_loss: MeanLoss, groups: Sequence[Points], params: Any, data: Any, progress: bool
) -> list[np.ndarray]:
    """The mean loss at each point of each group.

    Args:
        mean_loss: the loss.
        groups: the points. A loader is read once for all of them.
        params: parameters with the shapes and dtypes of those at a point.
        data: arrays, or a loader, of which one pass is read a few batches at a time.
        progress: whether to show a bar.
    """
    total = sum(group.size for group in groups)
    streamed = is_loader(data)
    if streamed:
        bar = Bar(operator.length_hint(data) or None, unit="batches")
    else:
        bar = Bar(total, unit="points")
    sums, examples, chunk, dtype = [np.zeros(group.size) for group in groups], 0, 0, None
    with bar if progress else contextlib.nullcontext():
        bar.describe("landscape")
        for part in _parts(data):
            chunk = chunk or _chunk(mean_loss, params, part.data, math.ceil(total / UPDATES))
            for group, sum_ in zip(groups, sums, strict=True):
                for members in _chunks(group.size, chunk):
                    losses = np.asarray(_losses(mean_loss, group.params_of(members), part.data))
                    sum_[members] += part.examples * losses.astype(np.float64)
                    dtype = losses.dtype
                    bar.advanced("", 0 if streamed else len(np.unique(members)))
            examples += part.examples
            bar.advanced("", part.batches)
    return [(sum_ / examples).astype(dtype) for sum_ in sums]


def _parts(data: Any) -> Iterator[_Part]:
    if not is_loader(data):
        # An array of examples is one part, whatever its length.
        yield _Part(data, 1, 0)
        return
    for block in one_pass(data):
        stack = Stack.of(block)
        yield _Part(jax.device_put(OnePass((stack,))), stack.examples, stack.count)


def _chunk(mean_loss: MeanLoss, params: Any, data: Any, wanted: int) -> int:
    """The number of points computed together: ``wanted``, or fewer if memory is short."""
    some = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((wanted, *leaf.shape), leaf.dtype), params
    )
    return points_that_fit(_losses, (), (mean_loss, some, data), wanted, data, None)


def _chunks(size: int, chunk: int) -> Iterator[np.ndarray]:
    """The indices below ``size`` in chunks, the last one padded with copies of the last index."""
    for first in range(0, size, chunk):
        yield np.minimum(np.arange(first, first + chunk), size - 1)


@jax.jit
def _losses(mean_loss: MeanLoss, points: Any, data: Any) -> jax.Array:
    # The low default precision of accelerators would show steps in a flat valley.
    with jax.default_matmul_precision("highest"):
        return jax.vmap(lambda params: mean_loss.value(params, data))(points)
