"""Rules as one writes them for one model, without a library."""

import jax
import jax.numpy as jnp

from .elementwise import Contender

RATE, B1, B2, EPS, DECAY = 1e-3, 0.9, 0.999, 1e-8, 1e-4


def _zeros(params):
    return jnp.zeros_like(params), jnp.zeros_like(params), jnp.zeros((), jnp.int32)


def _adamw(decay):
    def step(params, state, grads):
        m, v, count = state
        count += 1
        m = B1 * m + (1 - B1) * grads
        v = B2 * v + (1 - B2) * grads * grads
        direction = m / (1 - B1**count) / (jnp.sqrt(v / (1 - B2**count)) + EPS)
        return params - RATE * (direction + decay * params), (m, v, count)

    return step


adam = Contender(_zeros, _adamw(0.0))


def _clipped(params, state, grads):
    norm = jnp.sqrt(jnp.sum(grads * grads))
    return _adamw(DECAY)(params, state, grads * jnp.minimum(1.0, 1.0 / norm))


clipped_adamw = Contender(_zeros, _clipped)


def _split(params, state, grads):
    """Adam in two halves, each of one kernel: the moments are read twice and written once."""
    m, v, count = state
    count += 1
    moments = lambda m, v, g: (B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g * g)  # noqa: E731
    new_m, new_v = moments(m, v, grads)
    # What stands behind the barrier is computed anew rather than read again.
    m, v = moments(*jax.lax.optimization_barrier((m, v, grads)))
    direction = m / (1 - B1**count) / (jnp.sqrt(v / (1 - B2**count)) + EPS)
    return params - RATE * direction, (new_m, new_v, count)


split_adam = Contender(_zeros, _split)
