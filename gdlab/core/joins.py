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
        """Combine one array from each branch."""
        return self.called_with(self.arguments())(*outputs)


def as_join(value: object) -> Join:
    """Convert a function of the branches' outputs into a join; a join is returned as it is."""
    if isinstance(value, Join):
        return value
    if isinstance(value, Parametrized) or not callable(value):
        raise TypeError(f"expected a function of the branches' outputs, not {value!r}")
    return foreign_join(value)


JoinLike: TypeAlias = Annotated[Join | Callable[..., Any], Data(as_join, name="Join")]
"""A join, or a plain function of one array from each branch, which is converted into a join."""
is_data(Join, as_join)
is_what_converts(Join, as_join)


def join(function: Callable[P, Function]) -> Callable[P, Join]:
    """Make a join that carries hyperparameters, such as the ε of a ratio.

    Args:
        function: a function whose parameters annotated :data:`~gdlab.Hyperparameter` become leaves
            of the join; it returns a pure function of one array from each branch.

    Returns:
        A function of the same parameters that returns the join.

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
    """Carry the outputs of all branches side by side, as the wires of one bus, joining nothing.

    With a bus, a signal that two later links read is computed only once. :func:`wire` selects one
    signal of the bus and :func:`on_wires` joins all of them. A bus can lead only from one rule for
    arrays to another: it has to be joined before a rule for whole trees, and before the end of the
    transformation.

    >>> import operator
    >>> import jax.numpy as jnp
    >>> from gdlab import bus, chain, ema, fork, identity, on_wires
    >>> deviation = chain(fork(bus(), identity(), ema(0.5)), on_wires(operator.sub))
    >>> deviation.update(jnp.array([4.0]), deviation.init(jnp.zeros(1)))[0]
    Array([2.], dtype=float32)
    """
    return lambda *signals: signals
