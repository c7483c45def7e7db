"""Many arrays outside ``jit``: handed to the compiled program in batches."""

from collections.abc import Callable
from typing import Any

import jax

BATCH = 8
"""So many equal arrays are handed over at once.

Handing over costs more than the arithmetic on a small array, and compiling grows with the batch.
"""


def in_batches(function: Callable[[list[Any]], list[Any]], items: list[Any]) -> list[Any]:
    """``function(items)``, called on batches of items whose first arrays are alike.

    A batch is full or has one item, so that ``function`` is compiled for two lengths at most.
    """
    alike: dict[Any, list[int]] = {}
    for index, (leaf, *_) in enumerate(items):
        sharding = leaf.sharding if isinstance(leaf, jax.Array) else None
        kind = getattr(leaf, "shape", ()), getattr(leaf, "dtype", type(leaf)), sharding
        alike.setdefault(kind, []).append(index)
    results: list[Any] = [None] * len(items)
    for members in alike.values():
        full = len(members) - len(members) % BATCH
        batches = [members[start : start + BATCH] for start in range(0, full, BATCH)]
        for batch in [*batches, *([index] for index in members[full:])]:
            for index, result in zip(batch, function([items[i] for i in batch]), strict=True):
                results[index] = result
    return results
