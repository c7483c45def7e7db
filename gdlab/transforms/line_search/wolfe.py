"""The strong conditions of Wolfe."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.structure import Number
from gdlab.transforms.line_search.ray import Point


class Wolfe(NamedTuple):
    """The conditions on a point of a ray: sufficient decrease, and a sufficiently small slope."""

    start: Point
    slope_rtol: Number
    curv_rtol: Number
    tol: Number
    approx_dec_rtol: Number | None
    """The relative rise of the loss below which the slope decides about sufficient decrease."""

    def is_too_high(self, trial: Point) -> jax.Array:
        """Tell whether the loss decreases too little.

        Source: W. W. Hager, H. Zhang, A new conjugate gradient method with guaranteed descent and
        an efficient line search, 2005, eq. 4.1, for where rounding hides the decrease.
        """
        start = self.start
        bound = start.value + self.slope_rtol * trial.size * start.slope + self.tol
        high = ~(trial.value <= bound)
        if self.approx_dec_rtol is None:
            return high
        near = trial.value <= start.value + self.approx_dec_rtol * jnp.abs(start.value)
        return high & ~(near & (trial.slope <= (2 * self.slope_rtol - 1) * start.slope + self.tol))

    def is_flat(self, trial: Point) -> jax.Array:
        """Tell whether the slope has become small enough."""
        return jnp.abs(trial.slope) <= self.curv_rtol * jnp.abs(self.start.slope) + self.tol
