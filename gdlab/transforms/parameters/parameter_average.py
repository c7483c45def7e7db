"""The average of the parameters themselves, which often generalises better than the last ones."""

from typing import NamedTuple

from gdlab.core.apply import apply_updates
from gdlab.core.authoring import TreeFunctions
from gdlab.core.export import is_exported
from gdlab.core.hyperparameter import Fraction
from gdlab.core.numerics import trained
from gdlab.core.structure import Params, map_arrays
from gdlab.core.transformation import transformation


@is_exported
class AveragedParams(NamedTuple):
    """An average of the parameters, which :func:`evaluation_params` returns in place of them."""

    average: Params
    """The averaged parameters, in at least float32; None for leaves that are not averaged."""

    def evaluation_params(self, params: Params) -> Params:
        """The averaged parameters."""
        del params
        return self.average


@transformation(reads="params")
def params_ema(decay: Fraction) -> TreeFunctions:
    """Keep an exponential average of the parameters; the updates pass unchanged.

    w̄ₜ = decay·w̄ₜ₋₁ + (1 − decay)·(wₜ + uₜ), w̄₀ = w₀

    It must be the last link of a chain, since it averages the parameters after the updates.
    :func:`evaluation_params` reads the average out of any state.

    Args:
        decay: the weight of the old average, in [0, 1).

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import evaluation_params, chain, params_ema, sgd
    >>> tx = chain(sgd(1.0), params_ema(0.5))
    >>> params = jnp.array([4.0])
    >>> _, state = tx.update(jnp.array([2.0]), tx.init(params), params)
    >>> evaluation_params(state, params)
    Array([3.], dtype=float32)

    Source: B. T. Polyak, A. B. Juditsky, Acceleration of stochastic approximation by averaging,
    1992.
    """

    def init(params):
        return AveragedParams(trained(params))

    def update(updates, state, params):
        new = apply_updates(params, updates)
        move = lambda average, w: decay * average + (1 - decay) * w  # noqa: E731
        return updates, AveragedParams(map_arrays(move, state.average, new))

    return init, update
