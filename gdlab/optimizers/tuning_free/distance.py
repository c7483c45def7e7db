"""Estimates of the distance to the solution, which stand for a learning rate, and grow."""

import jax
import jax.numpy as jnp

from gdlab.core.hyperparameter import Fraction, Hyperparameter
from gdlab.core.structure import Tree
from gdlab.transforms.averages.debiasing import Weight
from gdlab.transforms.norms.inner_products import add_scaled, scaled
from gdlab.transforms.norms.norms import norm


def averaged(decay: Hyperparameter, old: Tree, new: Tree) -> Tree:
    """decay·old + (1 − decay)·new."""
    return add_scaled(scaled(decay, old), 1 - decay, new)


def grown(
    distance: jax.Array, estimate: jax.Array, growth_rate: Hyperparameter | None
) -> jax.Array:
    """The larger of a distance and a new estimate, which may exceed it ``growth_rate`` times."""
    if growth_rate is not None:
        estimate = jnp.minimum(estimate, growth_rate * distance)
    return jnp.maximum(distance, estimate)


def correction(
    weights: tuple[Weight, ...], b1: Hyperparameter, b2: Fraction
) -> tuple[tuple[Weight, ...], jax.Array | float]:
    """The weights of Adam's averages one step on, and the factor that corrects for both biases.

    √(1 − b2ᵗ)/(1 − b1ᵗ), and 1 without weights, where nothing is to be corrected
    """
    if not weights:
        return (), 1.0
    first, second = (weight.after(b) for weight, b in zip(weights, (b1, b2), strict=True))
    return (first, second), jnp.sqrt(second.value()) / first.value()


def weights_at_start(bias_correction: bool) -> tuple[Weight, ...]:
    """The weights that :func:`correction` starts from."""
    return (Weight.at_start(), Weight.at_start()) if bias_correction else ()


def hypotenuse(one: jax.Array, other: jax.Array) -> jax.Array:
    """√(one² + other²), where the squares may neither overflow nor vanish."""
    return norm(jnp.stack([one, jnp.asarray(other, one.dtype)]))
