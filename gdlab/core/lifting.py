"""Lifting of rules for one array to rules for trees.

The rule of a run of fused links is wrapped once in ``jax.jit`` and called for each leaf. Within a
trace it is therefore traced once for each shape and dtype, not once for each leaf.
"""

import contextlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gdlab.checks.located import located
from gdlab.checks.values import require_key, require_real_scalar
from gdlab.core.batches import for_each, in_batches
from gdlab.core.by_leaf import ByLeaf, NumberByLeaf, same_value, shared_by
from gdlab.core.forms import marked_as_shared
from gdlab.core.kernels import joins_kernels, with_results_apart
from gdlab.core.numerics import cast, dtype_like, is_array, squarable, widen
from gdlab.core.ranges import require_numbers_fit
from gdlab.core.representation import described
from gdlab.core.rules import ArrayRule, Reading, Reasons, TreeRule, require
from gdlab.core.slots_by_leaf import is_recording_slots, recorded_slots
from gdlab.core.stacks import StackedArrays, Stacks, over_stack, stack_of
from gdlab.core.structure import (
    Context,
    Extra,
    Function,
    Leaf,
    Params,
    Tree,
    TreeDef,
    Updates,
    Value,
    check_shapes,
    dotted,
    flatten,
    flatten_like,
    flatten_up_to,
    leaves_with_paths,
    path_of,
)

Arrays = tuple[Leaf, list[Tree], Leaf, Leaf, Leaf]
"""An update, the slots, the parameter, the gradient and the key of one array."""


class Compiled(NamedTuple):
    """The compiled functions of a run of links, for arrays that are not traced."""

    advance: Callable[[tuple[Tree, ...]], tuple[tuple[Tree, ...], Context]]
    update: Callable[[Context, Leaf, list[Arrays]], list[tuple[Leaf, tuple[Tree, ...]]]]
    update_stack: Callable[[Context, Leaf, StackedArrays], tuple[list[Leaf], Sequence[Tree]]]


def lifted(rule: ArrayRule, tx: object, dtype: np.dtype, compiled: Compiled) -> TreeRule:
    """The rule for trees that applies ``rule`` to each array.

    Args:
        rule: a rule for one array.
        tx: the transformation, for messages.
        dtype: the real dtype in which the tree is computed.
        compiled: the compiled functions of the same rule, for concrete arrays.

    Raises:
        ValueError: if the input or the output of the rule is a bus of several signals.
    """
    if rule.takes_bus or rule.gives_bus:
        raise ValueError(
            f"{described(tx)}: a bus cannot leave the rules for one array; join its signals with "
            "on_wires before, in the same chain"
        )
    return TreeRule(
        names=(*rule.slots, *rule.shared),
        init=lambda params: _init_leaves(rule, tx, dtype, params),
        update=lambda updates, values, params, extra: _update_leaves(
            rule, tx, dtype, compiled, updates, values, params, extra
        ),
        reads=_reads_of_tree(rule.reads),
        goes_by_array=not rule.by_leaf,
    )


def _reads_of_tree(reads: Reasons) -> Reasons:
    return {"params" if name == "param" else name: reason for name, reason in reads.items()}


def _init_leaves(rule: ArrayRule, tx: object, dtype: np.dtype, params: Params) -> tuple[Tree, ...]:
    leaves, treedef = flatten(params)
    columns: list[list[Tree]] = [[] for _ in rule.slots]
    known = _at_leaves(tx, rule.by_leaf, dtype, params, leaves) if rule.slots else []
    if rule.slots:
        for leaf, by_leaf in zip(leaves, known, strict=True):
            slots: Sequence[Tree] = [None] * len(columns)
            if is_array(leaf):
                array = cast(leaf, dtype_like(leaf, dtype))
                slots = rule.init(array, Reading(param=array, by_leaf=by_leaf))
                if any(slot is None for slot in slots):
                    raise TypeError(
                        f"{described(tx)}: init made None for a slot; where there is nothing, ()"
                    )
            for column, slot in zip(columns, slots, strict=True):
                column.append(slot)
    trees = [treedef.unflatten(column) for column in columns]
    if rule.slots and is_recording_slots():
        trees = recorded_slots(trees, params, _kinds(rule, leaves, known))
    return (*trees, *marked_as_shared(rule.start(dtype)))


def _kinds(
    rule: ArrayRule, leaves: list[Leaf], known: list[Mapping[int, Leaf]]
) -> list[Hashable | None]:
    """The properties in which stacked leaves must agree, for each leaf; None without an array."""
    structures = [id(value) for value in rule.by_leaf if not isinstance(value, NumberByLeaf)]
    return [
        (
            jnp.shape(leaf),
            jnp.result_type(leaf).name,
            *(same_value(values[one]) for one in structures),
        )
        if is_array(leaf)
        else None
        for leaf, values in zip(leaves, known, strict=True)
    ]


