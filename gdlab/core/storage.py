"""Reading and writing of the slots of a state in their storage forms.

A slot is stored as an array in its own dtype, or as a small pytree of a known class, such as 8-bit
codes with their scales. The authors of rules never see these forms: their closures receive arrays
in at least float32, and the arrays that they return are stored in the form of the old slot. So the
form of a slot after ``init`` is its form for ever.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from gdlab.core.forms import is_stored_form, read_forms
from gdlab.core.numerics import cast, is_array, widen
from gdlab.core.placement import placed_like
from gdlab.core.stacks import stacked_like, unstacked
from gdlab.core.structure import Leaf, Signal, Tree, TreeDef

Slots: TypeAlias = tuple[Tree, ...]
"""The values of all slots of a rule for one array."""


def read(stored: Tree, until: Callable[[Any], bool] = is_stored_form) -> Tree:
    """A part of a state as arrays in at least float32.

    Args:
        stored: the part of the state in its storage forms.
        until: a function that returns True for nodes to leave unchanged.
    """
    one = lambda node: widen(node) if is_array(node) else node  # noqa: E731
    return jax.tree.map(one, read_forms(stored, until), is_leaf=until)


def read_slots(slots: Sequence[Tree]) -> tuple[Tree, ...]:
    """The slots of a rule for one array, as arrays in at least float32."""
    arrays = []
    for slot in slots:
        is_wide = isinstance(slot, jax.Array) and slot.dtype.itemsize >= 4
        arrays.append(slot if is_wide else read(slot))
    return tuple(arrays)


def written(new: Tree, old: Tree) -> Tree:
    """New arrays in the storage forms of the old ones.

    Raises:
        ValueError: if they differ in structure or in shapes.
    """
    pairs, structure = _pairs(new, old)
    return structure.unflatten([_written_one(*pair) for pair in pairs])


def in_form_of(state: Tree, like: Tree) -> Tree:
    """A plain state, converted to the storage forms and stacks of another one.

    Raises:
        ValueError: if they differ in structure or in shapes.
    """
    return stacked_like(written(state, unstacked(like)), like)


def kept(signal: Signal, new: tuple[Tree, ...], old: Sequence[Tree]) -> tuple[Signal, Slots]:
    """The signal and the slots of a rule for one array, stored.

    If the signal is also a slot, the result is the signal read back from storage: otherwise the
    array would stay in memory in both precisions until the end of the step.

    Args:
        signal: the output of the rule.
        new: the new slots as arrays.
        old: the old slots in their storage forms.

    Raises:
        ValueError: if the new slots differ from the old ones in structure or in shapes.
    """
    stored: list[Any] = []
    for slot, before in zip(new, old, strict=True):
        is_plain = isinstance(before, jax.Array)
        after: Any = _in_dtype(slot, before) if is_plain else written(slot, before)
        if slot is signal and (after.dtype != slot.dtype if is_plain else _is_passed_on(after)):
            # Without a barrier XLA would drop the two conversions, and keep the array twice.
            after = jax.lax.optimization_barrier(after)
            signal = cast(read(after), slot.dtype)
        stored.append(after)
    return signal, tuple(stored)


def _is_passed_on(stored: Any) -> bool:
    return is_stored_form(stored) and stored.is_passed_on


def _pairs(new: Tree, old: Tree) -> tuple[list[tuple[Any, Any]], TreeDef]:
    olds, structure = jax.tree.flatten(old, is_leaf=is_stored_form)
    news, own = jax.tree.flatten(new, is_leaf=is_stored_form)
    if own != structure:
        raise ValueError(f"the structure of what is kept changed from {structure} to {own}")
    return list(zip(news, olds, strict=True)), structure


def _written_one(array: Leaf, before: Any) -> Any:
    """An array in the storage form of the old one; unchanged if it already has that form."""
    if not is_stored_form(before):
        return _in_dtype(array, before) if is_array(before) else array
    if is_stored_form(array):
        return array
    if jnp.shape(array) != before.shape:
        raise _reshaped(array, before)
    return before.write(jnp.asarray(array))


def _in_dtype(array: Leaf, before: jax.Array) -> jax.Array:
    if jnp.shape(array) != before.shape:
        raise _reshaped(array, before)
    return placed_like(cast(array, before.dtype), before)


def _reshaped(array: Leaf, before: Any) -> ValueError:
    return ValueError(
        f"what is kept had the shape {before.shape}, and is now of {jnp.shape(array)}"
    )
