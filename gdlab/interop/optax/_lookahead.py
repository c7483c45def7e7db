"""Lookahead with optax's pair of fast and slow parameters."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.state import State
from gdlab.core.structure import Leaf, Params, Updates
from gdlab.core.transformation import GradientTransformation as Transformation
from gdlab.core.transformation import as_transformation
from gdlab.interop.optax._base import GradientTransformation, GradientTransformationExtraArgs


class LookaheadParams(NamedTuple):
    """The fast parameters, which are trained, and the slow ones, which follow them."""

    fast: Params
    """The parameters at which gradients are computed."""
    slow: Params
    """The parameters to evaluate."""

    @classmethod
    def init_synced(cls, params: Params) -> "LookaheadParams":
        """Make the pair in which both are ``params``."""
        return cls(fast=params, slow=params)


def lookahead(
    fast_optimizer: Transformation,
    sync_period: int,
    slow_step_size: float,
    reset_state: bool = False,
) -> GradientTransformation:
    """Train fast parameters, and move slow ones towards them every ``sync_period`` steps.

    The parameters are a :class:`LookaheadParams`, and the gradients are those at ``fast``. gdlab's
    own ``lookahead`` keeps the slow parameters in its state.

    Args:
        fast_optimizer: the optimizer of the fast parameters.
        sync_period: the number of steps between synchronisations.
        slow_step_size: the fraction of the way that the slow parameters move towards the fast ones.
        reset_state: whether the state of the fast optimizer is then reset.

    Raises:
        ValueError: if ``sync_period`` is below 1.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> tx = optax.lookahead(optax.sgd(1.0), sync_period=1, slow_step_size=0.5)
    >>> params = optax.LookaheadParams.init_synced(jnp.array([4.0]))
    >>> updates, state = tx.update(jnp.array([2.0]), tx.init(params), params)
    >>> optax.apply_updates(params, updates)
    LookaheadParams(fast=Array([3.], dtype=float32), slow=Array([3.], dtype=float32))
    """
    if sync_period < 1:
        raise ValueError(f"sync_period is at least 1, not {sync_period}")
    inner = as_transformation(fast_optimizer)

    def init(params: Params) -> State:
        fast_state = inner.init(getattr(params, "fast", params))
        return State(fast_state=fast_state, steps_since_sync=jnp.zeros((), jnp.int32))

    def update(
        updates: Updates, state: State, params: LookaheadParams, **extra: Leaf
    ) -> tuple[LookaheadParams, State]:
        updates, fast_state = inner.update(updates, state.fast_state, params.fast, **extra)
        steps = state.steps_since_sync + 1
        meets = steps >= sync_period

        def fast(update, fast, slow):
            return jnp.where(meets, update - (1 - slow_step_size) * (fast + update - slow), update)

        def slow(update, fast, slow):
            return jnp.where(meets, slow_step_size * (fast + update - slow), 0)

        if reset_state:
            anew = inner.init(params.fast)
            fast_state = jax.tree.map(lambda a, b: jnp.where(meets, a, b), anew, fast_state)
        pair = type(params)(
            fast=jax.tree.map(fast, updates, *params), slow=jax.tree.map(slow, updates, *params)
        )
        return pair, state.replace(
            fast_state=fast_state, steps_since_sync=jnp.where(meets, 0, steps)
        )

    return GradientTransformationExtraArgs(init, update)
