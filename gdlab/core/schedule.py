"""Schedules: functions of the step that are pytrees of their numbers."""

import inspect
import math
from collections.abc import Callable
from typing import Any, ClassVar, ParamSpec

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.checks.kinds import is_what_converts
from gdlab.checks.user_functions import called_as
from gdlab.checks.values import is_array_of_reals
from gdlab.core.annotations import is_data
from gdlab.core.numerics import numbers_as, strong
from gdlab.core.parametrized import Parametrized, at_step, own_arguments, parametrized
from gdlab.core.ranges import require_count
from gdlab.core.structure import Function, Value

P = ParamSpec("P")


class Schedule(Parametrized):
    """A function of the step that can be used in place of any hyperparameter.

    It is a pytree of its own numbers, so that its peak or its warm-up length can be swept,
    differentiated or set like any other hyperparameter.
    """

    __slots__ = ()
    depends_on_step: ClassVar[bool] = True

    def __call__(self, count: jax.typing.ArrayLike) -> jax.Array:
        """The value at step ``count``, an integer scalar that starts at 0."""
        is_nan = isinstance(count, float) and math.isnan(count)
        if not is_array_of_reals(count) or isinstance(count, bool) or is_nan:
            raise TypeError(f"{self.factory.name}: the step must be a number, not {count!r}")
        if isinstance(count, int | float) and not 0 <= count < math.inf:
            raise ValueError(f"{self.factory.name}: the step must count from 0, not {count!r}")
        require_count(f"{self.factory.name}: the step", count)
        # In the widest dtype, so that quotients in a schedule are as exact as possible. The
        # part of a schedule that begins at a number may be at a fraction of a step.
        count = jnp.asarray(count)
        is_step = jnp.issubdtype(count.dtype, jnp.integer)
        count = count.astype(int if is_step else float)
        # The numbers of a schedule have the widest float dtype, whatever they multiply later.
        now = numbers_as(at_step(self, count), np.dtype(jnp.result_type(float)))
        value = called_as("schedule(count)", now.called_with(now.arguments()), count)
        if not is_array_of_reals(value):
            raise TypeError(f"{self!r} must return a number at each step, not {value!r}")
        return strong(jnp.asarray(value))

    def _check(self) -> None:
        """Let the author's function check its numbers against each other, if all are known."""
        if all(isinstance(number, float | Schedule) for number in own_arguments(self)):
            self.called_with(self.arguments())

    def plot(self, steps: int = 100, ax: Any = None) -> Any:
        """Draw the values from step 0 to step ``steps``; needs the extra ``lab``.

        Args:
            steps: the last step.
            ax: the matplotlib axes to draw on; new ones unless given.

        Returns:
            The matplotlib axes.

        >>> from gdlab import cosine_decay_schedule
        >>> ax = cosine_decay_schedule(0.1, 50).plot(60)
        >>> ax.get_xlabel()
        'step t'
        """
        from gdlab import plots

        return plots.schedules(self, steps, ax)


def as_schedule(value: object) -> Schedule:
    """A function of the step, such as one of another library, as a schedule."""
    if isinstance(value, Schedule):
        return value
    if isinstance(value, Parametrized) or not callable(value):
        raise TypeError(f"expected a schedule (step ↦ value), not {value!r}")
    if not _takes_one_argument(value):
        raise TypeError(f"expected a function of the step alone, but {value!r} takes others")
    return foreign_schedule(value)


def _takes_one_argument(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(0)
    except TypeError:
        return False
    except ValueError:  # a function written in C may have no signature
        return True
    return True


is_data(Schedule, as_schedule)
is_what_converts(Schedule, as_schedule)


def schedule(function: Callable[P, Callable[[jax.Array], Value]]) -> Callable[P, Schedule]:
    """Make a schedule factory from a function that returns a function of the step.

    Args:
        function: its parameters annotated :data:`~gdlab.Hyperparameter` become leaves; it returns
            a pure function ``value(count)`` of the step, an integer scalar that starts at 0 and
            is exact.

    >>> from gdlab import Hyperparameter, adam, hyperparameters, schedule
    >>> @schedule
    ... def inverse_time(init_value: Hyperparameter, steps: Hyperparameter):
    ...     return lambda count: init_value / (1 + count / steps)
    >>> hyperparameters(adam(inverse_time(0.1, 100)))["learning_rate.init_value"]
    0.1
    """
    return parametrized(Schedule, function)


@schedule
def foreign_schedule(function: Function) -> Function:
    """Turn any function of the step, such as one of optax's, into a schedule without leaves."""
    # Such functions may index with the count or compare it with integers, so it is an integer.
    return lambda count: function(count.astype(int))
