"""Calls on concrete arrays, outside ``jit``, at compiled speed.

Notebooks call ``update`` and ``apply_updates`` without ``jit``. For a tree with few leaves the
whole update is compiled and cached. For a tree with many leaves, each run of leafwise links is
compiled once per shape: the first call is then many times faster, later calls are hardly slower.
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
"""The largest number of leaves whose update is compiled as one program."""
PROGRAMS = 64
"""The number of compiled programs of one kind that are kept, each of which takes megabytes."""


def compiled_for_few(function: Function, **options: Value) -> Function:
    """``jax.jit(function)`` with a cache that is cleared when it holds :data:`PROGRAMS` programs.

    JAX keeps thousands of programs until the process ends. A caller with ever new structures or
    shapes calls few of the programs again, and recompiles those few.
    """
    compiled: Value = jax.jit(function, **options)

    @functools.wraps(function)
    def call(*args: Value, **kwargs: Value) -> Value:
        if compiled._cache_size() >= PROGRAMS:
            compiled.clear_cache()
        return compiled(*args, **kwargs)

    return call


def runs_in_python(leaves: list[Leaf]) -> bool:
    """Tell whether a call is already traced, or must not be compiled."""
    # Only the first leaf is examined; if another one is a tracer, `jit` is correct too.
    return not leaves or isinstance(leaves[0], Tracer) or jax.config.jax_disable_jit  # type: ignore[attr-defined]


def tree_rule(tx: Parametrized, opening: Opening) -> TreeRule:
    """The rule of ``tx`` for trees."""
    links = opening.links
    rule = open_rule(tx, opening)
    return as_tree_rule(Part(tx, rule, opening.count, opening.dtype, links))


def as_tree_rule(part: Part) -> TreeRule:
    """The rule of a part for trees, which runs compiled functions on concrete arrays."""
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
    """Open ``tx`` into its rule for one array, inside the trace of a compilation."""
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
    """Call ``perform(tx, updates, state, params, extra)``, compiled if possible.

    The leaves of ``params`` have to be arrays.
    """
    leaves = jax.tree.leaves(updates)
    if runs_in_python(leaves):
        return perform(tx, updates, state, params, extra)
    if extra or len(leaves) > MANY_LEAVES:
        rule = _profile(jax.tree.structure(tx))
        extra = {name: value for name, value in extra.items() if rule.is_reading(name)}
        # Functions cannot be arguments of `jit`, so the links are dispatched one by one.
        takes_functions = any(callable(value) for value in extra.values())
        if takes_functions or (len(leaves) > MANY_LEAVES and rule.goes_by_array):
            return perform(tx, updates, state, params, extra)
    if not all(map(is_array, leaves)):
        return perform(tx, updates, state, params, extra)
    return _compiled(perform)(numbers_on_device(tx), updates, state, params, extra)


def numbers_on_device(tx: Value) -> Value:
    """``tx`` with its Python numbers on the device, so that they are not copied at each call."""
    # Arrays on one mesh cannot be used on another one.
    setting = jax.config.jax_enable_x64, jax.sharding.get_abstract_mesh()  # type: ignore[attr-defined]
    kept = getattr(tx, "_on_device", None)
    if kept is None or kept[0] != setting:
        arrays = jax.tree.map(jnp.asarray, tx)
        if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(arrays)):
            return tx  # arrays created within a trace must not be cached beyond it
        kept = tx._on_device = (setting, arrays)
    return kept[1]


@functools.cache
def _compiled(perform: Function) -> Function:
    return compiled_for_few(perform)


@functools.lru_cache(maxsize=4096)
def _profile(structure: TreeDef) -> TreeRule:
    return tree_rule(structure.unflatten([0.5] * structure.num_leaves), Opening())
