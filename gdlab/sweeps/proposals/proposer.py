"""Policies that choose the points of a sweep in batches, each from what came of those before."""

import dataclasses
import math
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.axes.grid import Points
from gdlab.axes.sampling import sobol_or_random
from gdlab.checks.checked import checked_class
from gdlab.checks.kinds import Length, Name
from gdlab.sweeps.plan.policies import Policy
from gdlab.sweeps.proposals.gaussian_process import Observed
from gdlab.sweeps.proposals.search import best_batch
from gdlab.sweeps.proposals.space import Space

WALL = 2.0
"""The height above the median, in units of its own height above the best score, at which scores are
cut off."""
ROWS = 32
"""The number of points to a multiple of which arrays are padded."""


class Measured(NamedTuple):
    """The points so far, n of them, as a proposer sees them."""

    space: Space
    """The axes."""
    points: Points
    """The value of each axis at each point, of shape ``(n,)``."""
    scores: np.ndarray
    """The median over seeds, of shape ``(n,)``: the smaller the better, infinite for the dead."""
    capacity: int
    """The number of points that there will be in all, so that arrays can be of one size."""
    key: jax.Array
    """The randomness of this batch."""


@runtime_checkable
class Proposer(Protocol):
    """The interface of a policy that chooses points; any class that has it is one."""

    @property
    def batch(self) -> int:
        """The number of points that are chosen, and trained, together."""
        ...

    @property
    def metric(self) -> str:
        """The metric that judges points: "final_loss", or the name of an evaluation metric."""
        ...

    @property
    def maximize(self) -> bool | None:
        """True if more of it is better, False if less is, None if its name tells."""
        ...

    @property
    def policy(self) -> Policy | None:
        """The policy that drops or moves points of a batch on the way, if there is one."""
        ...

    def propose(self, measured: Measured, count: int, /) -> Points:
        """So many points, the value of each axis at each of them, of shape ``(count,)``."""
        ...


@checked_class
@dataclasses.dataclass(frozen=True)
class GaussianProcess:
    """Choose points where a Gaussian process expects the most, from what came of those before.

    The first batch fills the space evenly. From then on a Gaussian process with the Matérn-5/2
    kernel is fitted to the scores, and each point of a batch is the one of largest expected
    improvement, given that those before it in the batch turn out as expected. Sampled axes are
    chosen from between their bounds, and on their logarithms if they are ``log_uniform``; of a list
    of values, such as whole numbers, one is chosen.

    Scores that are all positive, as losses are, count by their logarithm. What diverged counts as
    the worst that did not.

    Args:
        batch: how many points are chosen, and trained, together: the more, the faster, the fewer,
            the better informed.
        metric: by what points are judged: "final_loss", or the name of an evaluation metric.
        maximize: whether more of it is better, unless its name tells.
        policy: what becomes of the points of a batch on the way, such as
            :class:`~gdlab.SuccessiveHalving`; a point that it drops counts as the worst.

    Raises:
        ValueError: if ``batch`` is not positive.

    >>> from gdlab import Axis, GaussianProcess, sgd, sweep
    >>> tx = sgd(Axis.log_uniform("learning_rate", 1e-4, 10.0))
    >>> result = sweep(
    ...     lambda w: (w - 1) ** 2, 0.0, tx, steps=10, samples=24, policy=GaussianProcess(batch=4)
    ... )
    >>> result.dims
    ('sample', 'seed')
    >>> round(result.best()["learning_rate"], 2)
    0.5
    """

    batch: Length = 8
    metric: Name = "final_loss"
    maximize: bool | None = None
    policy: Policy | None = None

    def propose(self, measured: Measured, count: int) -> Points:
        """Points that fill the space if nothing was measured yet, and else the most promising."""
        space, key = measured.space, measured.key
        number, sides = len(measured.scores), len(space.sides)
        if number == 0:
            entropy = np.asarray(jax.random.key_data(key)).ravel().tolist()
            return space.points(sobol_or_random(count, sides, "sobol", entropy))
        # Of a round size, so that sweeps of other sizes need not compile again.
        rows = ROWS * math.ceil((measured.capacity + count) / ROWS)
        points = np.zeros((rows, sides))
        points[:number] = space.quantiles(measured.points)
        values = np.zeros(rows)
        values[:number] = standardized(measured.scores)
        observed = Observed(*map(jnp.asarray, (points, values, np.arange(rows) < number)))
        chosen = best_batch(observed, jnp.asarray(space.levels), key, count=count)
        return space.points(np.asarray(chosen, np.float64))


def standardized(scores: np.ndarray) -> np.ndarray:
    """Scores, of which infinite ones are the worst, about 0 on average and 1 in variance.

    They count by their logarithms if none is negative, and what is far above the median is cut off,
    so that the slopes of a valley are not hidden by the height of its walls.
    """
    alive = np.isfinite(scores)
    if not alive.any():
        return np.zeros(scores.shape)
    values = np.where(alive, scores, np.max(scores[alive]))
    positive = values[values > 0]
    if np.all(values >= 0) and positive.size:
        # A loss of 0 is a digit better than the best that has a logarithm.
        values = np.log(np.maximum(values, np.min(positive) / 10))
    middle = np.median(values[alive])
    values = np.minimum(values, middle + WALL * (middle - np.min(values)))
    spread = np.std(values)
    return (values - np.mean(values)) / (spread if spread > 0 else 1.0)
