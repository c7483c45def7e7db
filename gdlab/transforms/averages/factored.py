"""Factored averages of matrices, which keep only means of rows and columns."""

from typing import Literal

import jax.numpy as jnp
import numpy as np

from gdlab.checks.kinds import Size
from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import chain, fork, identity
from gdlab.transforms.signals.pointwise import shift
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.reductions import outer_over_mean

FactoredAxes = Literal["largest", "last"]
"""The two axes that are factored: the two longest, or the last two."""


@schedule
def factored_decay(decay_rate: NonNegative = 0.8, step_offset: Hyperparameter = 0) -> Function:
    """The decay of Adafactor's averages, which rises from 0 to 1.

    βₜ = 1 − t^(−decay_rate), t = 1, 2, … after ``step_offset`` steps

    >>> from gdlab import factored_decay
    >>> [float(factored_decay(0.5)(t)) for t in (0, 3)]
    [0.0, 0.5]
    """

    def value(count):
        t = count.astype(float) + 1 - step_offset
        return 1 - jnp.maximum(t, 1) ** -decay_rate

    return value


@leafwise(slots=("rows", "columns"), nonnegative=("rows", "columns"))
def factored_ema(
    decay: Fraction,
    min_dim_size_to_factor: Size = 128,
    factored: bool = True,
    *,
    axes: FactoredAxes = "largest",
    matrices_only: bool = False,
) -> LeafFunctions:
    """The average of nonnegative matrices, approximated by a matrix of rank one from its margins.

    rₜ = decay·rₜ₋₁ + (1 − decay)·(means of gₜ over one axis), cₜ likewise over the other,
    uᵢⱼ = rᵢ·cⱼ/mean(r)

    The state has m + n numbers for an m×n matrix; further axes are batch axes. Arrays without two
    axes of the required length are averaged without factoring. A matrix of rank one is averaged
    exactly at the first step, and as long as its margins do not change.

    Args:
        decay: weight of the old value.
        min_dim_size_to_factor: the smallest length of two axes that are factored.
        factored: False to average all arrays without factoring.
        axes: "largest" for the two longest axes, "last" for the last two.
        matrices_only: whether the output for an array that is not factored is ones, without any
            state.

    Raises:
        ValueError: if ``axes`` is neither.

    >>> import jax.numpy as jnp
    >>> from gdlab import factored_ema
    >>> tx = factored_ema(0.0, 2)
    >>> tx.update(jnp.array([[1.0, 3.0], [3.0, 9.0]]), tx.init(jnp.zeros((2, 2))))[0]
    Array([[1., 3.],
           [3., 9.]], dtype=float32)

    Source: N. Shazeer, M. Stern, Adafactor: adaptive learning rates with sublinear memory cost,
    2018, algorithm 1.
    """

    def matrix_axes(like):
        """The two factored axes, or None if the array is not factored."""
        if not factored or like.ndim < 2 or not like.size:
            return None
        order = np.argsort(like.shape, kind="stable")
        of_columns, of_rows = map(int, order[-2:]) if axes == "largest" else (-2, -1)
        too_short = min(like.shape[of_columns], like.shape[of_rows]) < min_dim_size_to_factor
        return None if too_short else (of_rows, of_columns)

    def init(like):
        found = matrix_axes(like)
        if found is None:
            return (() if matrices_only else jnp.zeros_like(like)), ()
        return tuple(jnp.zeros_like(jnp.mean(like, axis, keepdims=True)) for axis in found)

    def update(u, state):
        found = matrix_axes(u)
        average = lambda old, new: decay * old + (1 - decay) * new  # noqa: E731
        if found is None and matrices_only:
            return jnp.ones_like(u), state
        if found is None:
            mean = average(state[0], u)
            return mean, (mean, ())
        means = [jnp.mean(u, axis, keepdims=True) for axis in found]
        rows, columns = map(average, state, means)
        return outer_over_mean(found[1])(rows, columns), (rows, columns)

    return init, update


@transformation
def scale_by_factored_rms(
    factored: bool = True,
    decay_rate: NonNegative = 0.8,
    step_offset: Hyperparameter = 0,
    min_dim_size_to_factor: Size = 128,
    epsilon: NonNegative = 1e-30,
    *,
    axes: FactoredAxes = "largest",
    decay: Fraction | None = None,
) -> GradientTransformation:
    """Divide by the root of a factored average of squares.

    uₜ = gₜ/√vₜ, with v the :func:`factored_ema` of gₜ² + epsilon with the decay 1 − t^(−decay_rate)

    Args:
        factored: False to keep an average for each element.
        decay_rate: the exponent in the decay.
        step_offset: the number of steps before t starts at 1, for fine-tuning.
        min_dim_size_to_factor: the smallest length of two axes that are factored.
        epsilon: ε, added to the squares.
        axes: which two axes are factored, as in :func:`factored_ema`.
        decay: the decay, in place of the schedule 1 − t^(−decay_rate).

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_factored_rms
    >>> tx = scale_by_factored_rms()
    >>> tx.update(jnp.array([3.0, -0.5]), tx.init(jnp.zeros(2)))[0]
    Array([ 1., -1.], dtype=float32)

    Source: N. Shazeer, M. Stern, Adafactor: adaptive learning rates with sublinear memory cost,
    2018, algorithms 4 and 5.
    """
    weight = factored_decay(decay_rate, step_offset) if decay is None else decay
    average = factored_ema(weight, min_dim_size_to_factor, factored, axes=axes)
    return fork(ratio(), identity(), nu=chain(square(), shift(epsilon), average))
