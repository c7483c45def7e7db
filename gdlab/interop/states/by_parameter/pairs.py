"""Correspondences of entries of gdlab and arrays of another library, for each parameter."""

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np

from gdlab.core.structure import Leaf, Value, leaves_with_paths
from gdlab.core.transformation import COUNT, GradientTransformation
from gdlab.interop.states.by_parameter.layouts import Axes
from gdlab.interop.states.by_parameter.scopes import Scope, period_of

Array: TypeAlias = Any
"""A NumPy array; None or an empty tuple if nothing is stored."""


class Parameter(NamedTuple):
    """A parameter as a conversion sees it."""

    path: str
    scope: Scope
    """The transformation that trains it, and its state."""
    kept: tuple[Leaf, ...]
    """The arrays that the state holds for it now, in the order of the pair."""
    axes: Axes | None
    """The permutation of the other library's axes, if their order differs."""
    settings: Mapping[str, Value]
    """The hyperparameters of the other library, if known."""

    def param(self) -> Array:
        """The value of the parameter."""
        return dict(leaves_with_paths(self.scope.params))[self.path]


class Pair(NamedTuple):
    """Entries of gdlab and arrays of another library, with the functions that convert them."""

    ours: tuple[str, ...]
    """The roles of the entries."""
    theirs: tuple[str, ...]
    enter: Callable[..., tuple[Array, ...]]
    """``enter(parameter, *theirs)`` → ours"""
    leave: Callable[..., tuple[Array, ...]]
    """``leave(parameter, *ours)`` → theirs, with None for missing arrays"""
    some: bool = False
    """True if a parameter may have only some of their arrays."""
    is_optional: bool = False
    """True if the method may lack this pair."""


class Shared(NamedTuple):
    """An entry that all parameters share, and numbers that the other library stores for each."""

    role: str
    """The role of an entry of the part that holds the shared entry."""
    own: str
    """The name of the entry within the part."""
    theirs: tuple[str, ...]
    enter: Callable[..., Value]
    """``enter(parameter, value of the entry, *theirs)`` → value of the entry"""
    leave: Callable[..., tuple[Array, ...]]
    """``leave(parameter, value of the entry)`` → theirs"""
    applies_to: Callable[[Value], bool] = lambda _: True
    """A test of whether it applies to an entry with this value."""


def same(ours: str, theirs: str) -> Pair:
    """An array that is the same in both libraries."""
    unchanged = lambda _, *arrays: arrays  # noqa: E731
    return Pair((ours,), (theirs,), unchanged, unchanged)


def optional(pair: Pair) -> Pair:
    """A pair that the method may lack."""
    return pair._replace(is_optional=True)


def velocity(
    ours: str,
    theirs: str,
    *,
    is_average: bool = False,
    step_sign: int = 0,
    is_dampened: bool = False,
) -> Pair:
    """A momentum, which is a sum or an average, of gradients or of steps.

    Args:
        ours: the role of the entry.
        theirs: the other library's array.
        is_average: whether the other library weights each gradient by one minus the decay.
        step_sign: 0 if the other library accumulates gradients; 1 or -1 if it accumulates gradients
            times the learning rate or minus the learning rate.
        is_dampened: whether a setting of the other library gives the factor on each gradient.
    """

    def enter(parameter, theirs):
        require_dampening(parameter)
        factor = _factor(parameter, ours, is_average, step_sign)
        return ((theirs if factor == 1 else _scalar(factor, theirs) * theirs),)

    def leave(parameter, ours_value):
        require_dampening(parameter)
        factor = _factor(parameter, ours, is_average, step_sign)
        return ((ours_value if factor == 1 else ours_value / _scalar(factor, ours_value)),)

    def require_dampening(parameter):
        scope = parameter.scope
        recursion = _recursion_in(scope.place_of(scope.entries[ours]).tx)
        is_unknown = is_dampened and "dampening" not in parameter.settings
        if is_unknown and recursion is not None and _is_average(recursion):
            scope.constant(scope.entries[ours], _decay)
            raise ValueError(
                f"{scope.tx!r} keeps an average of gradients, which is a multiple of the other "
                "library's momentum that depends on its dampening: hand over the whole "
                "state_dict(), with its param_groups"
            )

    return Pair((ours,), (theirs,), enter, leave)


def _scalar(factor: float, like: Array) -> Array:
    return np.asarray(factor, np.asarray(like).dtype)


