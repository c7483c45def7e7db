"""Batches from a loader, for data that do not fit on the device."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

MOST_BATCHES, MOST_BYTES = 64, 2**26
"""How many batches, of how many bytes together, go to the device at once."""


class Block(NamedTuple):
    """Some steps and the data for them."""

    begin: int
    end: int
    data: Any


def is_loader(data: Any) -> bool:
    """Whether ``data`` is an iterable of batches, such as a loader, and not a tree of arrays."""
    return (
        isinstance(data, Iterable)
        and not hasattr(data, "shape")
        and jax.tree_util.all_leaves([data])
    )


class Stream:
    """The batches of a loader one after the other, stacked in blocks of equal shapes.

    A loader that can be iterated over again is, as often as needed; an iterator is read to its end.

    Args:
        loader: an iterable of trees of arrays, such as a generator, a grain dataset or a torch
            ``DataLoader``.
    """

    def __init__(self, loader: Iterable[Any]):
        self._loader = loader
        self._batches = iter(loader)
        self._again = self._batches is not loader
        self._read = 0
        self._error: Exception | None = None
        self._held: list[Any] = []

    def first(self) -> Any:
        """The first batch, which is not used up by looking at it."""
        if self._error is not None:
            raise self._error
        if not self._held:
            self._held.append(self._fetch())
        return self._held[0]

    def blocks(self, begin: int, end: int) -> Iterator[Block]:
        """The batches of the steps from ``begin`` to ``end``; those before are passed over.

        Raises:
            ValueError: if there are no more batches.
        """
        while self._read < begin:
            self._take()
        while begin < end:
            batches = [self._take()]
            most = _most(batches[0])
            while begin + len(batches) < min(end, begin + most) and self._goes_on(batches[0]):
                batches.append(self._take())
            # As many as ever, so that the last block is not another program.
            padded = batches + batches[-1:] * (most - len(batches))
            stack = jax.tree.map(lambda *leaves: np.stack(leaves), *padded)
            yield Block(begin, begin + len(batches), stack)
            begin += len(batches)

    def _goes_on(self, batch: Any) -> bool:
        """Whether another batch of the same shapes follows."""
        try:
            return _shapes(self.first()) == _shapes(batch)
        except Exception as error:
            # The batches before it are good; it is raised when this one is needed.
            self._error = error
            return False

    def _take(self) -> Any:
        batch = self.first()
        self._held.clear()
        self._read += 1
        return batch

    def _fetch(self) -> Any:
        try:
            batch = next(self._batches)
        except StopIteration:
            batch = self._of_next_pass()
        return jax.tree.map(np.asarray, batch)

    def _of_next_pass(self) -> Any:
        if self._again and self._read:
            self._batches = iter(self._loader)
            for batch in self._batches:
                return batch
        raise ValueError(
            f"data ended after {self._read} batches; a sweep takes one for each step and one more, "
            "to judge the last point"
        )


def _most(batch: Any) -> int:
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(batch))
    return int(np.clip(MOST_BYTES // max(size, 1), 1, MOST_BATCHES))


def _shapes(batch: Any) -> list[tuple[Any, ...]]:
    return [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(batch)]
