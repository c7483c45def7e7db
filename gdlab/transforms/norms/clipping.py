"""Bounds on the updates: on each element, on the norm of each array, or on the norm of them all."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions, TreeFunctions
from gdlab.core.hyperparameter import NonNegative
from gdlab.core.structure import Number
from gdlab.core.transformation import leafwise, transformation
from gdlab.transforms.norms.norms import norm, rms, tree_norm


@leafwise
def clip(max_delta: NonNegative) -> LeafFunctions:
    """Bound each element of the updates.

    uₜ = max(−max_delta, min(gₜ, max_delta))

    >>> import jax.numpy as jnp
    >>> from gdlab import clip
    >>> tx = clip(1.0)
    >>> tx.update(jnp.array([0.5, -7.0]), tx.init(jnp.zeros(2)))[0]
    Array([ 0.5, -1. ], dtype=float32)
    """
    return lambda u: jnp.clip(u, -max_delta, max_delta)


@transformation
def clip_by_global_norm(max_norm: NonNegative) -> TreeFunctions:
    """Bound the norm of all updates together, keeping their direction.

    uₜ = gₜ·min(1, max_norm/‖gₜ‖), with the norm over the whole tree, in float32 at least

    Elements that are NaN or infinite stay so, and the bound still holds for the other elements.

    >>> import jax.numpy as jnp
    >>> from gdlab import clip_by_global_norm
    >>> tx = clip_by_global_norm(1.0)
    >>> updates, _ = tx.update({"a": jnp.array([3.0]), "b": jnp.array([4.0])}, tx.init(None))
    >>> updates
    {'a': Array([0.6], dtype=float32), 'b': Array([0.8], dtype=float32)}

    Source: R. Pascanu, T. Mikolov, Y. Bengio, On the difficulty of training recurrent neural
    networks, 2013, algorithm 1.
    """

    def update(updates):
        # A NaN stays in its own element and does not affect the bound on the others.
        factor = shortening(tree_norm(updates, ignore_nan=True), max_norm)
        return jax.tree.map(lambda u: u * factor.astype(u.real.dtype), updates)

    return update


@leafwise
def clip_by_norm(max_norm: NonNegative) -> LeafFunctions:
    """Bound the norm of each array of the updates, keeping its direction.

    uₜ = gₜ·min(1, max_norm/‖gₜ‖), with the norm of each array by itself: ``clipnorm`` of Keras

    >>> import jax.numpy as jnp
    >>> from gdlab import clip_by_norm
    >>> tx = clip_by_norm(1.0)
    >>> gradient = {"a": jnp.array([3.0, 4.0]), "b": jnp.array([0.5])}
    >>> tx.update(gradient, tx.init(gradient))[0]
    {'a': Array([0.6, 0.8], dtype=float32), 'b': Array([0.5], dtype=float32)}
    """
    return lambda u: u * shortening(norm(u, ignore_nan=True), max_norm)


@leafwise
def clip_by_block_rms(threshold: NonNegative) -> LeafFunctions:
    """Bound the root mean square of each array of the updates, keeping its direction.

    uₜ = gₜ·min(1, threshold/rms(gₜ)), with rms(g) = ‖g‖/√n for an array of n elements

    >>> import jax.numpy as jnp
    >>> from gdlab import clip_by_block_rms
    >>> tx = clip_by_block_rms(1.0)
    >>> tx.update(jnp.array([2.0, -2.0]), tx.init(jnp.zeros(2)))[0]
    Array([ 1., -1.], dtype=float32)

    Source: N. Shazeer, M. Stern, Adafactor: adaptive learning rates with sublinear memory cost,
    2018, section 6.
    """
    return lambda u: u * shortening(rms(u, ignore_nan=True), threshold)


def shortening(length: jax.Array, longest: Number) -> jax.Array:
    """The factor, at most 1, that brings a length down to the longest one allowed.

    >>> import jax.numpy as jnp
    >>> from gdlab.transforms.norms.clipping import shortening
    >>> shortening(jnp.array([0.0, 1.0, 4.0]), 2.0)
    Array([1. , 1. , 0.5], dtype=float32)
    """
    too_long = length > longest
    return jnp.where(too_long, longest / jnp.where(too_long, length, 1), 1)