def _factor(parameter: Parameter, role: str, is_average: bool, step_sign: int) -> float:
    """The factor from the other library's momentum to gdlab's."""
    scope, entry = parameter.scope, parameter.scope.entries[role]
    own_sign = _sign_of_steps(scope, entry)
    if bool(own_sign) != bool(step_sign):
        kinds = "steps", "gradients"
        own, other = kinds if own_sign else reversed(kinds)
        raise ValueError(
            f"the entry {entry!r} of {scope.tx!r} is a momentum of {own}, and the other library "
            f"has one of {other}; learning_rate_in_momentum={not own_sign} makes them agree"
        )
    sign = own_sign * step_sign if step_sign else 1
    dampening = float(parameter.settings.get("dampening", 0))
    recursion = _recursion_in(scope.place_of(entry).tx)
    if recursion is None or (_is_average(recursion) == is_average and not dampening):
        return sign
    decay = scope.constant(entry, _decay)
    gain = 1 - decay if is_average else 1 - dampening
    own_gain = 1 - decay if _is_average(recursion) else 1.0
    if dampening and _is_scaled(scope, entry, gain):
        own_gain = gain
    return sign * own_gain / gain


def _sign_of_steps(scope: Scope, entry: str) -> int:
    """The sign of the learning rate by which a part's input has been multiplied, or 0."""
    for place in scope.parts:
        if entry in place.entries.values():
            return 0
        if place.tx.factory.name == "scale_by_learning_rate":
            return -1 if place.tx.flip_sign else 1
    return 0


def _is_scaled(scope: Scope, entry: str, factor: float) -> bool:
    """Tell whether a link before that of ``entry`` multiplies by ``factor``."""
    for place in scope.parts:
        if entry in place.entries.values():
            return False
        if place.tx.factory.name == "scale" and place.tx.step_size == factor:
            return True
    return False


def _recursion_in(part: GradientTransformation) -> GradientTransformation | None:
    """The sum or average with a decay in a part, even within a correction; None without one."""

    def is_one(node):
        is_part = isinstance(node, GradientTransformation)
        return is_part and (_is_average(node) or node.factory.name == "trace")

    found = [node for node in jax.tree.leaves(part, is_leaf=is_one) if is_one(node)]
    return found[0] if found else None


def _is_average(tx: GradientTransformation) -> bool:
    return tx.factory.name in ("ema", "nesterov_ema")


def _decay(part: GradientTransformation) -> Value:
    recursion = _recursion_in(part)
    assert recursion is not None
    return recursion.decay


def _mean_and_variance(_: Parameter, mean: Array, mean_square: Array) -> tuple[Array, ...]:
    # A wider dtype, so that the difference is rounded once.
    variance = _wide(mean_square) - np.abs(_wide(mean)) ** 2
    return mean, np.maximum(variance, 0).astype(mean_square.dtype)


def _mean_and_square(_: Parameter, mean: Array, variance: Array) -> tuple[Array, ...]:
    return mean, (_wide(variance) + np.abs(_wide(mean)) ** 2).astype(variance.dtype)


def _wide(array: Array) -> Array:
    return array.astype(np.result_type(array.dtype, np.longdouble))


def centred(mean: str, mean_square: str) -> Pair:
    """The variance in gdlab, for the mean square in another library."""
    ours = ("mean", "variance")
    return Pair(ours, (mean, mean_square), _mean_and_variance, _mean_and_square)


def factored(of_rows: str, of_columns: str, of_elements: str) -> Pair:
    """Means over the last axis and over the one before, or an average for each element."""

    def enter(parameter, rows, columns, elements):
        own_rows, own_columns = parameter.kept
        is_factored = not _is_nothing(own_columns)
        if is_factored != (rows is not None):
            raise ValueError(
                f"the second moment of {parameter.path!r} is "
                f"{'factored' if is_factored else 'kept for each element'} in gdlab and not so in "
                "the other library, which factors the last two axes of every array: say "
                'min_dim_size_to_factor=1 and axes="last"'
            )
        if not is_factored:
            return elements, ()
        # With axes in another order, their rows may be gdlab's columns.
        return (rows, columns) if rows.shape == own_rows.shape else (columns, rows)

    def leave(parameter, rows, columns):
        if _is_nothing(columns):
            return None, None, rows
        last = rows.ndim - 1
        axis = last if parameter.axes is None else parameter.axes.index(last)
        over_last, other = (rows, columns) if rows.shape[axis] == 1 else (columns, rows)
        return over_last, other, None

    theirs = (of_rows, of_columns, of_elements)
    return Pair(("rows", "columns"), theirs, enter, leave, some=True)


def _is_nothing(kept: Leaf) -> bool:
    return isinstance(kept, tuple) and not kept