def _update_leaves(
    rule: ArrayRule,
    tx: object,
    dtype: np.dtype,
    compiled: Compiled,
    updates: Updates,
    values: tuple[Tree, ...],
    params: Params,
    extra: Extra,
) -> tuple[Updates, tuple[Tree, ...]]:
    leaves, treedef = flatten(updates)
    slots, shared = values[: len(rule.slots)], values[len(rule.slots) :]
    are_stacked = bool(slots) and isinstance(slots[0], Stacks)
    items = _items(rule, updates, leaves, treedef, () if are_stacked else slots, params, extra)
    moving = [index for index, leaf in enumerate(leaves) if is_array(leaf)]
    _check_presence(updates, items, moving)
    eager = bool(moving) and not isinstance(leaves[moving[0]], Tracer) and not _is_disabled()
    eager = eager and not rule.by_leaf
    shared, context = (compiled.advance if eager else rule.advance)(shared)
    value = extra["value"] if "value" in rule.reads else None
    rows = [row for _, row, *_ in items]
    known = _at_leaves(tx, rule.by_leaf, dtype, updates if params is None else params, leaves)
    if are_stacked:
        step = _Step(rule, tx, dtype, compiled if eager else None, context, value, known)
        trees = _step_stacks(step, updates, leaves, items, slots)
        return treedef.unflatten(leaves), (*trees, *shared)
    for by_leaf, members in _alike(rule.by_leaf, known, moving):
        if eager:
            run = lambda batch: compiled.update(context, value, batch)  # noqa: E731
        else:
            run = for_each(jax.jit(array_update(rule, tx, dtype, context, value, by_leaf)))
        try:
            results = in_batches(run, [items[index] for index in members])
        except _UnfitState as error:
            raise _unfit(tx, updates, leaves, members, error) from error.__cause__
        for index, (leaf, row) in zip(members, results, strict=True):
            leaves[index], rows[index] = leaf, row
    trees = [
        treedef.unflatten([row[slot] for row in rows]) if moving else values[slot]
        for slot in range(len(rule.slots))
    ]
    return treedef.unflatten(leaves), (*trees, *shared)


class _Step(NamedTuple):
    """The inputs of a rule for one array that do not depend on the leaf."""

    rule: ArrayRule
    tx: object
    dtype: np.dtype
    compiled: Compiled | None
    """The compiled functions; None within a trace."""
    context: Context
    value: Leaf
    known: list[Mapping[int, Leaf]]
    """The values by leaf at each leaf."""

    def at(self, by_leaf: Mapping[int, Leaf]) -> Function:
        """The update of one array with these values by leaf."""
        return array_update(self.rule, self.tx, self.dtype, self.context, self.value, by_leaf)


def _step_stacks(
    step: _Step,
    updates: Updates,
    leaves: list[Leaf],
    items: list[Arrays],
    slots: tuple[Stacks, ...],
) -> list[Stacks]:
    """Take a step with stacked slots: change ``leaves`` in place and return the new slots."""
    layout = slots[0].layout
    layout.require_fits(updates, leaves)
    run = _of_stacks(step)
    after: list[Sequence[Tree]] = []
    for position, members in enumerate(layout.members):
        own, _, *read = map(list, zip(*(items[index] for index in members), strict=True))
        arrays = StackedArrays(own, [slot.stacks[position] for slot in slots], *read)
        try:
            new, kept = run(arrays, [step.known[index] for index in members])
        except _UnfitState as error:
            raise _unfit(step.tx, updates, leaves, members, error) from error.__cause__
        after.append(kept)
        for index, leaf in zip(members, new, strict=True):
            leaves[index] = leaf
    return [Stacks(layout, [kept[slot] for kept in after]) for slot in range(len(slots))]


def _of_stacks(step: _Step) -> Function:
    """Return ``run(arrays, known)``, the step of one stack; stacks of one kind share a trace."""
    if step.compiled is not None:
        update = step.compiled.update_stack
        return lambda arrays, _: update(step.context, step.value, arrays)
    functions: dict[Hashable, Function] = {}

    def run(arrays: StackedArrays, known: list[Mapping[int, Leaf]]) -> Value:
        structure, columns = shared_by(step.rule.by_leaf, known)
        numbers = {
            name: stack_of([_as_array(number, step.dtype) for number in column])
            for name, column in columns.items()
        }
        key = tuple((name, same_value(value)) for name, value in structure.items())
        if key not in functions:
            functions[key] = jax.jit(over_stack(step.at, structure))
        return functions[key](arrays, numbers)

    return run


