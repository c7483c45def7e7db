"""Joins: functions of the outputs of a fork's branches, with hyperparameters of their own."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, ParamSpec, TypeAlias

import jax

from gdlab.checks.kinds import is_what_converts
from gdlab.core.annotations import Data, is_data
from gdlab.core.parametrized import Parametrized, parametrized
from gdlab.core.structure import Function, Value

P = ParamSpec("P")


class Join(Parametrized):
    """A function of the outputs of a fork's branches, applied leaf by leaf."""

    __slots__ = ()
    has_own_clock: ClassVar[bool] = False

    def __call__(self, *outputs: jax.Array) -> Value:
        """The arrays of the branches, joined."""
        return self.called_with(self.arguments())(*outputs)


def as_join(value: object) -> Join:
    """A function of the branches' outputs, plain ones included, as a join."""
    if isinstance(value, Join):
        return value
    if isinstance(value, Parametrized) or not callable(value):
        raise TypeError(f"expected a function of the branches' outputs, not {value!r}")
    return foreign_join(value)


JoinLike: TypeAlias = Annotated[Join | Callable[..., Any], Data(as_join, name="Join")]
"""A join, or a plain function of one array from each branch, which is made one."""
is_data(Join, as_join)
is_what_converts(Join, as_join)


def join(function: Callable[P, Function]) -> Callable[P, Join]:
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
def foreign_join(function: Function) -> Function:
    """Turn any function of the branches' outputs into a join without hyperparameters."""
    return function


@join
def bus() -> Function:
    """Join nothing: carry the outputs of all branches side by side, as the wires of one bus.

    A signal that two later links read is computed once, and put on a bus: :func:`wire` reads it,
    :func:`on_wires` joins what is on it. A bus lives between rules for one array; it has to be
    joined before whole trees are treated, and before the updates leave.

    >>> import operator
    >>> import jax.numpy as jnp
    >>> from gdlab import bus, chain, ema, fork, identity, on_wires
    >>> deviation = chain(fork(bus(), identity(), ema(0.5)), on_wires(operator.sub))
    >>> deviation.update(jnp.array([4.0]), deviation.init(jnp.zeros(1)))[0]
    Array([2.], dtype=float32)
    """
    return lambda *signals: signals
