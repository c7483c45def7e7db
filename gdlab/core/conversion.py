"""Arrays of a state that were stored in one form, in another."""

from collections.abc import Iterator, Mapping

import jax
import jax.numpy as jnp

from gdlab.core.forms import is_stored_form, known_forms
from gdlab.core.numerics import is_inexact, widen
from gdlab.core.storage import written
from gdlab.core.structure import Leaf, Tree, dotted


def stored_as(like: Tree, arrays: Mapping[str, Leaf]) -> dict[str, Leaf]:
    """The arrays of a file, with those that are stored otherwise than in ``like`` stored as there.

    Args:
        like: a state.
        arrays: dotted path → array, as :func:`gdlab.flatten_state` makes them.
    """
    converted = dict(arrays)
    for path, node in _stored_otherwise(like, arrays):
        array = _array_at(arrays, path)
        for old in [key for key in converted if key == path or key.startswith(f"{path}.")]:
            del converted[old]
        pairs, _ = jax.tree_util.tree_flatten_with_path(written(array, node))
        converted |= {_below(path, inner): leaf for inner, leaf in pairs}
    return converted


def is_stored_otherwise(like: Tree, arrays: Mapping[str, Leaf]) -> bool:
    """Tell whether :func:`stored_as` would change any array."""
    return any(True for _ in _stored_otherwise(like, arrays))


def _stored_otherwise(like: Tree, arrays: Mapping[str, Leaf]) -> Iterator[tuple[str, Tree]]:
    """The path and the node of each array of ``like`` that is there in another form."""
    for path, node in jax.tree_util.tree_flatten_with_path(like, is_leaf=is_stored_form)[0]:
        name = dotted(path)
        own, _ = jax.tree_util.tree_flatten_with_path(node)
        is_same = all(
            getattr(arrays.get(_below(name, inner)), "dtype", None) == leaf.dtype
            for inner, leaf in own
        )
        if is_same or not (is_stored_form(node) or is_inexact(node)):
            continue
        found = _array_at(arrays, name)
        if found is not None and _can_be_stored(found, node):
            yield name, node


def _can_be_stored(array: jax.Array, node: Tree) -> bool:
    kept = node.read() if is_stored_form(node) else node
    same_kind = jnp.iscomplexobj(kept) == jnp.iscomplexobj(array)
    return is_inexact(array) and same_kind and kept.shape == array.shape


def _array_at(arrays: Mapping[str, Leaf], path: str) -> jax.Array | None:
    """The array that stands at a path, in float32 at least, in whatever form it is stored."""
    if path in arrays:
        return widen(jnp.asarray(arrays[path]))
    below = {key[len(path) + 1 :].split(".")[0] for key in arrays if key.startswith(f"{path}.")}
    for form in known_forms():
        fields = getattr(form, "_fields", ())
        if below and below == set(fields):
            parts = [_array_at(arrays, f"{path}.{field}") for field in fields]
            return None if any(part is None for part in parts) else form(*parts).read()
    return None


def _below(path: str, inner: tuple[object, ...]) -> str:
    return f"{path}.{dotted(inner)}" if inner else path
