"""Batches from a loader, for data that do not fit on the device."""

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from gdlab.core.structure import flatten_like
from gdlab.training.batch_arrays import batch_arrays

MOST_BATCHES, MOST_BYTES = 64, 2**26
"""The largest number of batches, and of their bytes together, that are sent to the device at
once."""
MOST_SECONDS = 0.25
"""The longest time in seconds that is spent collecting batches before they are sent."""


class Block(NamedTuple):
    """A range of steps and the data for them."""

    begin: int
    end: int
    data: Any
    """The batches, stacked along a leading axis, which may be longer than the range of steps."""


class Exhausted(ValueError):
    """A loader has no more batches."""


def is_loader(data: Any) -> bool:
    """Tell whether ``data`` is an iterable of batches rather than a tree of arrays."""
    return isinstance(data, Stream) or (
        isinstance(data, Iterable)
        and not isinstance(data, str | bytes)
        and not (hasattr(data, "dtype") or hasattr(data, "__array__"))
        and jax.tree_util.all_leaves([data])
    )


def is_read_once(loader: Iterable[Any]) -> bool:
    """Tell whether a loader is an iterator, such as a generator, which can be read only once."""
    return isinstance(loader, Iterator)


def require_own_sizes(data: Any, **batch_sizes: int | None) -> None:
    """Refuse a batch size beside a loader, whose batches have their own.

    Raises:
        ValueError: naming the argument.
    """
    for name, size in batch_sizes.items():
        if size is not None and is_loader(data):
            raise ValueError(f"{name} is given, but the batches of a loader have their own sizes")


class Stream:
    """The batches of a loader in order, stacked into blocks of equal shapes.

    A loader that is not an iterator is iterated over again when it ends, as often as needed.

    Args:
        loader: an iterable of trees of arrays, such as a generator, a grain dataset or a torch
            ``DataLoader``.
        start: the step to which the next batch of an iterator belongs.
        repeats: whether to iterate over a loader again when it ends.
        bytes_beside: the memory that a step needs on the device beside its batch.
    """

    def __init__(
        self, loader: Iterable[Any], *, start: int = 0, repeats: bool = True, bytes_beside: int = 0
    ):
        self.loader = loader
        self.read_once: bool = is_read_once(loader)
        self._repeats = repeats and not self.read_once
        self._start = start if self.read_once else 0
        self._bytes_beside = bytes_beside
        self._widths: dict[Any, int] = {}
        self._like: Any = None
        self._batches: Iterator[Any] | None = None
        self._begin()

    def first(self) -> Any:
        """The next batch, which stays in the stream."""
        if self._error is not None:
            raise self._error
        if not self._held:
            self._held.append(self._fetch())
        return self._held[0]

    def like(self) -> Any:
        """A block with the usual shapes of blocks, for tracing."""
        batch = self.first()
        width = self._widths.setdefault(_shapes(batch), self._most(batch))
        return jax.tree.map(lambda leaf: np.broadcast_to(leaf, (width, *leaf.shape)), batch)

    def blocks(self, begin: int, end: int) -> Iterator[Block]:
        """The batches of the steps from ``begin`` to ``end``; earlier batches are skipped.

        Raises:
            Exhausted: if there are no more batches.
            TypeError: if a batch holds anything but arrays.
            ValueError: if a batch differs in structure from the first one.
        """
        if begin < self._read:
            self._begin()
        while self._read < begin:
            self._take()
        while begin < end:
            block = self._block(begin, end)
            yield block
            begin = block.end
            # Free the block before the next one is assembled.
            del block

    def close(self) -> None:
        """Drop the loader's iterator, so that worker processes end; a given iterator stays open."""
        if not self.read_once and hasattr(self._batches, "close"):
            self._batches.close()  # type: ignore[union-attr]
        self._batches = None
        self._held: list[Any] = []

    def _block(self, begin: int, end: int) -> Block:
        first = self._take()
        shapes = _shapes(first)
        width = self._widths.get(shapes) or min(self._most(first), end - begin)
        stack = jax.tree.map(lambda leaf: np.empty((width, *leaf.shape), leaf.dtype), first)
        _write(stack, 0, first)
        count, goes_on, enough = 1, True, min(width, end - begin)
        started = time.perf_counter()
        while goes_on and count < enough and time.perf_counter() - started < MOST_SECONDS:
            if goes_on := self._goes_on(shapes):
                _write(stack, count, self._take())
                count += 1
        if shapes not in self._widths:
            # A run of short batches, as at the end of a pass, will hardly ever be longer than now.
            self._widths[shapes] = width = width if goes_on else count
            stack = jax.tree.map(lambda leaf: leaf[:width], stack)
        # The width is the same each time, so that each shape needs one program; the rest is unused.
        return Block(begin, begin + count, stack)

    def _begin(self) -> None:
        self.close()
        self._read = self._start
        self._error: Exception | None = None

    def _goes_on(self, shapes: Any) -> bool:
        """Tell whether another batch of the same shapes follows."""
        try:
            return _shapes(self.first()) == shapes
        except Exception as error:
            # The batches before are valid; the error is raised when this batch is needed.
            self._error = error
            return False

    def _take(self) -> Any:
        batch = self.first()
        self._held.clear()
        self._read += 1
        return batch

    def _fetch(self) -> Any:
        if self._batches is None:
            self._batches = batches_of(self.loader)
        try:
            batch = next(self._batches)
        except StopIteration:
            batch = self._of_next_pass()
        batch = batch_arrays(batch, f"batch {self._read}")
        if self._like is None:
            self._like = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(*_shape(leaf)), batch)
        flatten_like(
            f"the arrays of batch {self._read}", batch, "those of the first batch", self._like
        )
        return batch

    def _of_next_pass(self) -> Any:
        if self._repeats and self._read:
            self._batches = batches_of(self.loader)
            for batch in self._batches:
                return batch
        raise Exhausted(
            f"data ended after {self._read - self._start} batches; there has to be one for each "
            "step and one more, to judge the last point"
        )

    def _most(self, batch: Any) -> int:
        size = self._bytes_beside + sum(leaf.nbytes for leaf in jax.tree.leaves(batch))
        return int(np.clip(MOST_BYTES // max(size, 1), 1, MOST_BATCHES))


def one_pass(loader: Iterable[Any]) -> Iterator[Block]:
    """The blocks of one pass over a loader.

    Raises:
        ValueError: if the loader has no batches.
    """
    stream = Stream(loader, repeats=False)
    with contextlib.closing(stream):
        try:
            yield from stream.blocks(0, sys.maxsize)
        except Exhausted:
            if stream._like is None:
                raise ValueError("data has no batches: there is nothing to average over") from None


def batches_of(loader: Iterable[Any]) -> Iterator[Any]:
    """An iterator over the batches of a loader, unconverted."""
    # A TensorFlow dataset yields its own tensors unless asked for NumPy arrays.
    of_numpy = getattr(loader, "as_numpy_iterator", None)
    return iter(loader if of_numpy is None else of_numpy())


def _shape(leaf: np.ndarray) -> tuple[tuple[int, ...], np.dtype]:
    return leaf.shape, leaf.dtype


def _shapes(batch: Any) -> Any:
    leaves, structure = jax.tree.flatten(batch)
    return structure, tuple(map(_shape, leaves))


def _write(stack: Any, index: int, batch: Any) -> None:
    def write(leaf: np.ndarray, new: np.ndarray) -> None:
        leaf[index] = new

    jax.tree.map(write, stack, batch)
