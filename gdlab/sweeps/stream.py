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


def is_read_once(loader: Iterable[Any]) -> bool:
    """Whether it is an iterator, such as a generator, which does not begin again."""
    return isinstance(loader, Iterator)


class Stream:
    """The batches of a loader one after the other, stacked in blocks of equal shapes.

    A loader that can be iterated over again is, as often as needed; an iterator is read to its end.

    Args:
        loader: an iterable of trees of arrays, such as a generator, a grain dataset or a torch
            ``DataLoader``.
    """

    def __init__(self, loader: Iterable[Any]):
        self._loader = loader
        self.read_once = is_read_once(loader)
        self._widths: dict[Any, int] = {}
        self._begin()

    def first(self) -> Any:
        """The first batch, which is not used up by looking at it."""
        if self._error is not None:
            raise self._error
        if not self._held:
            self._held.append(self._fetch())
        return self._held[0]

    def like(self) -> Any:
        """A block of the shapes that most blocks have."""
        batch = self.first()
        width = self._widths.setdefault(_shapes(batch), _most(batch))
        return jax.tree.map(lambda leaf: np.broadcast_to(leaf, (width, *leaf.shape)), batch)

    def blocks(self, begin: int, end: int) -> Iterator[Block]:
        """The batches of the steps from ``begin`` to ``end``; those before are passed over.

        Raises:
            ValueError: if there are no more batches.
        """
        if begin < self._read:
            self._begin()
        while self._read < begin:
            self._take()
        while begin < end:
            block = self._block(begin, end)
            yield block
            begin = block.end
            # Not held while the next one is put together.
            del block

    def _block(self, begin: int, end: int) -> Block:
        first = self._take()
        shapes = _shapes(first)
        width = self._widths.get(shapes, _most(first))
        stack = jax.tree.map(lambda leaf: np.empty((width, *leaf.shape), leaf.dtype), first)
        _write(stack, 0, first)
        count, goes_on = 1, True
        while goes_on and count < min(width, end - begin):
            if goes_on := self._goes_on(shapes):
                _write(stack, count, self._take())
                count += 1
        if shapes not in self._widths:
            # Short batches at the ends of passes will hardly ever be more than there are now.
            self._widths[shapes] = width = width if goes_on else count
            stack = jax.tree.map(lambda leaf: leaf[:width], stack)
        # Of the same width each time, so that a shape is one program; what is left is not read.
        return Block(begin, begin + count, stack)

    def _begin(self) -> None:
        self._batches = iter(self._loader)
        self._read = 0
        self._error: Exception | None = None
        self._held: list[Any] = []

    def _goes_on(self, shapes: Any) -> bool:
        """Whether another batch of the same shapes follows."""
        try:
            return _shapes(self.first()) == shapes
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
        if not self.read_once and self._read:
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


def _shapes(batch: Any) -> Any:
    leaves, structure = jax.tree.flatten(batch)
    return structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves)


def _write(stack: Any, index: int, batch: Any) -> None:
    def write(leaf: np.ndarray, new: np.ndarray) -> None:
        leaf[index] = new

    jax.tree.map(write, stack, batch)
