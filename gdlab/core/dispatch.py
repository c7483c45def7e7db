"""Calls on concrete arrays, outside ``jit``, at compiled speed.

Notebooks call ``update`` and ``apply_updates`` bare. A small tree is handed to one cached
compilation of the whole update; a tree of many leaves to one for each run of leafwise links and
shape, whose first call is many times faster and whose later calls hardly slower.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gdlab.core.lifting import Arrays, Compiled, array_update, lifted
from gdlab.core.numerics import is_array
from gdlab.core.opening import Opening, open_rule
from gdlab.core.parametrized import Parametrized
from gdlab.core.rules import ArrayRule, Part, TreeRule
from gdlab.core.stacks import StackedArrays, over_stack
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
)

MANY_LEAVES = 32
"""The largest number of leaves compiled together; with more the first call would cost too much."""
PROGRAMS = 64
"""The number of compiled programs of one kind that are kept, each of which takes megabytes."""


def compiled_for_few(function: Function, **options: Value) -> Function:
    """``jax.jit(function)`` that forgets its programs where there are :data:`PROGRAMS` of them.

    JAX keeps thousands, for as long as the process runs. Whoever goes through trees of ever new
    structures or shapes calls few of their programs again, and those are then compiled anew.
    """
    compiled: Value = jax.jit(function, **options)

    @functools.wraps(function)
    def call(*args: Value, **kwargs: Value) -> Value:
        if compiled._cache_size() >= PROGRAMS:
            compiled.clear_cache()
        return compiled(*args, **kwargs)

    return call


def runs_in_python(leaves: list[Leaf]) -> bool:
    """Tell whether a call is traced already, or must not be compiled."""
    # One look at one leaf: a tracer that is missed is handed to `jit`, which is correct as well.
    return not leaves or isinstance(leaves[0], Tracer) or jax.config.jax_disable_jit  # type: ignore[attr-defined]


def tree_rule(tx: Parametrized, opening: Opening) -> TreeRule:
    """The rule of ``tx`` for trees."""
    links = opening.links
    rule = open_rule(tx, opening)
    return as_tree_rule(Part(tx, rule, opening.count, opening.dtype, links))


def as_tree_rule(part: Part) -> TreeRule:
    """The rule of a part for trees, which is compiled where it meets concrete arrays."""
    tx, rule, count, dtype, links = part
    if isinstance(rule, ArrayRule):

        def advance(shared):
            return _advance(numbers_on_device(tx), count, shared, dtype, links)

        def update(context, value, items):
            return _update_arrays(numbers_on_device(tx), count, context, value, items, dtype, links)

        def update_stack(context, value, arrays):
            return _update_stack(numbers_on_device(tx), count, context, value, arrays, dtype, links)

        return lifted(rule, tx, dtype, Compiled(advance, update, update_stack))
    if rule.goes_by_array:
        return rule

    def update_tree(updates, values, params, extra):
        known = {name: value for name, value in extra.items() if rule.is_reading(name)}
        if runs_in_python(jax.tree.leaves(updates)) or any(map(callable, known.values())):
            return rule.update(updates, values, params, known)
        on_device = numbers_on_device(tx)
        return _update_tree(on_device, count, updates, values, params, known, dtype, links)

    return rule._replace(update=update_tree)


def _open_array_rule(tx: Parametrized, count: Leaf, dtype: np.dtype, links: int) -> ArrayRule:
    """The rule for one array that ``tx`` is, opened anew within the trace of a compilation."""
    rule = open_rule(tx, Opening(count, dtype, links))
    assert isinstance(rule, ArrayRule)
    return rule


@functools.partial(compiled_for_few, static_argnames=("dtype", "links"))
def _advance(tx: Parametrized, count: Leaf, shared: Tree, dtype: np.dtype, links: int) -> Value:
    return _open_array_rule(tx, count, dtype, links).advance(shared)


@functools.partial(compiled_for_few, static_argnames=("dtype", "links"))
def _update_arrays(
    tx: Parametrized,
    count: Leaf,
    context: Context,
    value: Leaf,
    items: list[Arrays],
    dtype: np.dtype,
    links: int,
) -> Value:
    one = lambda item: _update_array(tx, count, context, value, item, dtype, links)  # noqa: E731
    return list(map(one, items))


@functools.partial(jax.jit, static_argnames=("dtype", "links"))
def _update_array(
    tx: Parametrized,
    count: Leaf,
    context: Context,
    value: Leaf,
    item: Arrays,
    dtype: np.dtype,
    links: int,
) -> Value:
    rule = _open_array_rule(tx, count, dtype, links)
    return array_update(rule, tx, dtype, context, value, {})(*item)


@functools.partial(compiled_for_few, static_argnames=("dtype", "links"))
def _update_stack(
    tx: Parametrized,
    count: Leaf,
    context: Context,
    value: Leaf,
    arrays: StackedArrays,
    dtype: np.dtype,
    links: int,
) -> Value:
    rule = _open_array_rule(tx, count, dtype, links)
    update_for = functools.partial(array_update, rule, tx, dtype, context, value)
    return over_stack(update_for, {})(arrays, {})


@functools.partial(compiled_for_few, static_argnames=("dtype", "links"))
def _update_tree(
    tx: Parametrized,
    count: Leaf,
    updates: Updates,
    values: Tree,
    params: Params,
    extra: Extra,
    dtype: np.dtype,
    links: int,
) -> Value:
    rule = open_rule(tx, Opening(count, dtype, links))
    assert isinstance(rule, TreeRule)
    return rule.update(updates, values, params, extra)


def update_at_compiled_speed(
    perform: Function,
    tx: Parametrized,
    updates: Updates,
    state: Tree,
    params: Params,
    extra: dict[str, Value],
) -> tuple[Updates, Tree]:
    """``perform(tx, updates, state, params, extra)``, compiled where that is possible.

    The parameters are arrays alone.
    """
    leaves = jax.tree.leaves(updates)
    if runs_in_python(leaves):
        return perform(tx, updates, state, params, extra)
    if extra or len(leaves) > MANY_LEAVES:
        rule = _profile(jax.tree.structure(tx))
        extra = {name: value for name, value in extra.items() if rule.is_reading(name)}
        # A function cannot be handed to `jit`, so the links are dispatched one by one.
        takes_functions = any(callable(value) for value in extra.values())
        if takes_functions or (len(leaves) > MANY_LEAVES and rule.goes_by_array):
            return perform(tx, updates, state, params, extra)
    if not all(map(is_array, leaves)):
        return perform(tx, updates, state, params, extra)
    return _compiled(perform)(numbers_on_device(tx), updates, state, params, extra)


def numbers_on_device(tx: Value) -> Value:
    """``tx`` with arrays for its Python numbers, which would be handed over anew at each call."""
    # What lies on one mesh cannot be used on another one.
    setting = jax.config.jax_enable_x64, jax.sharding.get_abstract_mesh()  # type: ignore[attr-defined]
    kept = getattr(tx, "_on_device", None)
    if kept is None or kept[0] != setting:
        arrays = jax.tree.map(jnp.asarray, tx)
        if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(arrays)):
            return tx  # what is made within a trace must not outlive it
        kept = tx._on_device = (setting, arrays)
    return kept[1]


@functools.cache
def _compiled(perform: Function) -> Function:
    return compiled_for_few(perform)


@functools.lru_cache(maxsize=4096)
def _profile(structure: TreeDef) -> TreeRule:
    return tree_rule(structure.unflatten([0.5] * structure.num_leaves), Opening())
