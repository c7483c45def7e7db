"""Hyperparameters: numbers of a transformation, and the values accepted in their place."""

import numbers
from typing import Annotated, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gdlab.checks.kinds import LARGEST_COUNT, Between
from gdlab.checks.values import is_real_dtype
from gdlab.core.annotations import Data
from gdlab.core.axis import Axis, ChoiceAxis
from gdlab.core.by_leaf import ByLeaf, NumberByLeaf, patterns_of
from gdlab.core.parametrized import Parametrized
from gdlab.core.ranges import require_all_fit, require_fit, widest_float
from gdlab.core.schedule import Schedule, as_schedule, schedule
from gdlab.core.structure import Function, Tree, Value, is_argument, is_container


def as_hyperparameter(value: Value) -> Value:
    """Convert a user's value of a hyperparameter into its stored form, such as a float."""
    if type(value) is float:
        return _fitting(value)
    if isinstance(value, jax.Array):
        if not is_real_dtype(value.dtype):
            raise _not_a_number(value)
        return value
    if isinstance(value, Schedule | Axis | ByLeaf):
        return value
    if isinstance(value, bool | np.bool_ | str | bytes | Parametrized) or value is None:
        raise _not_a_number(value)
    if isinstance(value, numbers.Real) or (isinstance(value, np.ndarray) and value.ndim == 0):
        # A Python float is weakly typed, so it takes the dtype of the parameters; a strongly typed
        # scalar in its place would cause a recompilation.
        return _fitting(_as_float(value))
    if isinstance(value, np.ndarray):
        if not is_real_dtype(value.dtype) or np.isnan(value).any():
            raise _not_a_number(value)
        require_all_fit(value, widest_float())
        return jnp.asarray(value)
    if pairs := patterns_of(value):
        patterns, values = zip(*pairs, strict=True)
        return NumberByLeaf(_alike(tuple(map(as_hyperparameter, values))), patterns)
    if is_container(value) and jax.tree.leaves(value, is_leaf=is_argument):
        tree = jax.tree.map(as_hyperparameter, value, is_leaf=is_argument)
        return NumberByLeaf(_alike(tree))
    if callable(value):
        return as_schedule(value)
    raise _not_a_number(value)


def _not_a_number(value: object) -> TypeError:
    return TypeError(f"expected a number, an array, a schedule or an Axis, not {value!r}")


def _as_float(value: Value) -> float:
    try:
        return float(value)
    except OverflowError:
        raise ValueError("an integer of so many digits does not fit into a float") from None


def _fitting(value: float) -> float:
    if value != value:
        raise ValueError("a NaN is not a number to train with")
    return require_fit(value, widest_float())


def _alike(tree: Tree) -> Value:
    """Turn all values into schedules if one is, so that every leaf has the same kind of state."""
    if not any(isinstance(x, Schedule) for x in jax.tree.leaves(tree, is_leaf=is_argument)):
        return tree
    to_schedule = lambda x: x if is_argument(x) else constant_schedule(x)  # noqa: E731
    return jax.tree.map(to_schedule, tree, is_leaf=is_argument)


Hyperparameter: TypeAlias = Annotated[
    float | jax.Array | Value,
    Data(as_hyperparameter, number=True, name="Hyperparameter"),
]
"""Annotation of a parameter that is a number and therefore a leaf of the optimizer.

Its values are Python numbers, arrays, schedules, axes, or one of these for each leaf of the
parameters: a tree, a list of pairs ``(pattern of the path, number)``, or :func:`gdlab.by_leaf` of
a function.
"""


def _within(bounds: Between) -> Data:
    """Annotation data of a hyperparameter whose known numbers must lie between two bounds."""

    def convert(value: Value) -> Value:
        converted = as_hyperparameter(value)
        if isinstance(value, jax.Array):
            return converted
        for number in _known_numbers(value if isinstance(value, np.ndarray) else converted):
            if not bounds.includes(number):
                raise ValueError(f"expected a number {bounds.words}, not {number:g}")
        return converted

    return Data(convert, number=True, name="Hyperparameter")


def _known_numbers(value: Value) -> list[float]:
    """The numbers in a hyperparameter: Python numbers, NumPy arrays, and the values of axes.

    JAX arrays and schedules are left out, since they may be traced.
    """
    found = []
    for node in jax.tree.leaves(value, is_leaf=is_argument):
        if isinstance(node, ChoiceAxis):
            continue  # the values of a ChoiceAxis are positions, not numbers of the user
        if isinstance(node, Axis) and not isinstance(node.values, Tracer):
            found.extend(np.ravel(node.values).tolist())
        elif isinstance(node, np.ndarray):
            found.extend(np.ravel(node).tolist())
        elif isinstance(node, float):
            found.append(node)
    return found


NonNegative: TypeAlias = Annotated[float | jax.Array | Value, _within(Between(0))]
"""A hyperparameter ≥ 0, such as ε, an upper bound of a norm, or the length of a ramp."""
Positive: TypeAlias = Annotated[float | jax.Array | Value, _within(Between(0, excludes_low=True))]
"""A hyperparameter > 0, such as an initial radius or an initial estimate that is multiplied."""
OneOrMore: TypeAlias = Annotated[float | jax.Array | Value, _within(Between(1))]
"""A hyperparameter ≥ 1, such as a growth factor."""
Period: TypeAlias = Annotated[
    float | jax.Array | Value, _within(Between(0, LARGEST_COUNT, excludes_low=True))
]
"""The number of steps between two events, > 0; a fraction is rounded up."""
StepCount: TypeAlias = Annotated[float | jax.Array | Value, _within(Between(0, LARGEST_COUNT))]
"""A number of steps ≥ 0, which fits into int32 like the counter that is compared with it."""
Fraction: TypeAlias = Annotated[float | jax.Array | Value, _within(Between(0, 1))]
"""A hyperparameter from 0 to 1, such as the decay of a moving average."""


@schedule
def constant_schedule(value: Hyperparameter) -> Function:
    """A schedule with the same value at every step.

    η(t) = value

    >>> from gdlab import constant_schedule
    >>> constant_schedule(0.1)(7)
    Array(0.1, dtype=float32)
    """
    return lambda _: value


def array(values: Value, dtype: str) -> jax.Array:
    """Make an array of a dtype; ``repr`` writes arrays so that ``eval(repr(tx))`` rebuilds ``tx``.

    >>> from gdlab import array
    >>> array([0.1, 0.2], "float32")
    Array([0.1, 0.2], dtype=float32)
    """
    try:
        return jnp.asarray(values, dtype=dtype)
    except (TypeError, ValueError):
        raise TypeError(
            f"array: values must be numbers and dtype their dtype, not {values!r} and {dtype!r}"
        ) from None
