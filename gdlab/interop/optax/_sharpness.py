"""Sharpness-aware minimisation by optax's two optimizers, in several calls or in one."""

import jax
import jax.numpy as jnp

from gdlab.core.apply import apply_updates
from gdlab.core.authoring import TreeFunctions
from gdlab.core.transformation import GradientTransformation, transformation


def _chosen(flag: jax.Array, one: object, other: object) -> object:
    return jax.tree.map(lambda a, b: jnp.where(flag, a, b), one, other)


def _ascended(updates: object) -> object:
    return jax.tree.map(jnp.negative, updates)


@transformation(reads=("params",), slots=("steps_since_sync", "opt_state", "adv_state", "cache"))
def sam_in_turns(
    optimizer: GradientTransformation,
    adv_optimizer: GradientTransformation,
    sync_period: int,
    reset_state: bool,
) -> TreeFunctions:
    """Ascend at all calls of a period but the last, which descends from the period's start."""

    def init(params):
        zero = jnp.zeros((), jnp.int32)
        return zero, optimizer.init(params), adv_optimizer.init(params), params

    def update(updates, state, params):
        steps, opt_state, adv_state, cache = state
        is_last = steps == sync_period - 1
        adv_updates, adv_after = adv_optimizer.update(updates, adv_state, params)
        new, opt_after = optimizer.update(updates, opt_state, cache)
        back = jax.tree.map(lambda start, here, u: start - here + u, cache, params, new)
        reset = adv_optimizer.init(params) if reset_state else adv_state
        return _chosen(is_last, back, _ascended(adv_updates)), (
            (steps + 1) % sync_period,
            _chosen(is_last, opt_after, opt_state),
            _chosen(is_last, reset, adv_after),
            _chosen(steps == 0, params, cache),
        )

    return init, update


@transformation(reads=("params", "grad_fn"), slots=("steps_since_sync", "opt_state", "adv_state"))
def sam_at_once(
    optimizer: GradientTransformation,
    adv_optimizer: GradientTransformation,
    sync_period: int,
    reset_state: bool,
    batch_axis_name: str | None,
) -> TreeFunctions:
    """Ascend and descend in one call, with gradients ``grad_fn(params, i)``."""

    def init(params):
        zero = jnp.zeros((), jnp.int32)
        return zero, optimizer.init(params), adv_optimizer.init(params)

    def update(updates, state, params, grad_fn):
        steps, opt_state, adv_state = state
        there, grad = params, updates
        for i in range(sync_period - 1):
            ascent, adv_state = adv_optimizer.update(grad, adv_state, there)
            there = apply_updates(there, _ascended(ascent))
            grad = grad_fn(there, i)
            if batch_axis_name is not None:
                grad = jax.lax.pmean(grad, axis_name=batch_axis_name)
        adv_state = adv_optimizer.init(params) if reset_state else adv_state
        new, opt_state = optimizer.update(grad, opt_state, params)
        return new, (steps, opt_state, adv_state)

    return init, update


def sam(
    optimizer: GradientTransformation,
    adv_optimizer: GradientTransformation,
    sync_period: int = 2,
    reset_state: bool = True,
    opaque_mode: bool = False,
    batch_axis_name: str | None = None,
) -> GradientTransformation:
    """Sharpness-aware minimisation by two optimizers: one ascends, the other descends.

    gdlab's own ``sam(inner, rho)`` does both in one call.

    Args:
        optimizer: the optimizer that descends, at every ``sync_period``-th call.
        adv_optimizer: the optimizer that ascends at the calls between; its descent updates are
            negated.
        sync_period: the number of calls from one descent step to the next.
        reset_state: whether the state of ``adv_optimizer`` is then reset.
        opaque_mode: whether one call does a whole period, with the keyword ``grad_fn(params, i)``.
        batch_axis_name: the mapped axis over which gradients are averaged in opaque mode.

    Raises:
        ValueError: if ``sync_period`` is below 1.

    >>> from gdlab.interop import optax
    >>> ascent = optax.chain(optax.contrib.normalize(), optax.sgd(0.05))
    >>> tx = optax.contrib.sam(optax.sgd(0.1), ascent)
    """
    if sync_period < 1:
        raise ValueError(f"sync_period is at least 1, not {sync_period}")
    if opaque_mode:
        return sam_at_once(optimizer, adv_optimizer, sync_period, reset_state, batch_axis_name)
    return sam_in_turns(optimizer, adv_optimizer, sync_period, reset_state)
