"""Joins: functions of the outputs of a fork's branches, with hyperparameters of their own."""

from collections.abc import Callable
from typing import Any, ParamSpec

import jax

from gdlab.core.parametrized import Parametrized, parametrized

P = ParamSpec("P")


class Join(Parametrized):
    """A function of the outputs of a fork's branches, applied leaf by leaf."""

    __slots__ = ()
    _keeps_time = False

    def __call__(self, *outputs: jax.Array) -> jax.Array:
        """The arrays of the branches, joined."""
        return self._open()(*outputs)

    @classmethod
    def convert(cls, value: Any) -> "Join":
        """A function of the branches' outputs, plain ones included, as a join."""
        if isinstance(value, cls):
            return value
        if isinstance(value, Parametrized) or not callable(value):
            raise TypeError(f"expected a function of the branches' outputs, not {value!r}")
        return foreign_join(value)


def join(function: Callable[P, Callable[..., Any]]) -> Callable[P, Join]:
    """Make a join that carries hyperparameters, such as the ε of a ratio.

    Args:
        function: its parameters annotated :data:`~gdlab.Hyperparameter` become leaves; it returns
            a pure function of one array from each branch.

    >>> import jax.numpy as jnp
    >>> from gdlab import Hyperparameter, fork, identity, join, scale
    >>> @join
    ... def mixture(weight: Hyperparameter):
    ...     return lambda a, b: weight * a + (1 - weight) * b
    >>> tx = fork(mixture(0.25), identity(), scale(2.0))
    >>> tx.update(jnp.array([4.0]), tx.init(jnp.zeros(1)))[0]
    Array([7.], dtype=float32)
    """
    return parametrized(Join, function)


@join
def foreign_join(function: Callable[..., Any]) -> Any:
    """Any function of the branches' outputs, as a join without hyperparameters."""
    return function