def _as_array(number: Leaf, dtype: np.dtype) -> jax.Array:
    """A number as an array; a floating-point number gets ``dtype``."""
    return jnp.asarray(number, dtype if isinstance(number, float) else None)


def _items(
    rule: ArrayRule,
    updates: Updates,
    leaves: list[Leaf],
    treedef: TreeDef,
    slots: tuple[Tree, ...],
    params: Params,
    extra: Extra,
) -> list[Arrays]:
    """The arguments of the rule at each leaf.

    Raises:
        ValueError: if an input that the rule reads is missing, or two trees do not agree.
    """
    require(rule.reads, "param", params)
    for read in ("grad", "value", "key"):
        require(rule.reads, read, extra.get(read))
    if "key" in rule.reads:
        require_key("key", extra["key"])
    if "value" in rule.reads:
        require_real_scalar("value", extra["value"])
    nothing = [None] * len(leaves)
    own_params: Sequence[Leaf] = nothing
    if params is not None:
        own_params = flatten_like("params", params, "updates", updates, treedef)
        check_shapes("updates", updates, leaves, "params", own_params)
    if "param" not in rule.reads:
        own_params = nothing  # fewer arguments of the compiled function
    own_grads: Sequence[Leaf] = nothing
    if "grad" in rule.reads:
        own_grads = flatten_like("grad", extra["grad"], "updates", updates, treedef)
        check_shapes("grad", extra["grad"], own_grads, "updates", leaves)
    # One key for each array, so that no two arrays get the same random numbers.
    keys = list(jax.random.split(extra["key"], len(leaves))) if "key" in rule.reads else nothing
    columns = [
        flatten_up_to("the state's slots", slot, "updates", updates, treedef) for slot in slots
    ]
    rows = [[column[index] for column in columns] for index in range(len(leaves))]
    return list(zip(leaves, rows, own_params, own_grads, keys, strict=True))


def _check_presence(updates: Updates, items: list[Arrays], moving: list[int]) -> None:
    """Refuse an update at a position for which the state has no slots."""
    for index in moving:
        if any(slot is None for slot in items[index][1]):
            raise ValueError(
                f"updates have an array at {path_of(updates, index)}, where the parameters that "
                "the state was made for had none"
            )


def array_update(
    rule: ArrayRule,
    tx: object,
    dtype: np.dtype,
    context: Context,
    value: Leaf,
    by_leaf: Mapping[int, Leaf],
) -> Callable[..., tuple[Leaf, list[Tree]]]:
    """Return ``one(leaf, slots, param, grad, key)``, the update of one array by ``rule``."""
    update = _with_squarable_input(rule.update) if rule.squares else rule.update
    update = with_results_apart(update) if rule.slots and joins_kernels() else update

    def one(leaf, slots, param, grad, key):
        reading = Reading(widen(param), widen(grad), value, key, by_leaf)
        array = cast(leaf, dtype_like(leaf, dtype))
        try:
            new, after = update(array, tuple(slots), context, reading)
        except (TypeError, ValueError) as error:
            _check_state(rule, array, slots, reading)
            if "broadcasting" in str(error):
                raise _unfit_numbers(tx, array) from error
            raise
        if not hasattr(new, "shape"):
            raise TypeError(f"{described(tx)}: update must return an array, not {new!r}")
        if new.shape != leaf.shape:
            if new.shape in _broadcast_shapes(tx, array):
                raise _unfit_numbers(tx, array)
            raise ValueError(
                f"{described(tx)} made an update of shape {new.shape} out of {leaf.shape}"
            )
        return new, list(after)

    return one


def _unfit_numbers(tx: object, array: Leaf) -> ValueError:
    shapes = _shapes_of_numbers(tx) or "a schedule returns something else"
    return ValueError(
        f"{described(tx)}: its hyperparameters must be numbers, or fit each array, but {shapes} "
        f"and the array {array.shape}"
    )


def _shapes_of_numbers(tx: object) -> str:
    """The hyperparameters of a transformation that are arrays with axes, and their shapes."""
    return ", ".join(
        f"{name} has the shape {number.shape}" for name, number in _arrays_with_axes(tx)
    )


def _broadcast_shapes(tx: object, array: Leaf) -> set[tuple[int, ...]]:
    """The shapes to which array hyperparameters of a transformation broadcast an array."""
    shapes = set()
    for _, number in _arrays_with_axes(tx):
        with contextlib.suppress(ValueError):
            shapes.add(jnp.broadcast_shapes(number.shape, array.shape))
    return shapes - {array.shape}


