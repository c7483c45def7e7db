"""One pass over a loader, held in memory to average a loss over its examples."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.devices.free_memory import free_bytes
from gdlab.devices.memory import SHARE
from gdlab.training.batches import number_of_examples
from gdlab.training.loader import Block, is_loader, one_pass


class Stack(NamedTuple):
    """Batches of equal shapes, stacked."""

    batches: Any
    """A tree of arrays with leading axes of batches and examples."""
    count: Any
    """The number of valid batches; the leading axis may be longer."""

    @classmethod
    def of(cls, block: Block) -> "Stack":
        """The batches of a block.

        Raises:
            ValueError: if the leaves of a batch differ in their number of examples.
        """
        number_of_examples(jax.tree.map(lambda leaf: leaf[0], block.data))
        return cls(block.data, block.end - block.begin)

    @property
    def batch_size(self) -> int:
        """The number of examples in each batch."""
        return jax.tree.leaves(self.batches)[0].shape[1]

    @property
    def examples(self) -> Any:
        """The number of examples in all batches."""
        return self.count * self.batch_size


class OnePass(NamedTuple):
    """All batches of one pass over a loader, in stacks of equal shapes."""

    stacks: tuple[Stack, ...]

    @classmethod
    def of(cls, loader: Iterable[Any]) -> "OnePass":
        """Read one pass over a loader into the memory of the device.

        Raises:
            ValueError: if there are no batches, the leaves of a batch differ in their number of
                examples, or the batches do not fit into memory.
        """
        free = SHARE * free_bytes(jax.local_devices()[0])
        by_shape: dict[Any, list[Any]] = {}
        held = 0
        for block in one_pass(loader):
            batches, count = Stack.of(block)
            batches = jax.tree.map(lambda leaf: leaf[:count], batches)  # noqa: B023
            shapes = [(leaf.shape[1:], leaf.dtype) for leaf in jax.tree.leaves(batches)]
            by_shape.setdefault(str(shapes), []).append(batches)
            held += sum(leaf.nbytes for leaf in jax.tree.leaves(batches))
            if held > free:
                raise ValueError(
                    f"the first {block.end} batches of data are {held:.2g} bytes, more than there "
                    "is memory for, but the Hessian of a loss reads all of them many times: give a "
                    "loader with fewer examples, and one that ends"
                )
        return cls(tuple(map(_together, by_shape.values())))

    def mean(self, fun: Callable[[Any], Any]) -> Any:
        """The mean over all examples of a function that returns the mean over a batch."""
        examples = sum(stack.examples for stack in self.stacks)
        shares = [_share(fun, stack, examples) for stack in self.stacks]
        return jax.tree.map(lambda *parts: sum(parts), *shares)


def in_memory(data: Any) -> Any:
    """The data as an argument of programs: arrays unchanged, a loader as :class:`OnePass`."""
    return OnePass.of(data) if is_loader(data) else data


def _together(parts: list[Any]) -> Stack:
    batches = jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
    return Stack(jax.device_put(batches), len(jax.tree.leaves(batches)[0]))


def _share(fun: Callable[[Any], Any], stack: Stack, examples: Any) -> Any:
    """The contribution of a stack to the mean over all examples."""

    def of_batch(index: Any) -> Any:
        mean = fun(jax.tree.map(lambda leaf: jnp.asarray(leaf)[index], stack.batches))
        return jax.tree.map(
            lambda leaf: leaf * jnp.asarray(stack.batch_size / examples, leaf.dtype), mean
        )

    def add(index: Any, total: Any) -> Any:
        return jax.tree.map(jnp.add, total, of_batch(index))

    nothing = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(of_batch, 0)
    )
    return jax.lax.fori_loop(0, stack.count, add, nothing)
