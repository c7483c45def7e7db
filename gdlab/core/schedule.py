"""Schedules: a number that depends on the step, made of numbers that are data themselves."""

from collections.abc import Callable
from typing import Any, ClassVar, ParamSpec

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.annotations import is_data
from gdlab.core.numerics import numbers_as, strong
from gdlab.core.parametrized import Parametrized, at_step, parametrized
from gdlab.core.ranges import require_count
from gdlab.core.structure import Function, Value

P = ParamSpec("P")


class Schedule(Parametrized):
    """A function of the step that can stand wherever a hyperparameter can.

    It is a pytree of its own numbers, so that its peak or its warm-up length can be swept,
    differentiated or set like any other hyperparameter.
    """

    __slots__ = ()
    depends_on_step: ClassVar[bool] = True

    def __call__(self, count: jax.typing.ArrayLike) -> jax.Array:
        """The value at step ``count``, an integer scalar that starts at 0."""
        require_count(f"{self.factory.name}: the step", count)
        # In the widest dtype, so that what an author divides by it is as exact as it can be. The
        # part of a schedule that begins at a number may be at a fraction of a step.
        count = jnp.asarray(count)
        is_step = jnp.issubdtype(count.dtype, jnp.integer)
        count = count.astype(int if is_step else float)
        # The numbers of a schedule are of the widest float, whatever it is multiplied with later.
        now = numbers_as(at_step(self, count), np.dtype(jnp.result_type(float)))
        return strong(jnp.asarray(now.called_with(now.arguments())(count)))

    def plot(self, steps: int = 100, ax: Any = None) -> Any:
        """Draw its values from step 0 to step ``steps``; needs the extra ``lab``.

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
    """A function of the step, foreign ones included, as a schedule."""
    if isinstance(value, Schedule):
        return value
    if isinstance(value, Parametrized) or not callable(value):
        raise TypeError(f"expected a schedule (step ↦ value), not {value!r}")
    return foreign_schedule(value)


is_data(Schedule, as_schedule)


def schedule(function: Callable[P, Callable[[jax.Array], Value]]) -> Callable[P, Schedule]:
    """Make a schedule factory of a function that returns a function of the step.

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
    """Any function of the step, such as one of optax's, as a schedule without leaves."""
    # Such functions may index or compare with integers, so they get the count as one.
    return lambda count: function(count.astype(int))
