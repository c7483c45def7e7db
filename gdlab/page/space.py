"""The parameters of a function as one vector."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gdlab.checks.user_functions import called_as
from gdlab.core.representation import in_words
from gdlab.core.structure import dotted
from gdlab.problems.problem import Problem

MOST_VARIABLES = 5000
"""The largest number of variables of a function on a page."""


class Space(NamedTuple):
    """A function of a vector, and the conversion of vectors to the user's parameters."""

    fun: Callable[[Any], Any]
    """The function of the vector."""
    start: np.ndarray | None
    """The vector at which runs start; None where the page chooses two numbers."""
    unravel: Callable[[Any], Any] | None = None
    """The function from vectors to trees of parameters; None if the parameters are the vector."""
    names: tuple[str, ...] = ("w₁", "w₂")
    """The name of each variable."""

    @property
    def size(self) -> int:
        """The number of variables."""
        return 2 if self.start is None else len(self.start)

    def params(self, vector: Any) -> Any:
        """The user's parameters for a vector."""
        return vector if self.unravel is None else self.unravel(vector)


def space_of(
    fun: Callable[..., Any], start: Any, argument: Literal["start", "params"] = "start"
) -> Space:
    """The space of a function's parameters.

    Args:
        fun: the function, or a problem, which is evaluated on all its data and without a key.
        start: a sequence of numbers, a tree of arrays, or None for the start of the problem.
        argument: the name of ``start`` in messages.

    Raises:
        ValueError: if the start does not consist of two or more finite numbers.
    """
    plain = fun
    if any(map(np.iscomplexobj, jax.tree.leaves(start))):
        raise _no_start(argument, start)
    if isinstance(fun, Problem):
        start = fun.start if start is None else start
        if fun.data is not None:
            plain = _named(lambda w: fun(w, fun.data), fun.name)
    if start is None:
        return Space(plain, None)
    vector = array_of(start)
    if vector is not None and vector.ndim == 1:
        names = tuple(f"w{str(i + 1).translate(_SUBSCRIPTS)}" for i in range(len(vector)))
        return Space(plain, _checked(argument, vector, start), None, names)
    try:
        tree = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), start)
        flat, unravel = ravel_pytree(tree)
    except (TypeError, ValueError):
        raise _no_start(argument, start) from None
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    names = tuple(
        ".".join([dotted(path), *map(str, index)])
        for path, leaf in leaves
        for index in np.ndindex(leaf.shape)
    )
    whole = _named(
        lambda w: called_as(f"{_CALLED[argument]}(params)", plain, unravel(w)),
        getattr(fun, "__name__", ""),
    )
    return Space(whole, _checked(argument, np.asarray(flat), start), unravel, names)


def array_of(given: Any) -> np.ndarray | None:
    """Numbers in nested sequences or an array, as an array of float64; None for anything else."""
    try:
        return np.asarray(given, np.float64)
    except (TypeError, ValueError):
        return None


def heading_of(fun: Callable[..., Any], unnamed: str) -> str:
    """The name of a function as the heading of its page, or ``unnamed`` for one without a name."""
    if isinstance(fun, Problem):
        return fun.name
    name = getattr(fun, "__name__", "<lambda>")
    return unnamed if name == "<lambda>" else in_words(name)


_CALLED = {"start": "fun", "params": "loss"}
"""Name of the argument with the start → name of the argument with the function."""
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def _named(fun: Callable[..., Any], name: str) -> Callable[..., Any]:
    fun.__name__ = name
    return fun


def _checked(argument: str, values: np.ndarray, start: Any) -> np.ndarray:
    if len(values) < 2 or not np.all(np.isfinite(values)):
        raise _no_start(argument, start)
    if len(values) > MOST_VARIABLES:
        raise ValueError(
            f"{argument} has {len(values)} numbers; a page takes functions of at most "
            f"{MOST_VARIABLES}"
        )
    return values


def _no_start(argument: str, start: Any) -> ValueError:
    return ValueError(
        f"{argument} must be two finite numbers or more, such as (-1.5, 1.0), or a tree of "
        f"arrays of them, not {start!r}"
    )
