"""The comparison of gradients of runs with differences, which shows whether to trust them."""

from collections.abc import Callable

import numpy as np

DISTANCES = (1e-3, 1e-2, 1e-4)
"""The distances of central differences, tried in turn until one agrees with the gradient; a
distance of 1 is a factor of e."""
LARGEST_DISAGREEMENT = 0.25
"""The largest relative distance from central differences at which a gradient is trusted."""


def disagreement(
    evaluate: Callable[[np.ndarray], np.ndarray], points: np.ndarray, gradients: np.ndarray
) -> np.ndarray:
    """The relative distances of gradients from central differences, ‖D − g‖/‖g‖.

    Where training is chaotic, a derivative grows exponentially with the steps while the loss stays
    bounded, so that the two disagree at every sensible distance. Of several distances the one with
    the best agreement counts, since large ones include curvature, and small ones rounding errors.

    Args:
        evaluate: the function that returns the values, of shape ``(starts,)``, at a point of each
            start.
        points: of shape ``(starts, dimensions)``.
        gradients: of the shape of ``points``.

    Returns:
        The distances, of shape ``(starts,)``; infinite where a value or a gradient is not finite.
    """
    lengths = np.linalg.norm(gradients, axis=1)
    smallest = np.full(len(points), np.inf)
    for distance in DISTANCES:
        moves = np.eye(points.shape[1]) * distance
        with np.errstate(invalid="ignore", divide="ignore"):
            rises = [evaluate(points + move) - evaluate(points - move) for move in moves]
            slopes = np.stack(rises, axis=1) / (2 * distance)
            apart = np.linalg.norm(slopes - gradients, axis=1) / lengths
        smallest = np.fmin(smallest, np.where(np.isfinite(apart), apart, np.inf))
        if np.all(smallest <= LARGEST_DISAGREEMENT):
            break
    return smallest
