"""States as flat dictionaries of NumPy arrays by dotted path."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gdlab.core.numerics import is_array
from gdlab.core.structure import Leaf, Tree, dotted
from gdlab.interop.states.optax.correspondence import Array

Flat = dict[str, Leaf]
"""Dotted path → array."""


def flat_arrays(tree: Tree) -> Flat:
    """The arrays of a tree by their dotted paths, of a dictionary that is flat already as well.

    Raises:
        ValueError: if a leaf is no array.
    """
    return {path: _as_array(path, leaf) for path, leaf in flat_leaves(tree).items()}


def flat_leaves(tree: Tree) -> Flat:
    """The leaves of a tree by their dotted paths."""
    pairs, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {dotted(path): leaf for path, leaf in pairs}


def _as_array(path: str, leaf: Leaf) -> Array:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return np.asarray(jax.random.key_data(leaf))
    if isinstance(leaf, Tracer):
        raise ValueError(
            f"{path}: a state is moved outside of jit and other transformations of JAX"
        )
    if not (is_array(leaf) or isinstance(leaf, int | float)):
        raise ValueError(f"{path}: expected an array, not {leaf!r}")
    return np.asarray(leaf)


def suffixes(flat: Mapping[str, Leaf], prefixes: Sequence[str]) -> set[str]:
    """The ends of the paths of a flat dictionary that follow any of the prefixes."""
    found = set()
    for prefix in prefixes:
        for path in flat:
            if path == prefix or not prefix or path.startswith(prefix + "."):
                found.add(path.removeprefix(prefix).removeprefix("."))
    return found


def report(what: str, problems: Mapping[str, str]) -> ValueError:
    """The error with all problems by their paths."""
    lines = "\n".join(f"  {path}: {reason}" for path, reason in problems.items())
    return ValueError(f"{what}:\n{lines}")
