"""Policies that choose the points of a sweep in batches, each from the scores of those before."""

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
"""The distance above the median at which scores are clipped, in units of median − best."""
ROWS = 32
"""Arrays are padded to a multiple of this number of points."""


class Measured(NamedTuple):
    """The n points so far, as a proposer sees them."""

    space: Space
    """The axes."""
    points: Points
    """The value of each axis at each point, of shape ``(n,)``."""
    scores: np.ndarray
    """The median over seeds, of shape ``(n,)``: smaller is better, infinite where half of them
    failed."""
    capacity: int
    """The number of points that the sweep will have in all, to which arrays can be padded."""
    key: jax.Array
    """The random key of this batch."""


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
        """True if more of the metric is better, False if less is, None if its name tells."""
        ...

    @property
    def policy(self) -> Policy | None:
        """The policy that drops or moves points of a batch on the way, if there is one."""
        ...

    def propose(self, measured: Measured, count: int, /) -> Points:
        """Choose ``count`` points: the values of each axis, of shape ``(count,)``, by its name."""
        ...


@checked_class
@dataclasses.dataclass(frozen=True)
class GaussianProcess:
    """Bayesian optimization: choose points by the expected improvement of a Gaussian process.

    The first batch fills the space evenly. From then on a Gaussian process with the Matérn-5/2
    kernel is fitted to the scores, and each point of a batch is the one of largest expected
    improvement, given that those before it in the batch turn out as expected. Sampled axes are
    chosen from between their bounds, and on their logarithms if they are ``log_uniform``; of a list
    of values, such as whole numbers, one is chosen.

    Scores that are all positive, as losses are, enter by their logarithms. A point that diverged
    gets the worst score of those that did not.

    Args:
        batch: the number of points that are chosen and trained together: larger batches are faster,
            smaller ones are better informed.
        metric: the metric that judges points: "final_loss", or the name of an evaluation metric.
        maximize: whether more of it is better, unless its name tells.
        policy: the policy that drops or changes points of a batch on the way, such as
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
        """Points that fill the space evenly at first, and then the most promising ones."""
        space, key = measured.space, measured.key
        number, sides = len(measured.scores), len(space.sides)
        if number == 0:
            entropy = np.asarray(jax.random.key_data(key)).ravel().tolist()
            return space.points(sobol_or_random(count, sides, "sobol", entropy))
        # A rounded size, so that sweeps of similar sizes share the compiled program.
        rows = ROWS * math.ceil((measured.capacity + count) / ROWS)
        points = np.zeros((rows, sides))
        points[:number] = space.quantiles(measured.points)
        values = np.zeros(rows)
        values[:number] = standardized(measured.scores)
        observed = Observed(*map(jnp.asarray, (points, values, np.arange(rows) < number)))
        chosen = best_batch(observed, jnp.asarray(space.levels), key, count=count)
        return space.points(np.asarray(chosen, np.float64))


def standardized(scores: np.ndarray) -> np.ndarray:
    """Scores shifted and scaled to mean 0 and variance 1, infinite ones replaced by the worst.

    Logarithms are taken if no score is negative, and scores far above the median are clipped, so
    that differences among good points are not hidden by very bad ones.
    """
    alive = np.isfinite(scores)
    if not alive.any():
        return np.zeros(scores.shape)
    values = np.where(alive, scores, np.max(scores[alive]))
    positive = values[values > 0]
    if np.all(values >= 0) and positive.size:
        # A loss of 0, which has no logarithm, counts as a tenth of the smallest positive one.
        values = np.log(np.maximum(values, np.min(positive) / 10))
    middle = np.median(values[alive])
    values = np.minimum(values, middle + WALL * (middle - np.min(values)))
    spread = np.std(values)
    return (values - np.mean(values)) / (spread if spread > 0 else 1.0)
