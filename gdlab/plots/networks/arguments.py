"""Checks of the arguments that pictures of networks share."""

from typing import Any

import jax
import numpy as np

from gdlab.problems.problem import Problem, require_like


def network_of(problem: Any) -> Problem:
    """Return ``problem``, checked to be a network.

    Raises:
        ValueError: if ``problem`` is not a network.
    """
    if getattr(problem, "activations", None) is None:
        name = getattr(problem, "name", repr(problem))
        raise ValueError(f"problem: {name} is no network, such as problems.convolutional_network()")
    return problem


def parameters_of(problem: Problem, params: Any) -> dict[str, dict[str, np.ndarray]]:
    """Return the parameters as NumPy arrays; those of the problem's start unless given.

    Raises:
        ValueError: if the parameters do not fit this network.
    """
    params = problem.start if params is None else params
    require_like(problem.name, problem.start, params)
    return jax.tree.map(np.asarray, params)


def image_of(problem: Problem, image: Any) -> np.ndarray:
    """Return the image as a NumPy array; the first held-out image unless given.

    Raises:
        ValueError: if the image has another shape than the problem's images.
    """
    images, _ = problem.held_out
    image = np.asarray(images[0] if image is None else image)
    if image.shape != images.shape[1:]:
        raise ValueError(f"image must be of shape {images.shape[1:]}, not {image.shape}")
    return image
