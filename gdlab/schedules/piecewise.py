"""Values at given steps: constant between them, or interpolated."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import jax
import jax.numpy as jnp

from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function, Number
from gdlab.schedules.progress import has_begun, progress
from gdlab.schedules.shapes import Shape, shape_of


@schedule
def piecewise_constant_schedule(
    init_value: Hyperparameter,
    boundaries_and_scales: Mapping[int, Hyperparameter] | None = None,
) -> Function:
    """Piecewise constant values, multiplied by a scale at each boundary.

    η(t) = init·∏ {scale : boundary ≤ t}

    Args:
        init_value: the value at step 0.
        boundaries_and_scales: boundary, the first step with a new value → the scale.

    Raises:
        ValueError: if a boundary is below 0, the first step.

    >>> from gdlab import piecewise_constant_schedule
    >>> [float(piecewise_constant_schedule(1.0, {1: 0.5, 3: 0.5})(t)) for t in range(5)]
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """
    _require_counts(boundaries_and_scales)

    def value(count):
        current = jnp.asarray(init_value)
        for boundary, scale in (boundaries_and_scales or {}).items():
            current = jnp.where(has_begun(count, boundary), current * scale, current)
        return current

    return value


@schedule
def piecewise_interpolate_schedule(
    interpolate_type: str,
    init_value: Hyperparameter,
    boundaries_and_scales: Mapping[int, Hyperparameter] | None = None,
) -> Function:
    """Lines or half cosines between values, each value a multiple of the previous one.

    At the boundary bᵢ the value is init·scale₁ ⋯ scaleᵢ, with interpolation between boundaries.

    Args:
        interpolate_type: ``"linear"``, ``"cosine"``, or another shape that
            :func:`warmup_stable_decay_schedule` knows.
        init_value: the value at step 0.
        boundaries_and_scales: step at which a value is reached → the ratio of the value to the
            previous one.

    Raises:
        ValueError: if there is no shape of that name, or a boundary is below 0, the first step.

    >>> from gdlab import piecewise_interpolate_schedule
    >>> eta = piecewise_interpolate_schedule("linear", 1.0, {2: 3.0, 4: 0.5})
    >>> [float(eta(t)) for t in range(6)]
    [1.0, 2.0, 3.0, 2.25, 1.5, 1.5]
    """
    shape = shape_of("interpolate_type", interpolate_type)
    _require_counts(boundaries_and_scales)
    steps, values = [0], [init_value]
    for boundary, scale in sorted((boundaries_and_scales or {}).items()):
        steps.append(boundary)
        values.append(values[-1] * scale)
    return lambda count: interpolated(count, steps, values, shape)


def _require_counts(boundaries_and_scales: Mapping[int, Number] | None) -> None:
    below = [boundary for boundary in boundaries_and_scales or {} if boundary < 0]
    if below:
        raise ValueError(f"boundaries_and_scales: steps count from 0, not {below[0]}")


def interpolated(
    count: jax.Array, steps: Sequence[Number], values: Sequence[Number], shape: Shape
) -> jax.Array:
    """Interpolate between values at steps that rise; constant before the first and after the last.

    Args:
        count: the step.
        steps: the steps at which values are given.
        values: a value for each of ``steps``.
        shape: the shape of the interpolation from one value to the next.
    """
    current = jnp.asarray(values[0])
    for number, (begin, end) in enumerate(pairwise(steps)):
        done = progress(count, begin, end - begin)
        current = jnp.where(
            has_begun(count, begin), shape(values[number], values[number + 1], done), current
        )
    return current
