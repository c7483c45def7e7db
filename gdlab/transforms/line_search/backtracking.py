"""Backtracking line search."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative, Period, Positive
from gdlab.core.numerics import common_dtype, widen
from gdlab.core.transformation import transformation
from gdlab.transforms.line_search.ray import Searched, along, start_of, step_along
from gdlab.transforms.norms.inner_products import chosen, filled


@transformation(reads=("params", "value", "grad", "value_fn"), slots=("learning_rate", "searched"))
def scale_by_backtracking_linesearch(
    max_backtracking_steps: Period,
    slope_rtol: NonNegative = 1e-4,
    decrease_factor: Fraction = 0.8,
    increase_factor: Positive = 1.5,
    max_learning_rate: Hyperparameter = 1.0,
    atol: NonNegative = 0.0,
    rtol: NonNegative = 0.0,
) -> TreeFunctions:
    """Scale the updates down until the loss decreases enough (Armijo's condition).

    uₜ = η·dₜ with the first η of η₀, c·η₀, c²·η₀, … for which f(wₜ + η·dₜ) ≤ f(wₜ) +
    slope_rtol·η·⟨∇f(wₜ), dₜ⟩ + rtol·|f(wₜ)| + atol, where c is ``decrease_factor`` and η₀ is the
    last η times ``increase_factor``, at most ``max_learning_rate``. A point where the loss is not
    finite is rejected.

    The state keeps value and gradient at the accepted point, so that :func:`minimize` does not
    compute them again. If no step is accepted, the updates are zero, and two such searches in a row
    end a run with a ``tol``. It must be the last link of a chain, after the change of sign.

    Args:
        max_backtracking_steps: the largest number of evaluations in a step.
        slope_rtol: the required fraction of the decrease that the slope predicts, in (0, 1).
        decrease_factor: the factor c between trials, in (0, 1).
        increase_factor: the ratio of the first trial to the last step size.
        max_learning_rate: the largest step size, which is also the very first trial.
        atol: an absolute tolerance of the condition.
        rtol: a tolerance relative to the loss.

    Raises:
        ValueError: if ``params``, ``value``, ``grad`` or ``value_fn`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import chain, minimize, scale_by_backtracking_linesearch, sgd
    >>> tx = chain(sgd(1.0), scale_by_backtracking_linesearch(20, decrease_factor=0.5))
    >>> minimize(lambda w: 2 * w**2, 1.0, tx, steps=2).path
    Array([1., 0., 0.], dtype=float32)

    Source: L. Armijo, Minimization of functions having Lipschitz continuous first partial
    derivatives, 1966; J. Nocedal, S. Wright, Numerical Optimization, 2006, algorithm 3.1.
    """

    def init(params):
        dtype = common_dtype(jax.tree.leaves(params))
        return jnp.asarray(max_learning_rate, dtype), Searched.nothing(params)

    def update(updates, state, params, *, value, grad, value_fn):
        learning_rate, searched = state
        direction, grad = filled(updates, params), filled(widen(grad), params)
        start = start_of(value, grad, direction)
        at = along(value_fn, params, direction)
        bound = start.value + rtol * jnp.abs(start.value) + atol

        def goes_on(search):
            _, _, accepted, _, trials = search
            return ~accepted & (trials.astype(start.value.dtype) < max_backtracking_steps)

        def shorten(search):
            size, *_, trials = search
            trial, gradient = at(size)
            accepted = trial.value <= bound + slope_rtol * size * start.slope
            accepted = accepted & trial.is_finite()
            return (
                jnp.where(accepted, size, decrease_factor * size),
                trial,
                accepted,
                gradient,
                trials + 1,
            )

        # If the direction is not one of descent, no step is tried.
        longest = jnp.minimum(increase_factor * learning_rate, max_learning_rate)
        nowhere = start._replace(size=-jnp.ones_like(longest))
        first = longest, nowhere, ~(start.is_finite() & (start.slope < 0)), grad, jnp.int32(0)
        size, trial, _, gradient, trials = jax.lax.while_loop(goes_on, shorten, first)
        failed = trial.size != size
        step = step_along(direction, jnp.where(failed, 0, size))
        value = jnp.where(failed, start.value, trial.value)
        gradient = chosen(failed, grad, gradient)
        return step, (size, searched.after(value, gradient, trials, failed))

    return init, update
