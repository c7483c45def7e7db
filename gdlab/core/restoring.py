"""Conversion of a state to a flat dictionary of arrays and back, also between stored forms."""

from collections.abc import Iterator, Mapping

import jax
import jax.numpy as jnp

from gdlab.checks.checked import checked
from gdlab.checks.kinds import StateTree
from gdlab.checks.values import is_array_of_numbers
from gdlab.core.forms import is_stored_form, known_forms
from gdlab.core.numerics import is_inexact, widen
from gdlab.core.storage import written
from gdlab.core.structure import Leaf, Tree, dotted


@checked
def flatten_state(state: StateTree) -> dict[str, Leaf]:
    """Flatten a state into a dictionary of arrays, which any file format can hold.

    Args:
        state: a state, or any other tree of arrays.

    Returns:
        Dotted path → array, such as ``mu.encoder.kernel``.

    Raises:
        TypeError: if a leaf is not an array.

    >>> import jax.numpy as jnp
    >>> from gdlab import flatten_state, sgd
    >>> flatten_state(sgd(0.1, momentum=0.9).init({"w": jnp.zeros(2)}))
    {'trace.w': Array([0., 0.], dtype=float32)}
    """
    pairs, _ = jax.tree_util.tree_flatten_with_path(state)
    return {dotted(path): leaf for path, leaf in pairs}


@checked
def restore_state(
    like: StateTree, arrays: Mapping[str, Leaf], *, partial: bool = False, convert: bool = False
) -> tuple[Tree, dict[str, str]]:
    """Restore a state from a flat dictionary made by :func:`flatten_state`.

    Args:
        like: a state of the optimizer that continues, as returned by its ``init``.
        arrays: dotted path → array.
        partial: whether entries that do not fit keep their values in ``like`` and are reported,
            instead of raising an error.
        convert: whether arrays in another precision or storage format, such as a moment in eight
            bits, are converted to the one in ``like``.

    Returns:
        The state, and a dictionary from each path that did not fit to the reason, which is empty
        unless ``partial`` is true.

    Raises:
        TypeError: if a leaf of ``like`` is not an array.
        ValueError: if an entry does not fit and ``partial`` is false, with all reasons.

    >>> import jax.numpy as jnp
    >>> from gdlab import adam, flatten_state, restore_state, sgd
    >>> old = flatten_state(adam(0.1).init(jnp.zeros(2)))
    >>> state, misfits = restore_state(sgd(0.1, 0.9).init(jnp.zeros(2)), old, partial=True)
    >>> sorted(misfits)
    ['mu', 'mu_weight', 'nu', 'nu_weight', 'trace']
    """
    if convert:
        arrays = stored_as(like, arrays)
    pairs, treedef = jax.tree_util.tree_flatten_with_path(like)
    own = {dotted(path): leaf for path, leaf in pairs}
    misfits = {path: "the optimizer keeps no such entry" for path in arrays if path not in own}
    restored = []
    for path, leaf in own.items():
        reason = _misfit(arrays.get(path), leaf)
        if reason:
            misfits[path] = reason
        restored.append(leaf if reason else jnp.asarray(arrays[path]))
    if misfits and not partial:
        lines = "\n".join(f"  {path}: {reason}" for path, reason in misfits.items())
        hint = ""
        if not convert and is_stored_otherwise(like, arrays):
            hint = "\n(some are stored in another precision or format, which convert=True reads)"
        raise ValueError(f"the arrays are not a state of this optimizer:\n{lines}{hint}")
    return treedef.unflatten(restored), misfits


def _misfit(array: Leaf | None, leaf: Leaf) -> str | None:
    if array is None:
        return "the arrays have no such entry"
    for what in ("shape", "dtype"):
        found, wanted = getattr(array, what, None), getattr(leaf, what)
        if found != wanted:
            return f"its {what} is {found}, not {wanted}"
    return None


def stored_as(like: Tree, arrays: Mapping[str, Leaf]) -> dict[str, Leaf]:
    """Convert the arrays of a file to the stored forms and dtypes of ``like``.

    Args:
        like: a state.
        arrays: dotted path → array, as returned by :func:`gdlab.flatten_state`.
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
    """The path and the node of each array of ``like`` whose stored form in the file differs."""
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
    """The array at a path, read from any stored form, in float32 at least; None if missing."""
    if path in arrays:
        if not is_array_of_numbers(arrays[path]):
            raise TypeError(
                f"arrays: what stands at {path!r} must be an array, not {arrays[path]!r}"
            )
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
