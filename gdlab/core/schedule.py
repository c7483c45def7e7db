"""Schedules: a number that depends on the step, made of numbers that are data themselves."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp

from gdlab.core.numerics import numbers_as, strong
from gdlab.core.parametrized import Parametrized, parametrized

P = ParamSpec("P")
T = TypeVar("T", bound=Parametrized)


class Schedule(Parametrized):
    """A function of the step that can stand wherever a hyperparameter can.

    It is a pytree of its own numbers, so that its peak or its warm-up length can be swept,
    differentiated or set like any other hyperparameter.
    """

    __slots__ = ()

    def __call__(self, count: Any) -> jax.Array:
        """The value at step ``count``, a scalar that starts at 0."""
        # In the widest float, like the numbers of the schedule: an int32 count divided by a Python
        # int would be rounded to float32 in x64.
        dtype = jnp.result_type(float)
        now = numbers_as(at_step(self, count), dtype)
        return strong(jnp.asarray(now._open()(jnp.asarray(count, dtype))))

    @classmethod
    def convert(cls, value: Any) -> "Schedule":
        """A function of the step, foreign ones included, as a schedule."""
        if isinstance(value, cls):
            return value
        if isinstance(value, Parametrized) or not callable(value):
            raise TypeError(f"expected a schedule (step ↦ value), not {value!r}")
        return foreign_schedule(value)


def schedule(function: Callable[P, Callable[[jax.Array], Any]]) -> Callable[P, Schedule]:
    """Make a schedule factory of a function that returns a function of the step.

    Args:
        function: its parameters annotated :data:`~gdlab.Hyperparameter` become leaves; it returns
            a pure function ``value(count)`` of the step, a float scalar that starts at 0.

    >>> from gdlab import Hyperparameter, adam, hyperparameters, schedule
    >>> @schedule
    ... def inverse_time(init_value: Hyperparameter, steps: Hyperparameter):
    ...     return lambda count: init_value / (1 + count / steps)
    >>> hyperparameters(adam(inverse_time(0.1, 100)))["learning_rate.init_value"]
    0.1
    """
    return parametrized(Schedule, function)


@schedule
def foreign_schedule(function: Callable[..., Any]) -> Callable[[jax.Array], Any]:
    """Any function of the step, such as one of optax's, as a schedule without leaves."""
    # Such functions may index or compare with integers, so they get the count as one.
    return lambda count: function(count.astype(jnp.int32))


def at_step(made: T, count: Any) -> T:
    """``made`` with each schedule among its own arguments replaced by its value at ``count``."""
    return made._map_numbers(lambda value: value(count) if isinstance(value, Schedule) else value)


def has_schedules(made: Parametrized) -> bool:
    """Whether a schedule stands among the own arguments of ``made``."""
    found: list[bool] = []
    made._map_numbers(lambda value: found.append(isinstance(value, Schedule)))
    return any(found)
