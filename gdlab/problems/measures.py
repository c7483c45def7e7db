"""Measures of a trained network: the number of weights, the accuracy, and the effect of shifts."""

import functools
import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Size
from gdlab.problems.layers import shifted
from gdlab.problems.problem import Problem, require_like


class NetworkMeasures(NamedTuple):
    """The measures of a trained network; made by :func:`measure_network`."""

    weights: int
    """The number of parameters."""
    accuracy: float
    """The fraction of the images that are classified correctly."""
    shifted_accuracy: float
    """The fraction of the shifted images that are classified correctly."""
    consistency: float
    """The fraction of the shifted images whose predicted class is the same as before the shift."""
    output_change: float
    """The mean total variation between the probabilities before and after a shift, from 0 to 1."""


@functools.partial(jax.jit, static_argnums=0)
def probabilities(
    problem: Problem, params: Any, images: jax.Array, down: Any = 0, right: Any = 0
) -> jax.Array:
    """The class probabilities of shifted images; compiled once for each network.

    Args:
        problem: a network that reads images.
        params: its parameters.
        images: the images, of shape ``(n, height, width, channels)``.
        down: the shift downwards, in pixels.
        right: the shift to the right, in pixels.

    Returns:
        The probabilities, of shape ``(n, classes)``.
    """
    moved = jax.vmap(shifted, (0, None, None))(images, down, right)
    return jax.nn.softmax(problem.model(params, moved))  # type: ignore[misc]


@checked
def measure_network(
    problem: Problem, params: Any, data: Any = None, *, shift: Size = 1
) -> NetworkMeasures:
    """Count the weights of a network, and measure its accuracy and its sensitivity to shifts.

    Images are shifted by exactly ``shift`` pixels, in each of the eight directions. A network that
    is invariant under shifts has the consistency 1 and the output change 0.

    Args:
        problem: a network that reads images.
        params: its parameters.
        data: a pair (images, labels); by default the held-out data.
        shift: the size of the shift, in pixels.

    Raises:
        ValueError: if the problem is not a network.

    >>> from gdlab import problems
    >>> problem = problems.convolutional_network((4, 8))
    >>> problems.measure_network(problem, problem.start, shift=0).consistency
    1.0

    Source: R. Zhang, Making convolutional networks shift-invariant again, 2019, section 4.1 (the
    consistency).
    """
    if "network" not in problem.tags or problem.model is None:
        raise ValueError(f"problem: {problem.name} is no network that reads images")
    require_like("params: " + problem.name, problem.start, params)
    data = problem.held_out if data is None else data
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise TypeError(f"data must be (images, labels), not {data!r}")
    images, labels = data
    images, labels = jnp.asarray(images), np.asarray(labels)
    before = np.asarray(probabilities(problem, params, images, 0, 0))
    directions = [d for d in itertools.product((-shift, 0, shift), repeat=2) if d != (0, 0)]
    after = np.stack([probabilities(problem, params, images, *by) for by in directions or [(0, 0)]])
    read, read_after = before.argmax(axis=-1), after.argmax(axis=-1)
    return NetworkMeasures(
        weights=sum(leaf.size for leaf in jax.tree.leaves(params)),
        accuracy=float(np.mean(read == labels)),
        shifted_accuracy=float(np.mean(read_after == labels)),
        consistency=float(np.mean(read_after == read)),
        output_change=float(np.mean(np.abs(after - before).sum(axis=-1) / 2)),
    )