def _arrays_with_axes(tx: object) -> list[tuple[str, Leaf]]:
    """The hyperparameters of a transformation that are arrays with axes, by name."""
    named = zip(tx.factory.keys, tx.children, strict=True)  # type: ignore[attr-defined]
    return [(name, number) for name, number in named if is_array(number) and jnp.ndim(number)]


def _with_squarable_input(update: Function) -> Function:
    """The ``update`` of a rule, with its input clipped to elements whose squares are finite."""
    return lambda u, *args: update(squarable(u), *args)


class _UnfitState(Exception):
    """Slots that were made for an array of another shape."""

    def __init__(self, slot: str, found: Tree, wanted: Tree, shape: tuple[int, ...]):
        shapes = lambda tree: jax.tree.map(lambda leaf: leaf.shape, tree, is_leaf=_has_shape)  # noqa: E731
        super().__init__(
            f"its slot {slot!r} holds {shapes(found)}, where it needs {shapes(wanted)}"
        )
        self.shape = shape


def _unfit(
    tx: object, updates: Updates, leaves: list[Leaf], members: Sequence[int], error: _UnfitState
) -> ValueError:
    """The error that names the first of these leaves whose slots do not fit."""
    first = next(index for index in members if leaves[index].shape == error.shape)
    return ValueError(
        f"{described(tx)}: the state does not fit the updates at {path_of(updates, first)}: "
        f"{error}; make the state by init for these parameters"
    )


def _check_state(rule: ArrayRule, array: Leaf, slots: list[Tree], reading: Reading) -> None:
    """Raise an error about the state if its slots do not fit the array, so that the rule failed."""
    expected = jax.eval_shape(lambda like: rule.init(like, reading._replace(param=like)), array)
    for slot, wanted, found in zip(rule.slots, expected, slots, strict=True):
        if _shapes(wanted) != _shapes(found):
            raise _UnfitState(slot, found, wanted, array.shape)


def _has_shape(node: Tree) -> bool:
    return hasattr(node, "shape")


def _shapes(slot: Tree) -> tuple[list[tuple[int, ...]], TreeDef]:
    """The shapes of the arrays in a slot, in any stored form, and its structure."""
    leaves, structure = jax.tree.flatten(slot, is_leaf=_has_shape)
    return [leaf.shape for leaf in leaves], structure


def _at_leaves(
    tx: object, values: tuple[ByLeaf, ...], dtype: np.dtype, params: Params, leaves: list[Leaf]
) -> list[Mapping[int, Leaf]]:
    """The values by leaf at each leaf, by the identity of the object that holds them."""
    if not values or not leaves:
        return [{}] * len(leaves)
    columns = []
    for value in values:
        try:
            column = value.at_leaves(params)
            if value.is_function:  # other numbers are leaves of the optimizer, already checked
                paths = [path for path, _ in leaves_with_paths(params)]
                require_numbers_fit(value.name, dict(zip(paths, column, strict=True)), dtype)
        except (TypeError, ValueError) as error:
            where = _argument_of(tx, value) if isinstance(value, NumberByLeaf) else described(tx)
            raise located(error, where) from None
        columns.append(column)
    ids = [id(value) for value in values]
    return [dict(zip(ids, row, strict=True)) for row in zip(*columns, strict=True)]


def _argument_of(tx: object, value: NumberByLeaf) -> str:
    """A transformation and the name of its argument ``value``, for messages."""
    is_one = lambda node: isinstance(node, ByLeaf)  # noqa: E731
    pairs, _ = jax.tree_util.tree_flatten_with_path(tx, is_leaf=is_one)
    path = next((dotted(path) for path, node in pairs if node is value), "")
    return f"{described(tx)}: {path}" if path else described(tx)


def _alike(
    values: tuple[ByLeaf, ...], known: list[Mapping[int, Leaf]], moving: list[int]
) -> list[tuple[Mapping[int, Leaf], list[int]]]:
    """Group the positions of arrays by their values by leaf; mostly all arrays are one group."""
    if not values:
        return [({}, moving)] if moving else []
    groups: dict[Hashable, tuple[Mapping[int, Leaf], list[int]]] = {}
    for index in moving:
        key = tuple(same_value(known[index][id(value)]) for value in values)
        groups.setdefault(key, (known[index], []))[1].append(index)
    return list(groups.values())


def _is_disabled() -> bool:
    return jax.config.jax_disable_jit  # type: ignore[attr-defined]
