"""Means of snapshots of the parameters: of all after a start, or of the last few."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gdlab.checks.kinds import Length
from gdlab.core.apply import apply_updates
from gdlab.core.authoring import TreeFunctions
from gdlab.core.export import is_exported
from gdlab.core.hyperparameter import Period, StepCount
from gdlab.core.numerics import is_inexact, safe_increment, trained
from gdlab.core.rarely import rarely
from gdlab.core.structure import Number, Params, map_arrays
from gdlab.core.transformation import transformation


@is_exported
class MeanOfSnapshots(NamedTuple):
    """The mean of snapshots of the parameters, evaluated in place of them once there is one."""

    average: Params
    """The mean, in at least float32; None for leaves that are not averaged."""
    taken: jax.Array
    """The number of snapshots."""

    def evaluation_params(self, params: Params) -> Params:
        """The mean, or the parameters before the first snapshot."""
        return map_arrays(lambda mean, w: jnp.where(self.taken > 0, mean, w), self.average, params)


@is_exported
class LastSnapshots(NamedTuple):
    """The last snapshots of the parameters, whose mean is evaluated in place of the parameters."""

    snapshots: Params
    """The snapshots along a leading axis, in at least float32."""
    taken: jax.Array
    """The number of snapshots so far."""

    def evaluation_params(self, params: Params) -> Params:
        """The mean of the snapshots, or the parameters before the first."""

        def mean(snapshots, w):
            # Snapshots not yet taken are zeros.
            count = jnp.minimum(self.taken, len(snapshots)).astype(snapshots.real.dtype)
            return jnp.where(count > 0, jnp.sum(snapshots, 0) / jnp.maximum(count, 1), w)

        return map_arrays(mean, self.snapshots, params)


@transformation(reads=("params", "step"))
def params_mean(start: StepCount = 0, every: Period = 1) -> TreeFunctions:
    """Keep the plain mean of snapshots of the parameters; the updates pass unchanged.

    w̄ = (1/n)·Σₖ w at the steps start + k·every, k = 1 … n, as the updates leave them

    With start 0 it is Polyak's average; with snapshots once an epoch late in a run, stochastic
    weight averaging (SWA); with a start at half of the run, the tail average, which forgets early
    parameters. The mean of n independent points around a minimum has 1/n of their variance.

    It must be the last link of a chain. :func:`evaluation_params` reads the mean out of any state;
    it returns the parameters until the first snapshot.

    Args:
        start: the number of steps before the averaging begins.
        every: the number of steps from one snapshot to the next.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_updates, chain, evaluation_params, params_mean, sgd
    >>> tx = chain(sgd(1.0), params_mean(start=1))
    >>> w = jnp.array(8.0)
    >>> state = tx.init(w)
    >>> for _ in range(3):
    ...     updates, state = tx.update(jnp.array(1.0), state, w)
    ...     w = apply_updates(w, updates)
    ...     print(w, evaluation_params(state, w))
    7.0 7.0
    6.0 6.0
    5.0 5.5

    Source: B. T. Polyak, A. B. Juditsky, Acceleration of stochastic approximation by averaging,
    1992; P. Izmailov et al., Averaging weights leads to wider optima and better generalization,
    2018, algorithm 1.
    """

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, trained(params))
        return MeanOfSnapshots(zeros, jnp.zeros((), jnp.int32))

    def update(updates, state, params, *, step):
        def take(state):
            taken = safe_increment(state.taken)
            move = lambda mean, w: mean + (w - mean) / taken.astype(mean.real.dtype)  # noqa: E731
            new = apply_updates(params, updates)
            return MeanOfSnapshots(map_arrays(move, state.average, new), taken)

        return updates, rarely(_is_snapshot(step, start, every), take, lambda state: state, state)

    return init, update


@transformation(reads=("params", "step"))
def params_window_mean(window: Length, start: StepCount = 0, every: Period = 1) -> TreeFunctions:
    """Keep the last snapshots of the parameters and evaluate their mean (LAWA).

    w̄ = mean of w at the last ``window`` of the steps start + k·every, k = 1, 2, …, as the updates
    leave them; the updates pass unchanged

    Like :func:`params_ema` it follows the parameters while they still move, but it forgets entirely
    what is older than window·every steps. The state holds ``window`` copies of the parameters.

    It must be the last link of a chain. :func:`evaluation_params` reads the mean out of any state;
    it returns the parameters until the first snapshot.

    Args:
        window: the number of snapshots.
        start: the number of steps before the first interval between snapshots.
        every: the number of steps from one snapshot to the next.

    Raises:
        ValueError: if ``params`` are missing, or ``window`` is less than 1.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_updates, chain, evaluation_params, params_window_mean, sgd
    >>> tx = chain(sgd(1.0), params_window_mean(2))
    >>> w = jnp.array(8.0)
    >>> state = tx.init(w)
    >>> for _ in range(3):
    ...     updates, state = tx.update(jnp.array(1.0), state, w)
    ...     w = apply_updates(w, updates)
    ...     print(w, evaluation_params(state, w))
    7.0 7.0
    6.0 6.5
    5.0 5.5

    Source: J. Kaddour, Stop wasting my time! Saving days of ImageNet and BERT training with latest
    weight averaging, 2022, section 2.
    """

    def init(params):
        def no_snapshots(w):
            if not is_inexact(w):
                return None
            return jnp.broadcast_to(jnp.zeros_like(w), (window, *jnp.shape(w)))

        return LastSnapshots(jax.tree.map(no_snapshots, params), jnp.zeros((), jnp.int32))

    def update(updates, state, params, *, step):
        def take(state):
            put = lambda kept, w: kept.at[state.taken % window].set(w)  # noqa: E731
            new = apply_updates(params, updates)
            return LastSnapshots(map_arrays(put, state.snapshots, new), safe_increment(state.taken))

        return updates, rarely(_is_snapshot(step, start, every), take, lambda state: state, state)

    return init, update


def _is_snapshot(step: jax.Array, start: Number, every: Number) -> jax.Array:
    """Tell whether a snapshot is taken after this step, counted from 0."""
    since = (step + 1).astype(jnp.result_type(float)) - start
    return (since > 0) & (since % every == 0)
