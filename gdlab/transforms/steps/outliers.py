"""A guard against outliers: spikes of the loss and huge gradients."""

import jax
import jax.numpy as jnp

from gdlab.checks.kinds import Count
from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.joins import JoinLike, join
from gdlab.core.numerics import common_dtype, safe_divide, safe_increment, safe_sqrt
from gdlab.core.rules import EVERYTHING, require
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.transforms.norms.norms import tree_norm
from gdlab.transforms.steps.guarding import step_if


@join
def beyond_sigmas(sigmas: NonNegative = 6.0, least: NonNegative = 0.01) -> Function:
    """Tell whether a number is many standard deviations above the mean of earlier ones.

    x > mean + sigmas·max(σ, least·|mean|), once half of the window is filled

    Args:
        sigmas: the number of standard deviations above the mean that are still ordinary.
        least: the least σ, as a fraction of the mean, so that rounding does not count as an outlier
            in a run whose numbers hardly change.

    >>> import jax.numpy as jnp
    >>> from gdlab import beyond_sigmas
    >>> before, known = jnp.array([1.0, 3.0]), jnp.array([True, True])
    >>> beyond_sigmas(2.0)(jnp.array([3.5, 4.5]), before, known)
    Array([False,  True], dtype=bool)
    """

    def tell(x, before, known):
        count = jnp.sum(known).astype(before.dtype)
        mean = safe_divide(jnp.sum(jnp.where(known, before, 0)), count)
        sigma = safe_sqrt(safe_divide(jnp.sum(jnp.where(known, (before - mean) ** 2, 0)), count))
        ordinary = mean + sigmas * jnp.maximum(sigma, least * jnp.abs(mean))
        return (x > ordinary) & _half(known)

    return tell


@join
def beyond_median(factor: NonNegative = 10.0) -> Function:
    """Tell whether a number is many times the median of earlier ones.

    x > factor·median, once half of the window is filled

    Args:
        factor: the multiple of the median up to which a number is ordinary.

    >>> import jax.numpy as jnp
    >>> from gdlab import beyond_median
    >>> before, known = jnp.array([1.0, 2.0, 9.0]), jnp.array([True, True, True])
    >>> beyond_median(3.0)(jnp.array([5.0, 7.0]), before, known)
    Array([False,  True], dtype=bool)
    """

    def tell(x, before, known):
        ordered = jnp.sort(jnp.where(known, before, jnp.inf))
        count = jnp.sum(known)
        median = 0.5 * (ordered[(count - 1) // 2] + ordered[count // 2 % ordered.size])
        return (x > factor * median) & _half(known)

    return tell


@join
def above(limit: Hyperparameter) -> Function:
    """Tell whether a number is above a fixed limit.

    >>> import jax.numpy as jnp
    >>> from gdlab import above
    >>> above(2.0)(jnp.array([1.0, 3.0]), None, None)
    Array([False,  True], dtype=bool)
    """
    return lambda x, _, __: x > limit


def _half(known: jax.Array) -> jax.Array:
    return 2 * jnp.sum(known) >= known.size


@transformation(
    reads=EVERYTHING,
    slots=("last_taken", "skipped_count", "total_skipped", "recent", "recent_count", "inner_state"),
)
def skip_outliers(
    inner: GradientTransformation,
    is_outlier: JoinLike = beyond_sigmas(),  # noqa: B008
    window: Count = 128,
    *,
    of_value: bool = False,
) -> TreeFunctions:
    """Skip steps that are outliers or not finite, and count them.

    A step is skipped if the norm of its gradient, or its loss, is an outlier compared with the last
    steps taken, or if :func:`apply_if_finite` would skip it. A skipped step changes neither the
    parameters nor the inner state and its schedules. Without such a guard, one gradient of 10¹⁸
    leaves a finite but so large square in Adam's state that Adam hardly moves for 10⁴ steps or
    more.

    It does not skip steps for ever: after ``window`` outliers in a row the earlier numbers are
    forgotten, and the window is filled anew. Read ``state.skipped_count``, the number skipped in a
    row, and ``state.total_skipped``. Guards for the norm and for the loss can be nested.

    Args:
        inner: the transformation to guard.
        is_outlier: :func:`beyond_sigmas`, :func:`beyond_median`, :func:`above`, or a function of
            the number, the last numbers, and a mask of which of these are known.
        window: the number of last numbers that are kept.
        of_value: whether to test the loss, the keyword ``value`` of ``update``, instead of the norm
            of all updates.

    Raises:
        ValueError: if ``of_value`` is set and ``value`` is missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import beyond_median, sgd, skip_outliers
    >>> tx = skip_outliers(sgd(1.0), beyond_median(10.0), window=2)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (1.0, 1e18, 2.0):
    ...     updates, state = tx.update(jnp.array([g]), state)
    ...     print(updates, state.total_skipped)
    [-1.] 0
    [0.] 1
    [-2.] 1
    """

    def init(params):
        zero = jnp.zeros((), jnp.int32)
        recent = jnp.zeros(window, common_dtype(jax.tree.leaves(params)))
        return jnp.array(True), zero, zero, recent, zero, inner.init(params)

    def update(updates, state, params, **extra):
        _, in_a_row, total, recent, count, old = state
        if of_value:
            require(
                {"value": "skip_outliers, which watches the loss."}, "value", extra.get("value")
            )
        number = extra["value"] if of_value else tree_norm(updates)
        number = jnp.asarray(number).astype(recent.dtype)
        known = jnp.arange(window) < count
        accepted = jnp.isfinite(number) & ~is_outlier(number, recent, known)
        taken, new_updates, new = step_if(accepted, inner, updates, old, params, extra)
        in_a_row = jnp.where(taken, 0, safe_increment(in_a_row))
        forgets = in_a_row >= window
        return new_updates, (
            taken,
            in_a_row,
            jnp.where(taken, total, safe_increment(total)),
            jnp.where(taken, recent.at[count % window].set(number), recent),
            jnp.where(taken, safe_increment(count), jnp.where(forgets, 0, count)),
            new,
        )

    return init, update
