"""Transformations made of plain functions that keep nothing."""

import functools

import jax

from gdlab.checks.user_functions import called_as
from gdlab.core.authoring import TreeFunctions
from gdlab.core.returned import require_arrays
from gdlab.core.rules import EVERYTHING
from gdlab.core.structure import Function
from gdlab.core.transformation import transformation


@transformation(reads=EVERYTHING)
def stateless(f: Function) -> TreeFunctions:
    """Make a transformation of a function of updates and parameters.

    uₜ = f(gₜ, wₜ), trees both; w is None where ``update`` is given no parameters

    A function with numbers of its own is better written with :func:`gdlab.transformation`, which
    makes them hyperparameters.

    Args:
        f: from the updates and the parameters to the updates; keep it at module level, since a new
            function compiles anew.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import stateless
    >>> def negative(updates, params):
    ...     return jax.tree.map(jnp.negative, updates)
    >>> tx = stateless(negative)
    >>> tx.update({"w": jnp.array([3.0])}, tx.init(None))[0]
    {'w': Array([-3.], dtype=float32)}
    """

    def update(updates, params, **_):
        made = called_as("f(updates, params)", f, updates, params)
        return require_arrays("what f returns", made, "updates", updates)

    return update


@transformation(reads=EVERYTHING)
def stateless_with_tree_map(f: Function) -> TreeFunctions:
    """Make a transformation of a function of one array of updates and one of parameters.

    uₜ = f(gₜ, wₜ), array by array; w is None where ``update`` is given no parameters

    A function with numbers of its own is better written with :func:`gdlab.leafwise`, which makes
    them hyperparameters.

    Args:
        f: from an array of updates and its parameter to one like it; keep it at module level, since
            a new function compiles anew.

    >>> import jax.numpy as jnp
    >>> from gdlab import stateless_with_tree_map
    >>> def relative(u, w):
    ...     return u * w
    >>> tx = stateless_with_tree_map(relative)
    >>> params = {"w": jnp.array([2.0])}
    >>> tx.update({"w": jnp.array([3.0])}, tx.init(params), params)[0]
    {'w': Array([6.], dtype=float32)}
    """

    def update(updates, params, **_):
        at = functools.partial(called_as, "f(update, param)", f)
        if params is None:
            made = jax.tree.map(lambda u: at(u, None), updates)
        else:
            made = jax.tree.map(at, updates, params)
        return require_arrays("what f returns", made, "updates", updates)

    return update
