"""Compiled functions of one item, called on batches of items of the same shape and dtype."""

from collections.abc import Callable, Hashable

import jax
from jax.core import Tracer

from gdlab.core.structure import Function, Value

BATCH = 8
"""The number of items of the same shape that one call of a compiled function treats.

With fewer, the overhead of calls exceeds the arithmetic on small arrays; with more, compiling takes
longer.
"""


def for_each(one: Function) -> Callable[[list[Value]], list[Value]]:
    """Return a compiled function that maps ``one(*item)`` over a list of items."""
    return jax.jit(lambda items: [one(*item) for item in items])


def in_batches(function: Callable[[list[Value]], list[Value]], items: list[Value]) -> list[Value]:
    """Call ``function`` on batches of items whose first arrays agree in shape, dtype and sharding.

    Within a trace, a batch is traced and lowered as one call. A batch has :data:`BATCH` items or
    one, so that ``function`` is compiled for at most two lengths.

    Returns:
        The results in the order of ``items``.
    """
    alike: dict[Hashable, list[int]] = {}
    for index, (leaf, *_) in enumerate(items):
        concrete = isinstance(leaf, jax.Array) and not isinstance(leaf, Tracer)
        sharding = leaf.sharding if concrete else None
        kind = getattr(leaf, "shape", ()), getattr(leaf, "dtype", type(leaf)), sharding
        alike.setdefault(kind, []).append(index)
    results: list[Value] = [None] * len(items)
    for members in alike.values():
        full = len(members) - len(members) % BATCH
        batches = [members[start : start + BATCH] for start in range(0, full, BATCH)]
        for batch in [*batches, *([index] for index in members[full:])]:
            for index, result in zip(batch, function([items[i] for i in batch]), strict=True):
                results[index] = result
    return results
