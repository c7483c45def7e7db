"""Stateless transformations made from plain functions."""

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
    """Make a transformation from a function of updates and parameters.

    uₜ = f(gₜ, wₜ), for whole trees; w is None if ``update`` is called without parameters

    For a function with hyperparameters, use :func:`gdlab.transformation`.

    Args:
        f: a function from the updates and the parameters to the updates. Define it at module level,
            since each new function object is compiled anew.

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
    """Make a transformation from a function of one array of updates and its parameter.

    uₜ = f(gₜ, wₜ), array by array; w is None if ``update`` is called without parameters

    For a function with hyperparameters, use :func:`gdlab.leafwise`.

    Args:
        f: a function from an array of updates and its parameter to an array like it. Define it at
            module level, since each new function object is compiled anew.

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
