"""Levenberg–Marquardt: Gauss–Newton steps, damped until they decrease the sum of squares."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Period, Positive
from gdlab.core.numerics import common_dtype, widen
from gdlab.core.structure import Function, Tree, Updates
from gdlab.core.transformation import transformation
from gdlab.transforms.line_search.ray import Searched, along
from gdlab.transforms.norms.inner_products import chosen, filled
from gdlab.transforms.probes.residuals import Linearized, number_of


class _Trials(NamedTuple):
    """The state of the trials of shorter and shorter steps."""

    radius: jax.Array
    """The length of the step to try next."""
    step: Updates
    value: jax.Array
    grad: Tree
    taken: jax.Array
    trials: jax.Array


@transformation(
    reads=("params", "value", "grad", "value_fn"), slots=("radius", "scales", "searched")
)
def levenberg_marquardt(
    residuals: Function,
    initial_radius: Positive = 100.0,
    max_trials: Period = 20.0,
) -> TreeFunctions:
    """Gauss–Newton steps, damped until they decrease the sum of squares.

    wₜ₊₁ = wₜ + p with (JᵀJ + λ·D²)·p = −Jᵀr, D the largest norm so far of each column of J, and λ
    such that ‖D·p‖ ≤ Δ, which is 0 if the Gauss–Newton step is short enough. Let ρ be the decrease
    of ‖r‖² divided by that of the linear model. A step with ρ > 10⁻⁴ is taken; otherwise Δ shrinks,
    by a factor from 2 to 10 given by a parabola through the trial, and the next trial uses the same
    decomposition of J. Δ shrinks at ρ ≤ ¼ as well, and becomes 2‖D·p‖ at ρ ≥ ¾ or λ = 0.

    While λ = 0 it is Gauss–Newton; for small Δ it steps along the gradient. It depends on the units
    of the parameters only through Δ₀. If the residuals vanish at the minimum and J has full rank,
    it converges quadratically.

    When to use:
        Curve fits and other least-squares problems of at most some hundreds of parameters: try it
        first.

    Args:
        residuals: a function of the parameters that returns an array or a tree of real arrays. The
            loss must be a positive multiple of ‖r‖², such as :func:`half_squares` of the same
            function.
        initial_radius: Δ₀ in units of ‖D·w₀‖, or in units of 1 if that is 0.
        max_trials: the largest number of trials per step.

    Raises:
        ValueError: if ``params``, ``value``, ``grad`` or ``value_fn`` are missing.
        TypeError: if a parameter or a residual is complex.

    >>> import jax.numpy as jnp
    >>> from gdlab import half_squares, levenberg_marquardt, minimize
    >>> t, y = jnp.arange(4.0), jnp.array([2.0, 1.0, 0.5, 0.25])
    >>> residuals = lambda w: w["a"] * jnp.exp(-w["b"] * t) - y
    >>> start, tx = {"a": 1.0, "b": 0.1}, levenberg_marquardt(residuals)
    >>> minimize(half_squares(residuals), start, tx, 20, tol=1e-5).params["a"].round(3)
    Array(2., dtype=float32)

    Source: J. J. Moré, The Levenberg–Marquardt algorithm: implementation and theory, 1978; before
    him K. Levenberg, 1944, and D. Marquardt, 1963.
    """

    def init(params):
        dtype = common_dtype(jax.tree.leaves(params))
        scales = jnp.zeros(number_of(params), dtype)
        return jnp.zeros((), dtype), scales, Searched.nothing(params)

    def update(updates, state, *, params, value, grad, value_fn):
        del updates
        radius, scales, searched = state
        grad = filled(widen(grad), params)
        value = jnp.asarray(value).astype(radius.dtype)
        model = Linearized.at(residuals, params, scales)
        length = model.length(params)
        first = initial_radius * jnp.where(length > 0, length, 1)
        is_first = searched.evaluations == 0
        # The loss may be another positive multiple of the sum of squares than half of it.
        multiple = value / jnp.where(model.squares > 0, model.squares, 1)

        def goes_on(it):
            return ~it.taken & (it.trials.astype(radius.dtype) < max_trials)

        def attempt(it):
            damping = model.damping(it.radius)
            step, length = model.step(damping)
            trial, gradient = along(value_fn, params, step)(jnp.ones_like(radius))
            promised, slope = (multiple * number for number in model.decrease(damping))
            decrease = jnp.where(trial.is_finite(), value - trial.value, -jnp.inf)
            ratio = decrease / jnp.where(promised > 0, promised, 1)
            taken = (ratio > 1e-4) & (promised > 0)
            beyond = jnp.where(
                is_first & (it.trials == 0), jnp.minimum(it.radius, length), it.radius
            )
            return _Trials(
                radius=_next_radius(beyond, length, ratio, slope, decrease, damping),
                step=chosen(taken, step, it.step),
                value=jnp.where(taken, trial.value, value),
                grad=chosen(taken, gradient, grad),
                taken=taken,
                trials=it.trials + 1,
            )

        nowhere, no = jax.tree.map(jnp.zeros_like, grad), jnp.array(False)
        start = jnp.where(is_first, first, radius)
        end = jax.lax.while_loop(
            goes_on, attempt, _Trials(start, nowhere, value, grad, no, jnp.int32(0))
        )
        after = searched.after(end.value, end.grad, end.trials, ~end.taken)
        return end.step, (end.radius, model.scales, after)

    return init, update


def _next_radius(
    radius: jax.Array,
    length: jax.Array,
    ratio: jax.Array,
    slope: jax.Array,
    decrease: jax.Array,
    damping: jax.Array,
) -> jax.Array:
    """The radius after a trial of a step of this length (Moré 1978, section 4, and MINPACK)."""
    # The minimum of the parabola with the slope at the start and the value at the trial.
    above = slope - decrease
    least = jnp.where(jnp.isfinite(decrease), slope / (2 * jnp.where(above > 0, above, 1)), 0)
    part = jnp.where(decrease >= 0, 0.5, jnp.clip(least, 0.1, 0.5))
    shorter = part * jnp.minimum(radius, 10 * length)
    longer = jnp.where((ratio >= 0.75) | (damping == 0), 2 * length, radius)
    return jnp.where(ratio <= 0.25, shorter, longer)
