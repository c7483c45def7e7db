"""A plane in the space of parameters."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

LARGEST_CONDITION = 1e6
"""The largest condition number of the Gram matrix of two directions.

Directions at an angle below about 1/1000 exceed it and are refused as parallel."""


class Plane(NamedTuple):
    """The points w + x d₁ + y d₂."""

    center: Any
    """The parameters w."""
    directions: Any
    """d₁ and d₂, a tree like the parameters with a leading axis of 2."""

    @classmethod
    def spanned_by(cls, directions: Any, center: Any) -> "Plane":
        """Make the plane through ``center`` along two directions.

        Raises:
            ValueError: if the directions are parallel.
        """
        gram = products(directions, directions)
        lengths = np.sqrt(np.diag(gram))
        with np.errstate(divide="ignore", invalid="ignore"):
            condition = (
                np.linalg.cond(gram / np.outer(lengths, lengths)) if lengths.all() else np.inf
            )
        if not condition < LARGEST_CONDITION:
            raise ValueError(
                "directions: the two are parallel, or one of them is zero, and span no plane"
            )
        return cls(center, directions)

    def at(self, coordinates: Any) -> Any:
        """The points at coordinates (n, 2): a tree of parameters with a leading axis of n."""
        return _at(self, coordinates)

    def project(self, path: Any) -> np.ndarray:
        """The coordinates of a path projected onto the plane, of shape (n, 2).

        They solve the normal equations DᵀD c = Dᵀ(wₜ − w), with the directions as columns of D.
        """
        gram = products(self.directions, self.directions)
        offsets = jax.tree.map(lambda points, center: points - center[None], path, self.center)
        return np.linalg.solve(gram, products(self.directions, offsets)).T

    def explained_variance(self, path: Any) -> float:
        """The share of the variance of a path's points that lies in the plane."""
        total = sum(
            float(np.sum(np.var(np.asarray(leaf, np.float64), axis=0)))
            for leaf in jax.tree.leaves(path)
        )
        coordinates = self.project(path)
        coordinates -= coordinates.mean(axis=0)
        gram = products(self.directions, self.directions)
        along = np.einsum("ni,ij,nj->", coordinates, gram, coordinates) / len(coordinates)
        return float(along / total) if total > 0 else np.nan


@jax.jit
def _at(plane: Plane, coordinates: Any) -> Any:
    def moved(center: jax.Array, directions: jax.Array) -> jax.Array:
        x, y = jnp.moveaxis(coordinates.astype(center.dtype), 1, 0)
        along = jnp.multiply.outer
        return center[None] + along(x, directions[0]) + along(y, directions[1])

    return jax.tree.map(moved, plane.center, plane.directions)


def products(rows: Any, columns: Any) -> np.ndarray:
    """The inner products of two families of vectors, each a tree with a leading axis."""
    with jax.default_matmul_precision("highest"):
        parts = jax.tree.map(
            lambda a, b: a.reshape(len(a), -1) @ b.reshape(len(b), -1).T, rows, columns
        )
    return sum((np.asarray(part, np.float64) for part in jax.tree.leaves(parts)), np.zeros(()))
