"""Two directions that span the plane of a landscape."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gdlab.analysis.curvature.parameter_space import number_of_parameters

Kind = Literal["filter", "pca", "hessian", "random"]


class Directions(NamedTuple):
    """Two directions with their names."""

    vectors: Any
    """A tree like the parameters with a leading axis of 2."""
    names: tuple[str, str]


def random_directions(params: Any, key: jax.Array) -> Directions:
    """Two random orthonormal directions."""
    return Directions(_at_right_angles(params, key), ("random direction 1", "random direction 2"))


@jax.jit
def _at_right_angles(params: Any, key: jax.Array) -> Any:
    flat, unravel = ravel_pytree(params)
    columns = jnp.linalg.qr(jax.random.normal(key, (flat.size, 2), flat.dtype))[0]
    return jax.vmap(unravel)(columns.T)


def filter_directions(params: Any, key: jax.Array) -> Directions:
    """Two random directions whose filters have the same norms as those of the parameters.

    The last axis of a kernel counts its filters: the columns of a dense kernel, the output channels
    of a convolution. Arrays with fewer than two axes, biases and scales, do not move.

    Raises:
        ValueError: if all kernels are zero, or there are none.
    """
    if not any(leaf.ndim >= 2 and jnp.any(leaf != 0) for leaf in jax.tree.leaves(params)):
        raise ValueError(
            "directions: no array of the parameters has two axes or more and a number other than "
            "zero, so there are no filters to normalise by; directions='random' needs none"
        )
    return Directions(_in_filters(params, key), ("filter-normalised 1", "filter-normalised 2"))


@jax.jit
def _in_filters(params: Any, key: jax.Array) -> Any:
    """Two random trees like the parameters, with filters of the same norms."""

    def norms(leaf: jax.Array) -> jax.Array:
        return jnp.linalg.norm(leaf.reshape(-1, leaf.shape[-1]), axis=0)

    def like(leaf: jax.Array, noise: jax.Array) -> jax.Array:
        if leaf.ndim < 2:
            return jnp.zeros_like(noise)
        scale = norms(leaf)[None] / jax.vmap(norms)(noise)
        return noise * scale.reshape(2, *[1] * (leaf.ndim - 1), -1)

    # Drawn as one array, since a generator for each of many arrays takes seconds to compile.
    flat, unravel = ravel_pytree(params)
    noise = jax.vmap(unravel)(jax.random.normal(key, (2, flat.size), flat.dtype))
    return jax.tree.map(like, params, noise)


def principal_directions(params: Any, path: Any) -> Directions:
    """The first two principal components of a path, which starts on their negative side.

    Raises:
        ValueError: if the path lies on a line.
    """
    unravel = ravel_pytree(params)[1]
    points = jax.vmap(lambda point: ravel_pytree(point)[0])(path)
    points -= points.mean(axis=0, keepdims=True)
    _, sizes, rows = jnp.linalg.svd(points, full_matrices=False)
    tolerance = max(points.shape) * jnp.finfo(points.dtype).eps
    if len(sizes) < 2 or not sizes[1] > tolerance * sizes[0]:
        raise ValueError(
            f"path: its {len(points)} points lie on a line, so that there is no second principal "
            "component; directions='random' or 'hessian' need none"
        )
    rows = rows[:2]
    starts_positive = (rows @ points[0] > 0)[:, None]
    vectors = jax.vmap(unravel)(jnp.where(starts_positive, -rows, rows))
    shares = 100 * np.asarray(sizes[:2] ** 2 / jnp.sum(sizes**2))
    first, second = (f"principal component {i + 1} ({shares[i]:.3g} %)" for i in range(2))
    return Directions(vectors, (first, second))


def require_a_plane(params: Any) -> None:
    """Refuse parameters with fewer than two numbers.

    Raises:
        ValueError: if there are fewer than two.
    """
    if number_of_parameters(params) < 2:
        raise ValueError("params hold one number: a plane needs two parameters or more")
