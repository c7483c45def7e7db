"""What pictures of networks are given."""

from typing import Any

import jax
import numpy as np

from gdlab.problems.problem import Problem, require_like


def network_of(problem: Any) -> Problem:
    """The problem.

    Raises:
        ValueError: if it is no network.
    """
    if getattr(problem, "activations", None) is None:
        name = getattr(problem, "name", repr(problem))
        raise ValueError(f"problem: {name} is no network, such as problems.convolutional_network()")
    return problem


def parameters_of(problem: Problem, params: Any) -> dict[str, dict[str, np.ndarray]]:
    """The parameters as arrays of NumPy; those of the start unless given.

    Raises:
        ValueError: if they are not those of this network.
    """
    params = problem.start if params is None else params
    require_like(problem.name, problem.start, params)
    return jax.tree.map(np.asarray, params)


def image_of(problem: Problem, image: Any) -> np.ndarray:
    """The image; the first one that is held out unless given.

    Raises:
        ValueError: if it is of another shape than those of the problem.
    """
    images, _ = problem.held_out
    image = np.asarray(images[0] if image is None else image)
    if image.shape != images.shape[1:]:
        raise ValueError(f"image must be of shape {images.shape[1:]}, not {image.shape}")
    return image
