"""Line search by bracketing and zooming, for the strong Wolfe conditions."""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter, NonNegative, Period, Positive
from gdlab.core.numerics import common_dtype, widen
from gdlab.core.structure import Number, Tree
from gdlab.core.transformation import transformation
from gdlab.transforms.line_search.bracket import Bracket
from gdlab.transforms.line_search.first_size import FIRST_SIZES
from gdlab.transforms.line_search.ray import Point, Searched, along, start_of, step_along
from gdlab.transforms.line_search.wolfe import Wolfe
from gdlab.transforms.norms.inner_products import chosen, filled


class _Search(NamedTuple):
    """The state of a search."""

    size: jax.Array
    """The step size to try next."""
    bracket: Bracket
    grad: Tree
    """The gradient at the lower end of the bracket, the best point so far."""
    met: jax.Array
    """True if the lower end meets both conditions."""
    ended: jax.Array
    trials: jax.Array

    @classmethod
    def at(cls, start: Point, grad: Tree, size: jax.Array) -> "_Search":
        """Return the search before its first trial; it is over if the ray does not descend."""
        useless = ~(start.is_finite() & (start.slope < 0))
        return cls(size, Bracket.unbounded(start), grad, jnp.array(False), useless, jnp.int32(0))

    def after(
        self,
        trial: Point,
        grad: Tree,
        wolfe: Wolfe,
        increase_factor: Number,
        longest: Number,
        precision: Number,
    ) -> "_Search":
        """Return the search after a trial at :attr:`size`."""
        low = self.bracket.low
        rises = wolfe.is_too_high(trial)
        met = ~rises & wolfe.is_flat(trial)
        higher = rises | ((trial.value >= low.value) & (low.size > 0) & ~met)
        bracket = self.bracket.with_trial(trial, higher)
        onward = jnp.minimum(self.bracket.beyond(trial, increase_factor), longest)
        narrow = bracket.is_narrower_than(precision) & (bracket.low.size > 0)
        return _Search(
            size=jnp.where(bracket.is_closed, bracket.next_size(), onward),
            bracket=bracket,
            grad=chosen(higher, self.grad, grad),
            met=met,
            ended=met | narrow | (~bracket.is_closed & (trial.size >= longest)),
            trials=self.trials + 1,
        )


@transformation(
    reads=("params", "value", "grad", "value_fn"),
    slots=("learning_rate", "decrease", "searched"),
)
def scale_by_zoom_linesearch(
    max_linesearch_steps: Period,
    max_learning_rate: Hyperparameter | None = None,
    tol: NonNegative = 0.0,
    increase_factor: Positive = 2.0,
    slope_rtol: NonNegative = 1e-4,
    curv_rtol: NonNegative = 0.9,
    approx_dec_rtol: NonNegative | None = 1e-6,
    stepsize_precision: NonNegative = 1e-5,
    initial_guess_strategy: Literal["keep", "one", "interpolate", "length_one"] = "keep",
) -> TreeFunctions:
    """Scale the updates by a line search for the strong Wolfe conditions.

    uₜ = η·dₜ with an η that meets the strong Wolfe conditions, φ(η) = f(wₜ + η·dₜ): φ(η) ≤ φ(0) +
    slope_rtol·η·φ′(0) and |φ′(η)| ≤ curv_rtol·|φ′(0)|. Trials grow until they bracket such an η;
    then the minimum of the cubic through both ends of the bracket is tried. Each trial evaluates
    value and gradient once. A point where the loss is not finite counts as too high.

    On a quadratic with ``curv_rtol`` near 0 it finds the minimum along the ray. The state keeps
    value and gradient at the accepted point, so that :func:`minimize` does not compute them again.
    If no trial decreases the loss, the updates are zero, and two such searches in a row end a run
    with a ``tol``. It must be the last link of a chain, after the change of sign.

    Args:
        max_linesearch_steps: the largest number of evaluations in a step. The best point up to then
            is accepted, even if its slope is too large.
        max_learning_rate: the largest step size; by default unbounded.
        tol: an absolute tolerance of both conditions.
        increase_factor: the smallest ratio of successive trials before there is a bracket; the
            cubic through the last two may choose up to 2.5 times this ratio.
        slope_rtol: the required fraction of the decrease that the slope predicts.
        curv_rtol: the largest remaining fraction of the slope; infinity requires only a decrease.
        approx_dec_rtol: if the relative rise of the loss is below this, rounding makes the first
            condition meaningless, and φ′(η) ≤ (2·slope_rtol − 1)·φ′(0) replaces it (Hager and Zhang
            2005); never if None.
        stepsize_precision: the search ends with the best point when the bracket is narrower than
            this fraction of its farther end.
        initial_guess_strategy: the first trial of each step: "one" for 1; "keep" for the last step
            size; "interpolate" to expect the same decrease as in the last step, at most 1; or
            "length_one" for the same with a first step of length 1.

    Raises:
        ValueError: if ``params``, ``value``, ``grad`` or ``value_fn`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import chain, minimize, scale_by_zoom_linesearch, sgd
    >>> tx = chain(sgd(1.0), scale_by_zoom_linesearch(15))
    >>> minimize(lambda w: 3 * w**2, 1.0, tx, steps=1).values.round(4)
    Array([3., 0.], dtype=float32)

    Source: J. Nocedal, S. Wright, Numerical Optimization, 2006, algorithms 3.5 and 3.6.
    """
    first_size = FIRST_SIZES[initial_guess_strategy]
    longest = jnp.inf if max_learning_rate is None else max_learning_rate

    def init(params):
        dtype = common_dtype(jax.tree.leaves(params))
        return jnp.ones((), dtype), jnp.zeros((), dtype), Searched.nothing(params)

    def update(updates, state, params, *, value, grad, value_fn):
        learning_rate, decrease, searched = state
        direction, grad = filled(updates, params), filled(widen(grad), params)
        start = start_of(value, grad, direction)
        at = along(value_fn, params, direction)
        wolfe = Wolfe(start, slope_rtol, curv_rtol, tol, approx_dec_rtol)

        def goes_on(search):
            return ~search.ended & (search.trials.astype(start.value.dtype) < max_linesearch_steps)

        def attempt(search):
            trial, gradient = at(search.size)
            rest = wolfe, increase_factor, longest, stepsize_precision
            return search.after(trial.or_infinite(), gradient, *rest)

        size = jnp.minimum(first_size(learning_rate, decrease, start, direction), longest)
        search = jax.lax.while_loop(goes_on, attempt, _Search.at(start, grad, size))
        # A loss that is equal up to rounding is no decrease.
        failed = ~(search.met | (search.bracket.low.value < start.value))
        found = chosen(failed, start, search.bracket.low)
        return step_along(direction, found.size), (
            jnp.where(failed, learning_rate, found.size),
            start.value - found.value,
            searched.after(found.value, chosen(failed, grad, search.grad), search.trials, failed),
        )

    return init, update