def signs(ours: str, theirs: str) -> Pair:
    """The signs of an array of the other library, which uses only its signs."""
    return Pair((ours,), (theirs,), lambda _, x: (np.sign(x),), lambda _, sign: (sign,))


def product_of_momenta(theirs: str) -> Shared:
    """The product of all momenta of Nadam, the remaining weight of its average's initial value."""
    return Shared(
        "mu",
        "weight",
        (theirs,),
        lambda _, weight, product: weight._replace(remaining=product),
        lambda _, weight: (weight.remaining,),
        lambda weight: hasattr(weight, "remaining"),
    )


def averaged_points(average: str, rate: str, weight: str) -> tuple[Pair, Shared]:
    """The mean of the points of averaged descent, with its weight and the next learning rate."""
    entry = "params_mean"

    def leave(parameter, mean):
        scope = parameter.scope
        begun = scope.state[scope.entries[entry]].taken > 0
        return (mean if begun else np.asarray(parameter.param(), mean.dtype),)

    def enter_numbers(parameter, mean, eta, mu):
        expected = _averaged_rate(parameter)
        if expected is not None and not np.isclose(eta, expected, rtol=1e-5):
            raise ValueError(
                f"{parameter.path!r} goes on with the learning rate {float(eta)}, which was set "
                f"before the last step, where gdlab goes on with the present one, {expected}"
            )
        return mean._replace(taken=round(1 / float(mu)) - 1)

    def leave_numbers(parameter, mean):
        eta = _averaged_rate(parameter)
        if eta is None:
            raise ValueError(
                "the learning rate of averaged descent is not known: give the state_dict() of the "
                "optimizer as like="
            )
        return eta, 1 / (1 + int(mean.taken))

    points = Pair((entry,), (average,), lambda _, x: (x,), leave)
    return points, Shared(entry, entry, (rate, weight), enter_numbers, leave_numbers)


def _averaged_rate(parameter: Parameter) -> float | None:
    """The learning rate of the next step of averaged descent, by the other library's settings."""
    known = parameter.settings
    if "lambd" not in known or COUNT not in parameter.scope.state:
        return None
    rate, step = float(known["lr"]), int(parameter.scope.state[COUNT])
    return rate / (1 + known["lambd"] * rate * step) ** known["alpha"]


def average_of_parameters(average: str) -> Pair:
    """The average of the parameters, which starts from zero in the other library."""

    def enter(parameter, array):
        if parameter.scope.count == 0:
            raise ValueError(
                f"the average of {parameter.path!r} begins with the first update in the other "
                "library, and before it in gdlab: make that update there"
            )
        return (array,)

    return Pair(("params_ema.params_ema",), (average,), enter, lambda _, array: (array,))


def accumulated(gradients: str, micro_step: str) -> tuple[Pair, Shared]:
    """The mean of the gradients so far, where the other library has their sum."""

    def divided(parameter, total):
        steps = period_of(parameter.scope.place_of(parameter.scope.entries[mean]).tx)
        taken = parameter.scope.count % steps
        return ((total / _scalar(taken, total) if taken else total),)

    def multiplied(parameter, value):
        place = parameter.scope.place_of(parameter.scope.entries[mean])
        state = parameter.scope.state
        if state[place.entries["weight"]]:
            raise ValueError(
                f"{place.tx!r} has gradients of different weights, which cannot be carried over "
                "before they make an update"
            )
        return (value * _scalar(state[place.entries["micro_step"]], value),)

    mean = "accumulate.mean"
    taken = Shared(mean, "micro_step", (micro_step,), lambda _, __, x: x, lambda _, x: (x,))
    return Pair((mean,), (gradients,), divided, multiplied), taken


def schedule_free(iterate: str) -> tuple[Pair, Shared]:
    """The iterates of Schedule-Free, whose average follows from them and from the parameters."""

    def enter(parameter, z):
        entry = parameter.scope.entries["z"]
        tx = parameter.scope.place_of(entry).tx
        power, r, decay = (
            parameter.scope.constant(entry, operator.attrgetter(name))
            for name in ("weight_lr_power", "r", "b1")
        )
        if power != 0 or r != 0:
            raise ValueError(
                f"{tx!r} weighs iterates by the learning rate or the step, and the other library "
                "all alike: say weight_lr_power=0"
            )
        y, b1 = np.asarray(parameter.param(), z.dtype), _scalar(decay, z)
        return z, (y - (1 - b1) * z) / b1

    iterates = Pair(("z", "average"), (iterate,), enter, lambda _, z, __: (z,))
    all_alike = lambda parameter, _: parameter.scope.count or 0  # noqa: E731
    return iterates, Shared("z", "weight_sum", (), all_alike, lambda _, __: ())
