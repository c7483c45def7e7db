"""Calls on concrete arrays, outside ``jit``, at compiled speed.

Notebooks call ``update`` and ``apply_updates`` bare. A small tree is handed to one cached
compilation of the whole update; a tree of many leaves to one for each leaf rule and shape, whose
first call is many times faster and whose later calls hardly slower.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from gdlab.core.numerics import is_array
from gdlab.core.rules import LeafRule, rule_of

MANY_LEAVES = 32
"""Above this many leaves the first call of a whole-tree compilation costs too much."""

BATCH = 8
"""So many equal arrays are handed to a compiled function at once.

A call costs more than the arithmetic on a small array, and compiling grows with the batch.
"""


def runs_in_python(leaves: list[Any]) -> bool:
    """Whether a call is traced already, or must not be compiled."""
    # One look at one leaf: a tracer that is missed is handed to `jit`, which is correct as well.
    return not leaves or isinstance(leaves[0], Tracer) or jax.config.jax_disable_jit  # type: ignore[attr-defined]


def update_at_compiled_speed(
    perform: Callable[..., Any], tx: Any, updates: Any, state: Any, params: Any, extra: Any
) -> tuple[Any, Any]:
    """``perform(tx, updates, state, params, extra)``, compiled where that is possible."""
    leaves = jax.tree.leaves(updates)
    if runs_in_python(leaves):
        return perform(tx, updates, state, params, extra)
    if extra or len(leaves) > MANY_LEAVES:
        is_leafwise, delegates, reads = _profile(jax.tree.structure(tx))
        extra = {name: value for name, value in extra.items() if reads(name)}
        # A function cannot be handed to `jit`, so the links are dispatched one by one.
        takes_functions = any(callable(value) for value in extra.values())
        if takes_functions or (len(leaves) > MANY_LEAVES and (is_leafwise or delegates)):
            return perform(tx, updates, state, params, extra)
    if not all(map(is_array, leaves)):
        updates = _arrays_only(updates)
    on_device = _with_numbers_on_device(tx)
    return _compiled(perform)(on_device, updates, state, _arrays_only(params), extra)


def _with_numbers_on_device(tx: Any) -> Any:
    """``tx`` with arrays for its Python numbers, which would be handed over anew at each call."""
    x64 = jax.config.jax_enable_x64  # type: ignore[attr-defined]
    kept = getattr(tx, "_on_device", None)
    if kept is None or kept[0] != x64:
        arrays = jax.tree.map(jnp.asarray, tx)
        if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(arrays)):
            return tx  # what is made within a trace must not outlive it
        kept = tx._on_device = (x64, arrays)
    return kept[1]


@functools.cache
def _compiled(perform: Callable[..., Any]) -> Callable[..., Any]:
    return jax.jit(perform)


@functools.lru_cache(maxsize=4096)
def _profile(structure: Any) -> tuple[bool, bool, Callable[[str], bool]]:
    rule = rule_of(structure.unflatten([0.5] * structure.num_leaves))
    if isinstance(rule, LeafRule):
        return True, False, lambda _: False
    return False, rule.delegates, rule.reads


def _arrays_only(tree: Any) -> Any:
    """The tree without the leaves that are not arrays, such as the functions in a module."""
    if all(map(is_array, jax.tree.leaves(tree))):
        return tree
    return jax.tree.map(lambda leaf: leaf if is_array(leaf) else None, tree)


def in_batches(function: Callable[[list[Any]], list[Any]], items: list[Any]) -> list[Any]:
    """``function(items)``, called on batches of items whose first arrays are alike.

    Within a trace a batch is one call to trace and to lower. A batch is full or has one item, so
    that ``function`` is compiled for two lengths at most.
    """
    alike: dict[Any, list[int]] = {}
    for index, (leaf, *_) in enumerate(items):
        concrete = isinstance(leaf, jax.Array) and not isinstance(leaf, Tracer)
        sharding = leaf.sharding if concrete else None
        kind = getattr(leaf, "shape", ()), getattr(leaf, "dtype", type(leaf)), sharding
        alike.setdefault(kind, []).append(index)
    results: list[Any] = [None] * len(items)
    for members in alike.values():
        full = len(members) - len(members) % BATCH
        batches = [members[start : start + BATCH] for start in range(0, full, BATCH)]
        for batch in [*batches, *([index] for index in members[full:])]:
            for index, result in zip(batch, function([items[i] for i in batch]), strict=True):
                results[index] = result
    return results
