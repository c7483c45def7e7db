"""The value of whole runs at points, and its derivatives by forward mode."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.axes.grid import Points

Arrays = dict[str, jax.Array]
"""Hyperparameters at some points by name, of shape ``(points,)`` each."""
ValueOf = Callable[[Any], jax.Array]
"""The value at each of some points, of shape ``(points,)``, as it is traced."""


class RunValues:
    """The value at points, and its slopes along some hyperparameters, each one compiled program.

    Forward mode carries a tangent for each of them through the steps of a run, so that it needs
    the memory of so many more runs, however many steps they have.

    Args:
        value_of: the value at points.
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

        # Points do not know of each other, so all of them move at once.
        size = len(self._names)
        directions = {
            name: jnp.broadcast_to(row[:, None], (size, len(values))).astype(values.dtype)
            for row, (name, values) in zip(np.eye(size), along.items(), strict=True)
        }
        return jax.vmap(tangent, out_axes=(None, 0))(directions)


def _arrays(points: Points) -> Arrays:
    return {name: jnp.asarray(values, float) for name, values in points.items()}
