"""Functions of one item, called on batches of alike ones."""

from collections.abc import Callable, Hashable

import jax
from jax.core import Tracer

from gdlab.core.structure import Function, Value

BATCH = 8
"""The number of equal arrays that are handed to a compiled function at once.

A call costs more than the arithmetic on a small array, and compiling grows with the batch.
"""


def for_each(one: Function) -> Callable[[list[Value]], list[Value]]:
    """``one(*item)`` of several items, in one call."""
    return jax.jit(lambda items: [one(*item) for item in items])


def in_batches(function: Callable[[list[Value]], list[Value]], items: list[Value]) -> list[Value]:
    """``function(items)``, called on batches of items whose first arrays are alike.

    Within a trace a batch is one call to trace and to lower. A batch is full or has one item, so
    that ``function`` is compiled for two lengths at most.
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
