"""The positions of a matrix in the parameters, and of its momentum in an optimizer's state."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.structure import dotted
from gdlab.core.transformation import GradientTransformation
from gdlab.page.space import Space

SECOND_MOMENTS = ("nu", "nu_max", "second", "sum_of_squares")
"""The names of state slots that hold squares instead of momentum."""


def elements_of(pick: Callable[[Any], Any], space: Space, ndim: int, name: str) -> np.ndarray:
    """The positions in the vector of parameters of the elements that a function picks.

    Args:
        pick: a function of the parameters that selects, reshapes and transposes.
        space: the space of the parameters.
        ndim: the number of dimensions that the result must have.
        name: the argument that ``pick`` was given as, for the message.

    Raises:
        ValueError: if the result has another number of dimensions, or is not made of parameters.
    """
    found = np.asarray(pick(space.params(jnp.arange(space.size, dtype=float))))
    if found.ndim != ndim:
        shape = "(count, rows, columns)" if ndim == 3 else "(rows, columns)"
        raise ValueError(f"{name} must have shape {shape}, not {found.shape}")
    whole = found.round().astype(int)
    if np.any(whole != found) or np.any(whole < 0) or np.any(whole >= space.size):
        raise ValueError(
            f"{name} must pick elements of the parameters, and compute nothing of them"
        )
    return whole


def positions_json(at: np.ndarray) -> dict[str, Any]:
    """Positions as an offset and strides over their shape, or as a list if they are not regular."""
    corner = int(at.flat[0])
    strides = [
        int(at[tuple(np.eye(at.ndim, dtype=int)[axis])]) - corner if length > 1 else 0
        for axis, length in enumerate(at.shape)
    ]
    grid = np.indices(at.shape)
    if np.array_equal(at, corner + np.tensordot(strides, grid, axes=1)):
        return {"shape": at.shape, "offset": corner, "strides": strides}
    return {"shape": at.shape, "list": at.ravel().tolist()}


def momentum_of(tx: GradientTransformation, params: Any, at: np.ndarray) -> np.ndarray | None:
    """The positions in the state of the momentum of some parameters, None if there is none.

    The momentum is the first leaf of the state that has the path and shape of the parameter and
    does not hold squares.

    Args:
        tx: the optimizer.
        params: the tree of parameters.
        at: positions in the vector of parameters, all in one leaf.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    starts = np.cumsum([0, *(np.size(leaf) for _, leaf in leaves)])
    own = int(np.searchsorted(starts, at.min(), side="right")) - 1
    path, leaf = leaves[own]
    if at.max() >= starts[own + 1]:
        return None
    offset = 0
    for where, part in jax.tree_util.tree_flatten_with_path(jax.eval_shape(tx.init, params))[0]:
        names = dotted(where).split(".")
        same = where[len(where) - len(path) :] == path and part.shape == np.shape(leaf)
        if same and not set(names) & set(SECOND_MOMENTS):
            return at - starts[own] + offset
        offset += int(np.prod(part.shape))
    return None
