"""Shapes of a decay from one value to another, as functions of s from 0 to 1.

Run backwards, each is the shape of a warm-up.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gdlab.core.numerics import safe_sqrt
from gdlab.core.structure import Number
from gdlab.schedules.progress import between

Shape = Callable[[Number, Number, jax.Array], jax.Array]


def half_cosine(s: jax.Array) -> jax.Array:
    """The half cosine ½(1 + cos πs), from 1 to 0 with zero slope at both ends."""
    return 0.5 * (1 + jnp.cos(jnp.pi * s))


def _linear(start: Number, end: Number, s: jax.Array) -> jax.Array:
    return between(start, end, s)


def _cosine(start: Number, end: Number, s: jax.Array) -> jax.Array:
    return between(start, end, 1 - half_cosine(s))


def _mirrored_cosine(start: Number, end: Number, s: jax.Array) -> jax.Array:
    return between(start, end, 2 * s - (1 - half_cosine(s)))


def _one_minus_sqrt(start: Number, end: Number, s: jax.Array) -> jax.Array:
    return between(start, end, safe_sqrt(s))


def _one_minus_square(start: Number, end: Number, s: jax.Array) -> jax.Array:
    return between(start, end, s * s)


def _exponential(start: Number, end: Number, s: jax.Array) -> jax.Array:
    start, end = jnp.asarray(start), jnp.asarray(end)
    possible = (start > 0) & (end > 0)
    ratio = jnp.where(possible, end, 1.0) / jnp.where(possible, start, 1.0)
    falling = jnp.where(possible | (s <= 0), start * ratio**s, 0.0)
    return jnp.where(s < 1, falling, end)


SHAPES: dict[str, Shape] = {
    "linear": _linear,
    "cosine": _cosine,
    "mirrored_cosine": _mirrored_cosine,
    "exponential": _exponential,
    "1-sqrt": _one_minus_sqrt,
    "1-square": _one_minus_square,
}
"""Name → shape, a function of both values and of s."""


def shape_of(argument: str, name: str) -> Shape:
    """The shape with a name.

    Raises:
        ValueError: if there is no such shape.
    """
    if name not in SHAPES:
        raise ValueError(f"{argument} must be one of {', '.join(SHAPES)}, not {name!r}")
    return SHAPES[name]
