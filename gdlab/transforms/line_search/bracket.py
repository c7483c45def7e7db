"""Brackets of step sizes, and the choice of the next trial within them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.structure import Number
from gdlab.transforms.line_search.ray import Point


class Bracket(NamedTuple):
    """Two points of a ray between which some point meets the Wolfe conditions.

    ``low`` has the smallest loss of all points with sufficient decrease, and its slope points
    towards ``high``. As long as no such pair is known, ``high`` lies at infinity.
    """

    low: Point
    high: Point
    shrinks: jax.Array
    """True if the last trial shortened the bracket by at least a third."""

    @classmethod
    def unbounded(cls, start: Point) -> "Bracket":
        """Return the bracket from ``start`` to infinity, which contains all step sizes."""
        infinity = jnp.full_like(start.value, jnp.inf)
        return cls(start, Point(infinity, infinity, infinity), jnp.array(True))

    @property
    def is_closed(self) -> jax.Array:
        """Tell whether both ends are finite."""
        return jnp.isfinite(self.high.size)

    @property
    def width(self) -> jax.Array:
        """The signed distance from ``low`` to ``high``."""
        return self.high.size - self.low.size

    def is_narrower_than(self, precision: Number) -> jax.Array:
        """Tell whether the width is below ``precision`` times the farther end."""
        farther = jnp.maximum(self.low.size, self.high.size)
        return self.is_closed & (jnp.abs(self.width) <= precision * farther)

    def with_trial(self, trial: Point, too_high: jax.Array) -> "Bracket":
        """The bracket after a trial inside it, or beyond ``low`` if it is not closed."""
        passed = ~too_high & (trial.slope * jnp.sign(self.width) >= 0)

        def high(trial, low, high):
            return jnp.where(too_high, trial, jnp.where(passed, low, high))

        new = Bracket(
            low=jax.tree.map(lambda old, new: jnp.where(too_high, old, new), self.low, trial),
            high=jax.tree.map(high, trial, self.low, self.high),
            shrinks=self.shrinks,
        )
        shrinks = ~self.is_closed | (jnp.abs(new.width) <= jnp.abs(self.width) * 2 / 3)
        return new._replace(shrinks=shrinks)

    def beyond(self, trial: Point, increase_factor: Number) -> jax.Array:
        """The next size after a trial at which the loss still falls.

        It is the minimum of the cubic through ``low`` and the trial, restricted to between
        ``increase_factor`` and 2.5 times ``increase_factor`` of the trial.
        """
        cubic = minimum_of_cubic(self.low, trial)
        cubic = jnp.where(jnp.isfinite(cubic) & (cubic > trial.size), cubic, jnp.inf)
        shortest = increase_factor * trial.size
        return jnp.clip(cubic, shortest, 2.5 * shortest)

    def next_size(self) -> jax.Array:
        """The minimum of the cubic through both ends, or the midpoint if that is unsuitable.

        A trial closer to an end than a twentieth of the width would be uninformative.
        """
        known = self.high.is_finite()
        high = Point(
            jnp.where(self.is_closed, self.high.size, 1),
            jnp.where(known, self.high.value, 0),
            jnp.where(known, self.high.slope, 0),
        )
        cubic = minimum_of_cubic(self.low, high)
        width = high.size - self.low.size
        part = (cubic - self.low.size) / jnp.where(width == 0, 1, width)
        usable = known & self.shrinks & (part > 0) & (part < 1)
        part = jnp.where(usable, jnp.clip(part, 0.05, 0.95), 0.5)
        return self.low.size + part * width


def minimum_of_cubic(one: Point, other: Point) -> jax.Array:
    """The minimiser of the cubic with the values and slopes of two points; ∞ if it has none.

    Source: J. Nocedal, S. Wright, Numerical Optimization, 2006, eq. 3.59.
    """
    width = other.size - one.size
    width = jnp.where(width == 0, 1, width)
    d1 = one.slope + other.slope + 3 * (one.value - other.value) / width
    discriminant = d1**2 - one.slope * other.slope
    real = jnp.isfinite(discriminant) & (discriminant >= 0)
    d2 = jnp.sign(width) * jnp.sqrt(jnp.where(real, discriminant, 0))
    denominator = other.slope - one.slope + 2 * d2
    exists = real & (denominator != 0)
    part = (other.slope + d2 - d1) / jnp.where(exists, denominator, 1)
    return jnp.where(exists, other.size - width * part, jnp.inf)
