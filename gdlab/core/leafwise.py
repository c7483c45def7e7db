"""Leaf rules, lifted to trees.

The rule of a whole run of links is wrapped once in ``jax.jit`` and called for each leaf, so that
it is traced once for each shape and dtype and not once for each leaf.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gdlab.core.dispatch import in_batches
from gdlab.core.hyperparameter import PerLeaf
from gdlab.core.mask import Mask
from gdlab.core.numerics import (
    cast,
    compute_dtype,
    is_array,
    narrow,
    numbers_as,
    real_dtype,
    strong,
    widen,
)
from gdlab.core.rules import LeafRule, leaf_rule_of, missing_params
from gdlab.core.structure import check_shapes, dotted, flatten, flatten_like, spread, stands_for_one


def init_leaves(tx: Any, params: Any) -> Any:
    """The state of a leafwise ``tx`` for ``params``."""
    leaves, treedef = flatten(params)
    own = _for_each_leaf(tx, params, len(leaves))
    columns = []
    for leaf, (numbers, definition) in zip(leaves, own, strict=True):
        slots = None
        if is_array(leaf):
            rule = leaf_rule_of(definition.unflatten(numbers))
            slots = jax.tree.leaves(strong(rule.init(cast(leaf, compute_dtype(leaf)))))
        columns.append(slots)
    structure = _slot_structure(tx)
    slots = _laid_out(columns, structure, treedef)
    rule = leaf_rule_of(tx)
    return rule.pack(slots, rule.start(_widest_dtype(leaves)))


def update_leaves(tx: Any, updates: Any, state: Any, params: Any) -> tuple[Any, Any]:
    """One step of a leafwise ``tx`` on a tree."""
    rule = leaf_rule_of(tx)
    leaves, treedef = flatten(updates)
    param_leaves = _param_leaves(rule, params, updates, leaves, treedef)
    slots, shared = rule.unpack(state)
    shared, context = _advance(tx, shared, _widest_dtype(leaves))
    own = _for_each_leaf((tx, context), updates if params is None else params, len(leaves))
    structure = _slot_structure(tx)
    slot_columns = [
        flatten_like("the slots of the state", tree, "updates", treedef)
        for tree in structure.flatten_up_to(slots)
    ]
    columns = [[column[index] for column in slot_columns] for index in range(len(leaves))]
    for flat, members in _sharing_one_rule(own, leaves):
        for index in members:
            if any(slot is None for slot in columns[index]):
                raise ValueError(_missing_slot(updates, index))
        items = [(leaves[index], columns[index], param_leaves[index]) for index in members]
        for index, (leaf, slots) in zip(members, _updated(flat, structure, items), strict=True):
            leaves[index], columns[index] = leaf, slots
    return treedef.unflatten(leaves), rule.pack(_laid_out(columns, structure, treedef), shared)


def _sharing_one_rule(own: list[Any], leaves: list[Any]) -> list[tuple[Any, list[int]]]:
    """Each rule with the positions of its arrays; mostly there is one rule for all of them."""
    members: dict[int, tuple[Any, list[int]]] = {}
    for index, (flat, leaf) in enumerate(zip(own, leaves, strict=True)):
        if is_array(leaf):
            members.setdefault(id(flat), (flat, []))[1].append(index)
    return list(members.values())


def _updated(flat: Any, structure: Any, items: list[Any]) -> list[tuple[Any, list[Any]]]:
    """What one rule makes of its arrays, each given as ``(leaf, slots, param)``."""
    numbers, definition = flat
    # Within a trace Python floats are constants of the program, and better known to the rule than
    # handed to it leaf by leaf; outside they are arguments, or each value would be compiled for.
    tracing = any(isinstance(leaf, Tracer) for leaf, _, _ in items)
    constants = tuple(
        number if tracing and isinstance(number, float) else None for number in numbers
    )
    arguments = [
        number if isinstance(number, jax.Array) else jnp.asarray(number)
        for number, constant in zip(numbers, constants, strict=True)
        if constant is None
    ]
    update = _leaf_update(definition, structure, constants)
    return in_batches(functools.partial(update, arguments), items)


@functools.lru_cache(maxsize=1024)
def _leaf_update(definition: Any, structure: Any, constants: Any) -> Callable[..., Any]:
    """The compiled rule of the links that ``definition`` describes, for several arrays at once."""

    @jax.jit
    def one(arguments, leaf, slots, param):
        given = iter(arguments)
        numbers = [next(given) if number is None else number for number in constants]
        dtype = compute_dtype(leaf)
        tx, context = numbers_as(definition.unflatten(numbers), real_dtype(dtype))
        new, new_slots = leaf_rule_of(tx).update(
            cast(leaf, dtype), structure.unflatten(map(widen, slots)), widen(param), context
        )
        if new.shape != leaf.shape:
            raise ValueError(f"{tx!r} made an update of shape {new.shape} out of {leaf.shape}")
        new_slots = [
            cast(after, before.dtype)
            for after, before in zip(structure.flatten_up_to(new_slots), slots, strict=True)
        ]
        return narrow(new, leaf), new_slots

    return jax.jit(lambda arguments, items: [one(arguments, *item) for item in items])


def _advance(tx: Any, shared: Any, dtype: Any) -> tuple[Any, Any]:
    numbers, definition = jax.tree.flatten(tx)
    return _compiled_advance(definition, dtype)(numbers, shared)


@functools.lru_cache(maxsize=1024)
def _compiled_advance(definition: Any, dtype: Any) -> Callable[..., Any]:
    def advance(numbers, shared):
        tx = numbers_as(definition.unflatten(numbers), dtype)
        try:
            new, context = leaf_rule_of(tx).advance(shared)
        except TypeError as error:
            if any(
                isinstance(node, PerLeaf) for node in jax.tree.leaves(tx, is_leaf=_differs_by_leaf)
            ):
                error.add_note(
                    f"{tx!r}: what all leaves share, such as the weight of debias, needs one value "
                    "where a tree of them was given"
                )
            raise
        return jax.tree.map(lambda new, old: cast(new, old.dtype), new, shared), context

    return jax.jit(advance)


def _slot_structure(tx: Any) -> Any:
    """The tree that the slots of one array make."""
    numbers, definition = jax.tree.flatten(_sample(tx))
    return _slots_made_by(definition, tuple(map(jnp.shape, numbers)))


@functools.lru_cache(maxsize=4096)
def _slots_made_by(definition: Any, shapes: Any) -> Any:
    numbers = [jax.ShapeDtypeStruct(shape, np.float32, weak_type=True) for shape in shapes]
    scalar = jax.ShapeDtypeStruct((), np.float32)
    init = lambda numbers, leaf: leaf_rule_of(definition.unflatten(numbers)).init(leaf)  # noqa: E731
    return jax.tree.structure(jax.eval_shape(init, numbers, scalar))


def _for_each_leaf(tree: Any, params: Any, count: int) -> list[tuple[list[Any], Any]]:
    """``tree``, flattened, as it is for each leaf of ``params``.

    Values given leaf by leaf and masks are replaced by what they are at that leaf.
    """
    nodes, treedef = jax.tree.flatten(tree, is_leaf=_differs_by_leaf)
    columns = [
        value.spread(params)
        if isinstance(value, Mask)
        else spread("a hyperparameter given leaf by leaf", value.tree, params)
        for value in nodes
        if _differs_by_leaf(value)
    ]
    if not columns:
        return [(nodes, treedef)] * count
    # Leaves with the same values share one object, by which they are later told to share a rule.
    known: dict[Any, tuple[list[Any], Any]] = {}
    every = []
    for at_leaf in zip(*columns, strict=True):
        key = tuple(value if isinstance(value, float) else id(value) for value in at_leaf)
        if key not in known:
            values = iter(at_leaf)
            filled = [
                (Mask(next(values)) if isinstance(node, Mask) else next(values))
                if _differs_by_leaf(node)
                else node
                for node in nodes
            ]
            known[key] = jax.tree.flatten(treedef.unflatten(filled))
        every.append(known[key])
    return every


def _sample(tree: Any) -> Any:
    """``tree`` as it might be for some leaf: structure is the same at all of them."""

    def at_some_leaf(node: Any) -> Any:
        if isinstance(node, Mask):
            return Mask(True)
        if isinstance(node, PerLeaf):
            return jax.tree.leaves(node.tree, is_leaf=stands_for_one)[0]
        return node

    return jax.tree.map(at_some_leaf, tree, is_leaf=_differs_by_leaf)


def _differs_by_leaf(node: Any) -> bool:
    return isinstance(node, PerLeaf | Mask)


def _laid_out(columns: list[Any], structure: Any, treedef: Any) -> Any:
    """Slots of each leaf → a tree shaped like the parameters for each slot."""
    trees = [
        treedef.unflatten([column and column[slot] for column in columns])
        for slot in range(structure.num_leaves)
    ]
    return structure.unflatten(trees)


def _param_leaves(
    rule: LeafRule, params: Any, updates: Any, leaves: list[Any], treedef: Any
) -> list[Any]:
    if params is not None:
        param_leaves = flatten_like("params", params, "updates", treedef)
        check_shapes("updates", updates, leaves, "params", param_leaves)
        # A rule that does not read them is not handed them: fewer arrays to pass.
        return param_leaves if rule.needs_params else [None] * len(leaves)
    if rule.needs_params:
        raise ValueError(missing_params(rule.needs_params))
    return [None] * treedef.num_leaves


def _widest_dtype(leaves: list[Any]) -> Any:
    dtypes = {getattr(leaf, "dtype", np.dtype(np.float32)) for leaf in leaves if is_array(leaf)}
    wide = [real_dtype(compute_dtype(np.zeros((), dtype))) for dtype in dtypes]
    return max(wide, key=lambda dtype: dtype.itemsize, default=np.dtype(np.float32))


def _missing_slot(updates: Any, index: int) -> str:
    pairs, _ = jax.tree_util.tree_flatten_with_path(updates, is_leaf=lambda node: node is None)
    return (
        f"updates have an array at {dotted(pairs[index][0])!r}, where the parameters that the "
        "state was made for had none"
    )
