"""Measurements in optax's layout of the state."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import widen
from gdlab.core.rules import EVERYTHING
from gdlab.core.structure import DType, Function, Leaf, Params, Tree, Updates
from gdlab.core.transformation import GradientTransformation as Transformation
from gdlab.core.transformation import transformation
from gdlab.interop.optax._accumulating import ema
from gdlab.interop.optax._base import GradientTransformation, GradientTransformationExtraArgs


def measure_with_ema(
    measure: Callable[[Updates], Tree],
    decay: Hyperparameter,
    debias: bool = True,
    accumulator_dtype: DType | None = None,
) -> GradientTransformation:
    """A measurement averaged over the steps, for :func:`monitor`.

    Args:
        measure: a function from a tree of updates to numbers.
        decay: the weight of the old value.
        debias: whether the average is corrected for its start at zero.
        accumulator_dtype: the dtype in which the average is stored.

    >>> from gdlab.interop import optax
    >>> tx = optax.monitor({"mean_norm": optax.measure_with_ema(optax.global_norm, 0.9)})
    """
    average = ema(decay, debias, accumulator_dtype)

    def measured(updates: Updates) -> Tree:
        return jax.tree.map(lambda x: jnp.asarray(x) * 1.0, measure(updates))

    def update(updates: Updates, state: Tree, params: Params = None, **_: Leaf) -> Any:  # noqa: ARG001
        return average.update(measured(updates), state)

    return GradientTransformationExtraArgs(lambda params: average.init(measured(params)), update)


@transformation(reads=EVERYTHING, slots=("measurements", "measure_states"))
def measuring(measures: dict[str, tuple[Function, Function]]) -> TreeFunctions:
    """Measure the updates, and keep the last measurements in the state."""

    def measure(updates, states, params, extra):
        pairs = [
            update(updates, state, params, **extra)
            for (_, update), state in zip(measures.values(), states, strict=True)
        ]
        found = dict(zip(measures, (value for value, _ in pairs), strict=True))
        return found, tuple(state for _, state in pairs)

    def init(params):
        states = tuple(init(params) for init, _ in measures.values())
        zeros = jax.tree.map(jnp.zeros_like, widen(params))
        shapes, _ = jax.eval_shape(lambda: measure(zeros, states, params, {}))
        return jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes), states

    def update(updates, state, params, **extra):
        return updates, measure(updates, state[1], params, extra)

    return init, update


def monitor(measures: Mapping[str, Transformation | Function]) -> Transformation:
    """Measure the updates, and keep the last measurements in the state; the updates pass unchanged.

    ``state.measurements[name]`` is a measurement.

    Args:
        measures: name → a function of a tree of updates, or a transformation such as
            :func:`measure_with_ema`.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> tx = optax.monitor({"norm": optax.global_norm})
    >>> _, state = tx.update(jnp.array([3.0, 4.0]), tx.init(jnp.zeros(2)))
    >>> state.measurements["norm"]
    Array(5., dtype=float32)
    """

    def as_pair(measure: Any) -> tuple[Function, Function]:
        if not callable(measure):
            init, update = measure
            return init, update
        return _nothing, lambda updates, state, *_, **__: (measure(updates), state)

    return measuring({name: as_pair(measure) for name, measure in measures.items()})


def _nothing(params: Params) -> tuple[()]:  # noqa: ARG001
    return ()
