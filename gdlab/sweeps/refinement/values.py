"""The values of whole runs at points, and their derivatives by forward mode."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.axes.grid import Points

Arrays = dict[str, jax.Array]
"""Hyperparameters at some points by name, of shape ``(points,)`` each."""
ValueOf = Callable[[Any], jax.Array]
"""A traceable function: points → a value for each, of shape ``(points,)``."""


class RunValues:
    """Compiled values at points, and slopes with respect to some hyperparameters.

    Forward mode carries one tangent per hyperparameter through the steps of a run, so that the
    memory grows with the number of hyperparameters, but not with the number of steps.

    Args:
        value_of: the traceable function of points.
        names: the hyperparameters along which there are slopes.
    """

    def __init__(self, value_of: ValueOf, names: Sequence[str]):
        self._names = tuple(names)
        self._value_of = value_of
        self._values = jax.jit(value_of)
        self._with_slopes = jax.jit(self._traced_slopes)
        self.evaluations: int = 0
        """The number of evaluations of values and of slopes so far."""

    def values(self, points: Points) -> np.ndarray:
        """The values, of shape ``(points,)``, NaN where a run diverged."""
        return np.asarray(self._values(_arrays(points)), np.float64)

    def with_slopes(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """The values, of shape ``(points,)``, and their slopes, of ``(points, names)``."""
        self.evaluations += 1
        values, slopes = self._with_slopes(_arrays(points))
        return np.asarray(values, np.float64), np.asarray(slopes, np.float64).T

    def _traced_slopes(self, points: Arrays) -> tuple[jax.Array, jax.Array]:
        along = {name: points[name] for name in self._names}

        def value_of(along: Arrays) -> jax.Array:
            return self._value_of({**points, **along})

        def tangent(direction: Arrays) -> tuple[jax.Array, jax.Array]:
            return jax.jvp(value_of, (along,), (direction,))

        # The value of a point depends on no other point, so one tangent moves all points at once.
        size = len(self._names)
        directions = {
            name: jnp.broadcast_to(row[:, None], (size, len(values))).astype(values.dtype)
            for row, (name, values) in zip(np.eye(size), along.items(), strict=True)
        }
        return jax.vmap(tangent, out_axes=(None, 0))(directions)


def _arrays(points: Points) -> Arrays:
    return {name: jnp.asarray(values, float) for name, values in points.items()}
