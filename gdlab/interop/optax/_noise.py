"""Noise from a key in the state, with the same random numbers as optax."""

from typing import Annotated, TypeAlias

import jax
import jax.numpy as jnp

from gdlab.core.annotations import Data
from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import safe_sqrt
from gdlab.core.structure import Value
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, identity
from gdlab.transforms.averages.momentum import trace
from gdlab.transforms.signals.privacy import per_example_global_norm_clip
from gdlab.transforms.signals.scaling import scale_by_learning_rate


def key_of(value: Value) -> jax.Array:
    """The given key (new-style or legacy), or the key of a seed."""
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return value
    return jax.random.wrap_key_data(value) if jnp.ndim(value) else jax.random.key(value)


def _as_seed(value: Value) -> Value:
    # A seed becomes a key only in ``init``, so that importing this module computes nothing.
    is_small = isinstance(value, int) and abs(value) < 2**31
    return value if is_small else key_of(value)


Key: TypeAlias = Annotated[jax.Array | int, Data(_as_seed, name="Key")]
"""Annotation of an argument that is the key or the seed from which all noise of a run is drawn."""


def _either(key: Value, seed: int | None) -> Value:
    """Whichever of key and seed is given."""
    if key is not None and seed is not None:
        raise ValueError("give key or seed, not both")
    return 0 if key is None and seed is None else seed if key is None else key


def _normal_like(key: jax.Array, leaves: list[jax.Array]) -> list[jax.Array]:
    """Standard normal arrays, each from its own key."""
    keys = jax.random.split(key, len(leaves)) if leaves else []
    return [
        jax.random.normal(key, leaf.shape, leaf.dtype)
        for key, leaf in zip(keys, leaves, strict=True)
    ]


@transformation(reads="step", slots=("rng_key",))
def noise_from_key(eta: Hyperparameter, gamma: Hyperparameter, key: Key) -> TreeFunctions:
    """Add Gaussian noise whose variance falls with time, from a key in the state."""

    def init(params):  # noqa: ARG001
        return (key_of(key),)

    def update(updates, state, step):
        leaves, treedef = jax.tree.flatten(updates)
        rng_key, sample_key = jax.random.split(state[0])
        noise = _normal_like(sample_key, leaves)

        def noisy(leaf, noise):
            return leaf + safe_sqrt(eta / (1 + step.astype(leaf.real.dtype)) ** gamma) * noise

        return treedef.unflatten(map(noisy, leaves, noise)), (rng_key,)

    return init, update


def add_noise(
    eta: Hyperparameter,
    gamma: Hyperparameter,
    key: jax.Array | int | None = None,
    *,
    seed: int | None = None,
) -> GradientTransformation:
    """Add Gaussian noise whose variance falls with time, from a key that the state keeps.

    uₜ = gₜ + σₜ·ξₜ with σₜ² = eta/(1 + t)^gamma. gdlab's own ``add_noise(eta, gamma)`` draws from
    the keyword ``key`` of ``update``.

    Args:
        eta: the variance at the first step.
        gamma: the exponent of the decrease of the variance.
        key: a key, or the seed of one.
        seed: the seed; an older name for ``key``.

    Raises:
        ValueError: if both are given.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> tx = optax.add_noise(0.01, 0.55, key=0)
    >>> updates, state = tx.update(jnp.zeros(2), tx.init(jnp.zeros(2)))
    >>> bool(jnp.all(updates != 0))
    True
    """
    return noise_from_key(eta, gamma, _either(key, seed))


def noisy_sgd(
    learning_rate: Hyperparameter,
    eta: Hyperparameter = 0.01,
    gamma: Hyperparameter = 0.55,
    key: jax.Array | int | None = None,
    *,
    seed: int | None = None,
) -> GradientTransformation:
    """Gradient descent with noise whose variance falls with time, as :func:`add_noise` adds it.

    >>> from gdlab.interop import optax
    >>> tx = optax.noisy_sgd(0.1, key=0)
    """
    return chain(add_noise(eta, gamma, key, seed=seed), scale_by_learning_rate(learning_rate))


@transformation(slots=("rng_key",))
def aggregate_from_key(
    l2_norm_clip: Hyperparameter, noise_multiplier: Hyperparameter, key: Key
) -> TreeFunctions:
    """Clip and sum per-example gradients, and add noise from a key in the state."""

    def init(params):  # noqa: ARG001
        return (key_of(key),)

    def update(updates, state):
        examples = jax.tree.leaves(updates)[0].shape[0]
        total, _ = per_example_global_norm_clip(updates, l2_norm_clip)
        leaves, treedef = jax.tree.flatten(total)
        rng_key, *keys = jax.random.split(state[0], len(leaves) + 1)
        sigma = l2_norm_clip * noise_multiplier
        noisy = [
            (leaf + sigma * jax.random.normal(key, leaf.shape, leaf.dtype)) / examples
            for key, leaf in zip(keys, leaves, strict=True)
        ]
        return treedef.unflatten(noisy), (rng_key,)

    return init, update


def differentially_private_aggregate(
    l2_norm_clip: Hyperparameter,
    noise_multiplier: Hyperparameter,
    key: jax.Array | int | None = None,
    *,
    seed: int | None = None,
) -> GradientTransformation:
    """The mean of clipped per-example gradients, with noise from a key in the state.

    Args:
        l2_norm_clip: the norm to which the gradient of each example is clipped.
        noise_multiplier: the standard deviation of the noise, in units of ``l2_norm_clip``.
        key: a key, or the seed of one.
        seed: the seed; an older name for ``key``.

    Raises:
        ValueError: if both are given.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop.optax import contrib
    >>> tx = contrib.differentially_private_aggregate(1.0, 0.0, key=0)
    >>> tx.update(jnp.array([[3.0, 4.0], [0.5, 0.0]]), tx.init(jnp.zeros(2)))[0]
    Array([0.55, 0.4 ], dtype=float32)
    """
    return aggregate_from_key(l2_norm_clip, noise_multiplier, _either(key, seed))


def dpsgd(
    learning_rate: Hyperparameter,
    l2_norm_clip: Hyperparameter,
    noise_multiplier: Hyperparameter,
    seed: int,
    momentum: Hyperparameter | None = None,
    nesterov: bool = False,
) -> GradientTransformation:
    """Differentially private SGD, with noise from a key in the state.

    >>> from gdlab.interop.optax import contrib
    >>> tx = contrib.dpsgd(0.1, l2_norm_clip=1.0, noise_multiplier=1.1, seed=0)
    """
    return chain(
        differentially_private_aggregate(l2_norm_clip, noise_multiplier, seed=seed),
        identity() if momentum is None else trace(momentum, nesterov),
        scale_by_learning_rate(learning_rate),
    )
