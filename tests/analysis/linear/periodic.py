"""Methods whose steps differ over a period, and methods that are random, for the tests."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import gdlab
from gdlab import GradientTransformation, Hyperparameter


class Counted(NamedTuple):
    count: Any
    kept: Any
    inner: Any = ()


def tree_add(one, other, weight=1.0):
    return jax.tree.map(lambda a, b: a + weight * b, one, other)


def where(condition, one, other):
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), one, other)


@gdlab.transformation(reads="everything")
def lookahead(
    inner: GradientTransformation,
    slow_step: Hyperparameter,
    every: Hyperparameter,
    starts_over: bool = False,
):
    """slow ← slow + a·(fast − slow), fast ← slow after every k-th step.

    The count of steps grows for ever unless it starts over.
    """

    def init(params):
        return Counted(jnp.zeros((), jnp.int32), params, inner.init(params))

    def update(updates, state, params=None, **extra):
        updates, inner_state = inner.update(updates, state.inner, params, **extra)
        count = state.count + 1
        fast = tree_add(params, updates)
        slow = tree_add(state.kept, tree_add(fast, state.kept, -1.0), slow_step)
        now = count % every == 0
        slow = where(now, slow, state.kept)
        updates = where(now, tree_add(slow, params, -1.0), updates)
        if starts_over:
            count = jnp.where(now, 0, count).astype(count.dtype)
        return updates, Counted(count, slow, inner_state)

    return init, update


@gdlab.transformation(reads="everything")
def hold(inner: GradientTransformation, every: int):
    """What ``inner`` makes of every k-th gradient, from the first on, handed out k times."""

    def init(params):
        zeros = jax.tree.map(jnp.zeros_like, params)
        return Counted(jnp.zeros((), jnp.int32), zeros, inner.init(params))

    def update(updates, state, params=None, **extra):
        fresh, inner_state = inner.update(updates, state.inner, params, **extra)
        now = state.count % every == 0
        kept, inner_state = where(now, (fresh, inner_state), (state.kept, state.inner))
        return kept, Counted(state.count + 1, kept, inner_state)

    return init, update


@gdlab.transformation
def refreshed_rms(decay: Hyperparameter, every: int):
    """Divide by the root of an average of squares that is refreshed at every k-th step."""

    def init(params):
        return Counted(jnp.zeros((), jnp.int32), jax.tree.map(jnp.zeros_like, params))

    def update(updates, state):
        fresh = jax.tree.map(lambda v, u: decay * v + (1 - decay) * u**2, state.kept, updates)
        kept = where(state.count % every == 0, fresh, state.kept)
        updates = jax.tree.map(lambda u, v: u / jnp.sqrt(v), updates, kept)
        return updates, Counted(state.count + 1, kept)

    return init, update


@gdlab.transformation(reads="key")
def noisy(scale: Hyperparameter):
    """Multiply each gradient by 1 + s·ξ, ξ drawn with the key of the step."""

    def update(updates, state, key):
        return jax.tree.map(
            lambda u: u * (1 + scale * jax.random.normal(key, u.shape, u.dtype)), updates
        ), state

    return lambda params: (), update


@gdlab.transformation(reads=("params", "key", "grad_fn"))
def probed_curvature():
    """Multiply gradients by z ⊙ Hz with random signs z: Hutchinson's estimate of the diagonal of H.

    Along one weight that is the curvature, and along several the key decides.
    """

    def update(updates, state, params, key, grad_fn):
        signs = jax.tree.map(lambda p: jax.random.rademacher(key, p.shape, p.dtype), params)
        around = grad_fn(tree_add(params, signs))
        product = tree_add(around, grad_fn(params), -1.0)
        diagonal = jax.tree.map(jnp.multiply, signs, product)
        return jax.tree.map(jnp.multiply, diagonal, updates), state

    return lambda params: (), update


@gdlab.transformation
def own_key():
    """Multiply gradients by random numbers of a key that the state holds."""

    def update(updates, state):
        key, own = jax.random.split(state)
        return jax.tree.map(lambda u: u * jax.random.uniform(own, u.shape, u.dtype), updates), key

    return lambda params: jax.random.key(0), update
