"""A bracket of step sizes that holds a good one, and where to try next within it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.structure import Number
from gdlab.transforms.line_search.ray import Point


class Bracket(NamedTuple):
    """Two points of a ray between which the conditions of Wolfe are met somewhere.

    ``low`` has the least loss of all that decrease it enough, and its slope leads towards ``high``.
    While no such pair is known ``high`` lies at infinity.
    """

    low: Point
    high: Point
    shrinks: jax.Array
    """True if the last step made it shorter by a third at least."""

    @classmethod
    def unbounded(cls, start: Point) -> "Bracket":
        """Return the bracket from ``start`` to infinity, which contains all step sizes."""
        infinity = jnp.full_like(start.value, jnp.inf)
        return cls(start, Point(infinity, infinity, infinity), jnp.array(True))

    @property
    def is_closed(self) -> jax.Array:
        """Tell whether it has two ends."""
        return jnp.isfinite(self.high.size)

    @property
    def width(self) -> jax.Array:
        """The distance of its ends, with their sign."""
        return self.high.size - self.low.size

    def is_narrower_than(self, precision: Number) -> jax.Array:
        """Tell whether its width is so small a part of its farther end."""
        farther = jnp.maximum(self.low.size, self.high.size)
        return self.is_closed & (jnp.abs(self.width) <= precision * farther)

    def with_trial(self, trial: Point, too_high: jax.Array) -> "Bracket":
        """The bracket after a trial within it, or beyond ``low`` where it is not closed."""
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
        """A size beyond a trial from which the loss still falls.

        It is the minimum of the cubic through ``low`` and the trial, if that is longer than the
        trial by the factor at least, and by 2.5 times the factor at most.
        """
        cubic = minimum_of_cubic(self.low, trial)
        cubic = jnp.where(jnp.isfinite(cubic) & (cubic > trial.size), cubic, jnp.inf)
        shortest = increase_factor * trial.size
        return jnp.clip(cubic, shortest, 2.5 * shortest)

    def next_size(self) -> jax.Array:
        """The minimum of the cubic through both ends, or the middle where that is no good.

        Nearer to an end than a twentieth of the width nothing is learnt.
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
