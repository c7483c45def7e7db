"""The search for the points with the largest expected improvement."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.sweeps.proposals.gaussian_process import (
    Observed,
    conditioned,
    fitted,
    log_expected_improvement,
)

CANDIDATES, CLOSE_CANDIDATES = 1024, 256
"""The number of candidates: at first, as many all over the cube as near the best points so far; and
in each later round, near the best candidate."""
CENTRES = 4
"""The number of points with the lowest means near which candidates are drawn."""
LEAST_DISTANCE, PENALTY = 1e-3, 1e4
"""The distance, along every side, within which two points count as the same, and the penalty on the
log expected improvement of a point that was observed already."""
ROUNDS = 4
"""The number of rounds that look closer around the best candidate."""


@functools.partial(jax.jit, static_argnames=("count",))
def best_batch(observed: Observed, levels: jax.Array, key: jax.Array, *, count: int) -> jax.Array:
    """Choose ``count`` points, each the best if those before it turn out as expected.

    A chosen point counts as observed with the posterior mean there, so that the next ones keep away
    from it.

    Args:
        observed: the values so far, with at least ``count`` padding rows.
        levels: the values that can be tried along each dimension, of shape ``(dimensions, most)``,
            padded with infinities; infinities alone allow all values between 0 and 1.
        key: a PRNG key.
        count: the number of points.

    Source: D. Ginsbourger, R. Le Riche and L. Carraro, Kriging is well-suited to parallelize
    optimization, 2010, section 4.2.
    """
    posterior = fitted(observed)
    first = jnp.sum(observed.counts)

    def choose(observed: Observed, turn: tuple[jax.Array, jax.Array]) -> tuple[Observed, jax.Array]:
        number, key = turn
        now = conditioned(posterior.scales, observed)
        means, _ = now(observed.points)
        means = jnp.where(observed.counts, means, jnp.inf)
        best = jnp.min(means)

        def worth(points: jax.Array) -> jax.Array:
            taken = _taken(points, observed)
            return log_expected_improvement(*now(points), best) - jnp.where(taken, PENALTY, 0.0)

        centres = observed.points[jnp.argsort(means)[:CENTRES]]
        point = _most_worth(worth, centres, functools.partial(_snapped, levels), key)
        mean, _ = now(point[None])
        row = first + number
        observed = Observed(
            observed.points.at[row].set(point),
            observed.values.at[row].set(mean[0]),
            observed.counts.at[row].set(True),
        )
        return observed, point

    keys = jax.random.split(key, count)
    _, points = jax.lax.scan(choose, observed, (jnp.arange(count), keys))
    return points


def _most_worth(
    worth: Callable[[jax.Array], jax.Array],
    centres: jax.Array,
    snap: Callable[[jax.Array], jax.Array],
    key: jax.Array,
) -> jax.Array:
    """The best of candidates all over the cube and near some centres, refined in rounds."""
    everywhere, about, closer = jax.random.split(key, 3)
    dimensions = centres.shape[1]
    spread = jax.random.uniform(everywhere, (CANDIDATES, dimensions))
    near = _about(jnp.repeat(centres, CANDIDATES // len(centres), axis=0), 0.1, about)
    candidates = snap(jnp.concatenate([spread, near]))
    best = candidates[jnp.argmax(worth(candidates))]

    def look_closer(best: jax.Array, turn: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        distance, key = turn
        around = _about(jnp.broadcast_to(best, (CLOSE_CANDIDATES, dimensions)), distance, key)
        candidates = snap(around).at[0].set(best)
        return candidates[jnp.argmax(worth(candidates))], None

    distances = jnp.asarray(0.05 / 3.0 ** np.arange(ROUNDS))
    best, _ = jax.lax.scan(look_closer, best, (distances, jax.random.split(closer, ROUNDS)))
    return best


def _taken(points: jax.Array, observed: Observed) -> jax.Array:
    """Tell which points were observed before, so that they are not run again."""
    apart = jnp.max(jnp.abs(points[:, None] - observed.points[None]), axis=-1)
    return jnp.any((apart < LEAST_DISTANCE) & observed.counts[None], axis=1)


def _about(points: jax.Array, distance: Any, key: jax.Array) -> jax.Array:
    """Points displaced by normal distances, some of them along few dimensions only."""
    moves, which = jax.random.split(key)
    steps = distance * jax.random.normal(moves, points.shape)
    moved = jax.random.bernoulli(which, 0.7, points.shape)
    return jnp.clip(points + jnp.where(moved, steps, 0.0), 0.0, 1.0)


def _snapped(levels: jax.Array, points: jax.Array) -> jax.Array:
    """The nearest points whose coordinates are among the levels."""
    nearest = jnp.argmin(jnp.abs(points[..., None] - levels[None]), axis=-1)
    snapped = levels[jnp.arange(len(levels))[None], nearest]
    return jnp.where(jnp.isfinite(snapped), snapped, points)
