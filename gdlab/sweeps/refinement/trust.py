"""The agreement of a derivative of runs with differences, which tells whether to trust it."""

from collections.abc import Callable

import numpy as np

DISTANCES = (1e-3, 1e-2, 1e-4)
"""The distances at which a gradient is compared with central differences, in coordinates in which
1 is a factor of e; the next one is tried where they disagree."""
LARGEST_DISAGREEMENT = 0.25
"""The largest relative distance from the differences at which a gradient is trusted."""


def disagreement(
    evaluate: Callable[[np.ndarray], np.ndarray], points: np.ndarray, gradients: np.ndarray
) -> np.ndarray:
    """The relative distances of gradients from central differences, ‖D − g‖/‖g‖.

    Where training is chaotic a derivative grows exponentially with the steps, while the loss stays
    within its bounds: they disagree at every distance that anybody would call a change of a
    hyperparameter. Of several distances the one with the best agreement counts, since at a large
    one the curvature of the loss is seen as well, and at a small one rounding errors.

    Args:
        evaluate: the values, of shape ``(starts,)``, at a point of each start.
        points: of shape ``(starts, dimensions)``.
        gradients: likewise.

    Returns:
        Of shape ``(starts,)``; infinite where a value or a gradient is not finite.
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
