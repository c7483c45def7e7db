"""Epoch sampling: shuffle, partition into minibatches, see every example once an epoch."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gdlab.checks.checked import checked, checked_class
from gdlab.checks.kinds import Count, Key, Size
from gdlab.checks.values import require_key, require_step

if TYPE_CHECKING:
    import chex

Result = TypeVar("Result")


@checked_class
@dataclasses.dataclass(frozen=True)
class EpochSampler:
    """The examples of the minibatch of each step, sampled without replacement.

    Step t is batch j of epoch e, where (e, j) = divmod(t, batches_per_epoch). Every epoch has its
    own random order, which its batches partition::

        πₑ = permutation(fold_in(key, e))
        batch t = data[πₑ[jB : (j+1)B]],    B = batch_size

    So a batch depends on the key and the step alone, and a run may stop and resume anywhere.
    Permuting costs a sort, so a loop carries the order and permutes again only where an epoch
    starts::

        def body(carry, step):
            params, order = carry
            order = sampler.reshuffle(order, key, step)
            params = sampler.on_batch(lambda batch: train(params, batch), data, order, step)
            return (params, order), None


        carry = params, sampler.order(key, start)
        (params, _), _ = lax.scan(body, carry, start + jnp.arange(steps))

    The step is an argument and not part of the carry, because it must stay a single number under
    ``jax.vmap`` over keys and orders. Only then do the branches below stay branches; with a batched
    predicate every step would sort, and train on both sizes of batch.

    If one batch holds all the data, they are left in their given order, and training is plain
    gradient descent.

    Args:
        size: the number of examples.
        batch_size: the number of examples in a batch.
        drop_last: whether to leave out the last batch of an epoch if it would be short. The
            examples that are left out differ from epoch to epoch.

    Raises:
        TypeError: if a size is not an integer.
        ValueError: if a size is not positive, or a batch is larger than the data.

    >>> from gdlab.training import EpochSampler
    >>> sampler = EpochSampler(size=60_000, batch_size=128)
    >>> sampler.batches_per_epoch, sampler.last_batch_size
    (469, 96)

    Source: L. Bottou, Curiously Fast Convergence of some Stochastic Gradient Descent Algorithms,
    2009 (the "shuffle" scheme).
    """

    size: Count
    batch_size: Count
    drop_last: bool = False

    def __post_init__(self) -> None:
        if self.batch_size > self.size:
            raise ValueError(
                f"batch_size is {self.batch_size}, but there are only {self.size} examples: "
                f"{self.size} takes them all at once."
            )

    @classmethod
    def for_data(
        cls, data: "chex.ArrayTree", batch_size: int | None = None, drop_last: bool = False
    ) -> "EpochSampler":
        """The sampler of a tree of arrays whose leading axis counts the examples.

        Args:
            data: a tree of arrays with a common leading axis; ``None`` leaves are ignored.
            batch_size: examples in a batch; ``None`` for all of them.
            drop_last: leave out a short last batch.

        Raises:
            ValueError: if a leaf has no leading axis or one of another length (naming its path), or
                there is no leaf at all.

        >>> import numpy as np
        >>> from gdlab.training import EpochSampler
        >>> EpochSampler.for_data({"x": np.zeros((10, 3)), "y": np.zeros(10)}, batch_size=4)
        EpochSampler(size=10, batch_size=4, drop_last=False)
        """
        size = number_of_examples(data)
        return cls(size, size if batch_size is None else batch_size, drop_last)

    @property
    def batches_per_epoch(self) -> int:
        """The number of batches, hence of updates, in one epoch."""
        return self.size // self.batch_size + (self._remainder > 0)

    @property
    def last_batch_size(self) -> int:
        """The number of examples in the last batch of an epoch."""
        return self._remainder or self.batch_size

    @property
    def _remainder(self) -> int:
        return 0 if self.drop_last else self.size % self.batch_size

    def order(self, key: jax.Array | None, step: int | jax.Array) -> jax.Array:
        """The order πₑ of the examples in the epoch that ``step`` belongs to.

        Args:
            key: the PRNG key of the whole run; ``None`` leaves the data in their given order.
            step: the number of the step, from zero.

        Returns:
            The indices of the examples, int32 of shape ``(size,)``.

        >>> import jax
        >>> from gdlab.training import EpochSampler
        >>> order = EpochSampler(size=6, batch_size=2).order(jax.random.key(0), step=0)
        >>> sorted(order.tolist())
        [0, 1, 2, 3, 4, 5]
        """
        own = jnp.arange(self.size, dtype=jnp.int32)
        if key is None or self.batch_size == self.size:
            return own
        require_key("key", key)
        require_step("step", step)
        epoch = step // self.batches_per_epoch
        return jax.random.permutation(jax.random.fold_in(key, epoch), own)

    def reshuffle(
        self, order: jax.Array, key: jax.Array | None, step: int | jax.Array
    ) -> jax.Array:
        """The same as ``order(key, step)``, but computed only where an epoch starts.

        Args:
            order: the order at the step before (or at this step).
            key: as in ``order``.
            step: as in ``order``; the same number in all lanes of a ``jax.vmap``.
        """
        if key is None or self.batch_size == self.size:
            return order
        starts = step % self.batches_per_epoch == 0
        return lax.cond(starts, lambda: self.order(key, step), lambda: order)

    def on_batch(
        self,
        fun: Callable[[Any], Result],
        data: "chex.ArrayTree",
        order: jax.Array,
        step: int | jax.Array,
    ) -> Result:
        """Return ``fun(batch)`` for the batch of ``step``.

        A short last batch has its true shape, without padding, so that means over its examples are
        right. ``fun`` is then traced twice, once for each shape, and the shapes of its return
        values must not depend on the number of examples in the batch.

        Args:
            fun: a function of a tree like ``data``, with fewer examples.
            data: the tree to draw from, ``size`` examples along each leading axis.
            order: the order at the step, as :meth:`order` returns it.
            step: the number of the step, from zero; the same in all lanes of a ``jax.vmap``.

        Raises:
            ValueError: if the data hold another number of examples, or the shapes of ``fun``'s
                return values depend on the number of examples.

        >>> import jax.numpy as jnp
        >>> from gdlab.training import EpochSampler
        >>> data = jnp.array([1.0, 2.0, 3.0, 4.0, 10.0])
        >>> sampler = EpochSampler(size=5, batch_size=2)
        >>> order = sampler.order(None, step=0)
        >>> [float(sampler.on_batch(jnp.mean, data, order, step)) for step in range(3)]
        [1.5, 3.5, 10.0]
        """
        if (size := number_of_examples(data)) != self.size:
            raise ValueError(f"data: the sampler is for {self.size} examples, but data has {size}.")
        if self.batch_size == self.size:
            return fun(data)
        if order.shape != (self.size,):
            raise ValueError(f"order must have the shape ({self.size},), not {order.shape}")
        position = step % self.batches_per_epoch
        shapes: dict[str, tuple[int, ...]] = {}

        def on(length: int) -> Result:
            indices = lax.dynamic_slice_in_dim(order, position * self.batch_size, length)
            result = fun(jax.tree.map(functools.partial(_take, indices), data))
            for path, leaf in jax.tree_util.tree_leaves_with_path(result):
                name, shape = "result" + jax.tree_util.keystr(path), jnp.shape(leaf)
                if (other := shapes.setdefault(name, shape)) != shape:
                    raise ValueError(
                        "What is computed on a batch must have one shape for full batches of "
                        f"{self.batch_size} and the short last batch of {self.last_batch_size} "
                        f"examples, but {name} has {other} and {shape}: return means or sums "
                        "over the examples, or drop the short batch with drop_last=True."
                    )
            return result

        if self.last_batch_size == self.batch_size:
            return on(self.batch_size)
        return lax.cond(
            position == self.batches_per_epoch - 1,
            lambda: on(self.last_batch_size),
            lambda: on(self.batch_size),
        )


@checked
def minibatches(
    data: "chex.ArrayTree",
    batch_size: int | None,
    key: Key | None,
    *,
    epochs: Size | None = 1,
    drop_last: bool = False,
) -> Iterator[Any]:
    """The minibatches of one epoch or of several, for a training loop written by hand.

    They are the batches that :class:`EpochSampler` draws with the same key, step for step. A jitted
    step compiles a second time for a short last batch, unless ``drop_last`` leaves it out.

    Args:
        data: a tree of arrays with a common leading axis of examples. NumPy arrays give NumPy
            batches, so that the data may be larger than the memory of a device.
        batch_size: examples in a batch; ``None`` for all of them.
        key: the PRNG key from which the order of each epoch is drawn; ``None`` leaves the data in
            their given order, as for an evaluation.
        epochs: the number of passes over the data, each in its own order; ``None`` for endless
            passes.
        drop_last: leave out a short last batch.

    Raises:
        ValueError: as in :meth:`EpochSampler.for_data`, at the call and not at the first batch.

    >>> import jax
    >>> import numpy as np
    >>> from gdlab.training import minibatches
    >>> data = {"x": np.zeros((10, 3)), "y": np.arange(10)}
    >>> [len(batch["y"]) for batch in minibatches(data, 4, jax.random.key(0))]
    [4, 4, 2]
    """
    sampler = EpochSampler.for_data(data, batch_size, drop_last)
    count = itertools.count() if epochs is None else range(epochs)
    return (batch for epoch in count for batch in _epoch(sampler, data, key, epoch))


def _epoch(
    sampler: EpochSampler, data: "chex.ArrayTree", key: jax.Array | None, epoch: int
) -> Iterator[Any]:
    per_epoch, batch_size = sampler.batches_per_epoch, sampler.batch_size
    if batch_size == sampler.size:
        yield data
        return
    order = np.asarray(sampler.order(key, epoch * per_epoch))
    for position in range(per_epoch):
        rows = order[position * batch_size : (position + 1) * batch_size]
        yield jax.tree.map(functools.partial(_rows, rows), data)


def _rows(rows: np.ndarray, leaf: jax.Array) -> jax.Array:
    return leaf[rows] if isinstance(leaf, np.ndarray) else _take(rows, leaf)


@jax.jit
def _take(indices: jax.Array, leaf: jax.Array) -> jax.Array:
    return jnp.asarray(leaf).at[indices].get(mode="promise_in_bounds")


def _is_array(leaf: Any) -> bool:
    try:
        jax.eval_shape(lambda leaf: leaf, leaf)
    except TypeError:
        return False
    return True


def number_of_examples(data: "chex.ArrayTree") -> int:
    """The common length of the leading axes of all arrays.

    Raises:
        TypeError: if a leaf is not an array.
        ValueError: if there is no array, or an array has another length or no axis.
    """
    sizes = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(data):
        name = "data" + jax.tree_util.keystr(path)
        if not _is_array(leaf):
            kind = type(leaf).__name__
            advice = f"; {name}.to_numpy() is one" if hasattr(leaf, "to_numpy") else ""
            raise TypeError(f"{name} is a {kind}, but a tree of arrays is needed here{advice}")
        shape = jnp.shape(leaf)
        if not shape:
            raise ValueError(
                f"{name} is a scalar: every leaf of the data needs a leading axis that counts the "
                "examples."
            )
        sizes[name] = shape[0]
    if not sizes:
        raise ValueError("data has no arrays: there is nothing to draw batches from.")
    if 0 in sizes.values():
        raise ValueError("data has no examples: there is nothing to draw batches from.")
    (first, size), *others = sizes.items()
    for name, other in others:
        if other != size:
            raise ValueError(
                f"The leading axes of the data count the examples and must agree, but {first} has "
                f"{size} and {name} has {other}."
            )
    return size
