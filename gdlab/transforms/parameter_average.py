"""The average of the parameters themselves, which often generalises better than the last ones."""

from typing import Any, NamedTuple

import jax

from gdlab.core.apply import apply_updates
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import as_before
from gdlab.core.transformation import transformation


class ParamsEmaState(NamedTuple):
    """State of :func:`params_ema`."""

    average: Any
    """The averaged parameters, shaped like the parameters, in float32 at least."""


@transformation
def params_ema(decay: Hyperparameter) -> Any:
    """Keep an exponential average of the parameters; the updates pass unchanged.

    w̄ₜ = decay·w̄ₜ₋₁ + (1 − decay)·(wₜ + uₜ), w̄₀ = w₀

    It must be the last link of a chain, since it averages the parameters as the updates leave
    them. :func:`averaged_params` reads the average out of any state.

    Args:
        decay: weight of the old average, in [0, 1).

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import averaged_params, chain, params_ema, sgd
    >>> tx = chain(sgd(1.0), params_ema(0.5))
    >>> params = jnp.array([4.0])
    >>> _, state = tx.update(jnp.array([2.0]), tx.init(params), params)
    >>> averaged_params(state, params)
    Array([3.], dtype=float32)

    Source: B. T. Polyak, A. B. Juditsky, Acceleration of stochastic approximation by averaging,
    1992.
    """

    def init(params):
        return ParamsEmaState(params)

    def update(updates, state, params):
        new = apply_updates(params, updates)
        average = jax.tree.map(lambda a, w: decay * a + (1 - decay) * w, state.average, new)
        return updates, ParamsEmaState(average)

    return init, update


def averaged_params(state: Any, params: Any) -> Any:
    """The averaged parameters in the state of any chain with :func:`params_ema`.

    Args:
        state: the state of the whole optimizer.
        params: the parameters, whose dtypes the average takes.

    Raises:
        ValueError: if the state holds no average, or several.
    """
    is_average = lambda node: isinstance(node, ParamsEmaState)  # noqa: E731
    found = [node for node in jax.tree.leaves(state, is_leaf=is_average) if is_average(node)]
    if len(found) != 1:
        raise ValueError(f"expected one params_ema in the state, found {len(found)}")
    return as_before(found[0].average, params)
