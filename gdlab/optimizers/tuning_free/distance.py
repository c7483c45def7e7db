"""Growing estimates of the distance to the solution, which serve as learning rates."""

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
    """The larger of a distance and a new estimate, at most ``growth_rate`` times the distance."""
    if growth_rate is not None:
        estimate = jnp.minimum(estimate, growth_rate * distance)
    return jnp.maximum(distance, estimate)


def correction(
    weights: tuple[Weight, ...], b1: Hyperparameter, b2: Fraction
) -> tuple[tuple[Weight, ...], jax.Array | float]:
    """The weights of Adam's averages after one more step, and the factor for both bias corrections.

    √(1 − b2ᵗ)/(1 − b1ᵗ), and 1 without weights, for methods without bias correction
    """
    if not weights:
        return (), 1.0
    first, second = (weight.after(b) for weight, b in zip(weights, (b1, b2), strict=True))
    return (first, second), jnp.sqrt(second.value()) / first.value()


def weights_at_start(bias_correction: bool) -> tuple[Weight, ...]:
    """The initial weights for :func:`correction`."""
    return (Weight.at_start(), Weight.at_start()) if bias_correction else ()


def hypotenuse(one: jax.Array, other: jax.Array) -> jax.Array:
    """√(one² + other²), computed without overflow or underflow of the squares."""
    return norm(jnp.stack([one, jnp.asarray(other, one.dtype)]))
