"""Measurements of the updates at a place in a chain, kept in the state."""

from collections.abc import Mapping
from typing import Annotated, NamedTuple, cast

import jax
import jax.numpy as jnp

from gdlab.checks.kinds import EntryName
from gdlab.checks.values import is_array_of_numbers
from gdlab.core.annotations import NonEmpty
from gdlab.core.export import is_exported
from gdlab.core.hyperparameter import Fraction
from gdlab.core.joins import Join, as_join, join
from gdlab.core.numerics import cast_like, is_inexact, strong, widen
from gdlab.core.opening import OpenJoin
from gdlab.core.rules import Reading, TreeRule
from gdlab.core.structure import Function, Number, Tree
from gdlab.core.transformation import GradientTransformation, transformation, wiring
from gdlab.transforms.averages.debiasing import Weight


@is_exported
class MeanMeasurement(NamedTuple):
    """A measurement averaged over the steps."""

    value: Tree
    """The average, with bias correction."""
    weight: Weight
    """The sum of the weights so far, by which the bias correction divides."""


class _ToAverage(NamedTuple):
    """A measurement of this step, to be averaged over steps."""

    value: Tree
    decay: Number

    def start(self) -> MeanMeasurement:
        return MeanMeasurement(self.value, jax.tree.map(jnp.float32, Weight.at_start()))

    def after(self, mean: MeanMeasurement) -> MeanMeasurement:
        weight = mean.weight.after(self.decay)
        share = (1 - self.decay) / weight.value()
        move = lambda old, new: old + share.astype(old.dtype) * (new - old)  # noqa: E731
        return MeanMeasurement(jax.tree.map(move, mean.value, self.value), weight)


@join
def measure_with_ema(measure: Function, decay: Fraction) -> Function:
    """Measure by a function, and average the measurements over steps.

    mₜ = debias(ema(decay))(measure(gₜ)), so that the average of a constant is that constant from
    the first step on

    Pass the result to :func:`monitor` in place of a function.

    Args:
        measure: a function from a tree of updates to numbers.
        decay: the weight of the old value.

    >>> import jax.numpy as jnp
    >>> from gdlab import chain, global_norm, measure_with_ema, monitor, sgd
    >>> tx = chain(monitor({"mean_norm": measure_with_ema(global_norm, 0.5)}), sgd(0.1))
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (1.0, 4.0):
    ...     _, state = tx.update(jnp.array([g]), state)
    >>> state.mean_norm.value
    Array(3., dtype=float32)
    """

    def to_average(updates):
        def wide(x):
            return widen(jnp.asarray(x)) if is_inexact(x) else jnp.asarray(x, jnp.float32)

        return _ToAverage(jax.tree.map(wide, measure(updates)), decay)

    return to_average


@wiring
def monitor(measures: Annotated[Mapping[EntryName, Join], NonEmpty]) -> TreeRule:
    """Measure the updates and keep the last measurements in the state; the updates pass unchanged.

    Each measurement is an entry of the state under its own name, and no other entry is moved or
    changed: a state stored without the monitor can be restored with it. If links of a chain have
    entries of the same name, which are told apart by position, put the monitor into a chain with
    the link before it: ``chain(chain(link, monitor(…)), …)``.

    Args:
        measures: a dictionary from the names of the measurements to functions of a tree of updates,
            or to results of :func:`measure_with_ema`.

    >>> import jax.numpy as jnp
    >>> from gdlab import chain, clip_by_global_norm, global_norm, monitor, sgd
    >>> tx = chain(monitor({"norm": global_norm}), clip_by_global_norm(1.0), sgd(0.1))
    >>> _, state = tx.update(jnp.array([3.0, 4.0]), tx.init(jnp.zeros(2)))
    >>> state
    State(norm=Array(5., dtype=float32))
    """
    opened = cast(Mapping[str, OpenJoin], dict(measures))

    def measured(updates):
        found = [of(Reading(), updates) for of in opened.values()]
        for name, values in zip(opened, found, strict=True):
            if not all(map(is_array_of_numbers, jax.tree.leaves(values))):
                raise TypeError(f"the measure {name!r} must return numbers, not {values!r}")
        return found

    def init(params):
        # All are evaluated on zeros, of which only the shapes matter.
        found = measured(jax.tree.map(jnp.zeros_like, params))
        zeros = jax.tree.map(jnp.zeros_like, found)
        start = [one.start() if isinstance(one, _ToAverage) else one for one in zeros]
        return tuple(strong(start))

    def update(updates, values, params, extra):
        del params, extra
        after = [
            one.after(before) if isinstance(one, _ToAverage) else one
            for one, before in zip(measured(widen(updates)), values, strict=True)
        ]
        return updates, tuple(cast_like(after, list(values)))

    return TreeRule(tuple(opened), init, update)


@transformation
def snapshot(measure_name: EntryName, measure: Function) -> GradientTransformation:
    """Measure the updates by one function, and keep the last measurement in the state.

    Args:
        measure_name: the name of the measurement's entry in the state.
        measure: a function from a tree of updates to numbers.

    >>> import jax.numpy as jnp
    >>> from gdlab import chain, global_norm, sgd, snapshot
    >>> tx = chain(snapshot("norm", global_norm), sgd(0.1))
    >>> _, state = tx.update(jnp.array([3.0, 4.0]), tx.init(jnp.zeros(2)))
    >>> state.norm
    Array(5., dtype=float32)
    """
    return monitor({measure_name: as_join(measure)})
