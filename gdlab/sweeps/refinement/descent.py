"""Quasi-Newton descents that evaluate their points together, in one compiled program.

A search is a generator: it yields a point, and is sent the value and gradient there. So one call of
the program serves the current points of all searches.
"""

import math
from collections.abc import Callable, Generator
from typing import Literal, NamedTuple

import numpy as np

Ending = Literal["converged", "no lower value near", "unfinished", "diverged", "flat"]
Slope = tuple[float, np.ndarray]
"""The value at a point, and its gradient."""
Search = Generator[np.ndarray, Slope, "Descent"]
Found = tuple[np.ndarray, float, np.ndarray]
"""A point, its value, and its gradient."""

LARGEST_MOVE = 2.0
"""The largest change of a coordinate in one step; a change of 1 is a factor of e."""
FIRST_MOVE = 0.25
"""The largest change of a coordinate in the first step, before any curvature is known."""
SUFFICIENT, CURVATURE = 1e-4, 0.9
"""The constants c₁ and c₂ of the weak Wolfe conditions, on the decrease and on the slope."""
TRIALS = 40
"""The most points that a line search tries."""
ASIDE = 5e-3
"""A distance from a kink at which the gradient is that of one smooth side."""


class Descent(NamedTuple):
    """The points of a descent, their values, and how it ended."""

    points: np.ndarray
    """The start and the point after each step, of shape ``(steps + 1, dimensions)``."""
    values: np.ndarray
    """The values at the points, of shape ``(steps + 1,)``."""
    gradient: np.ndarray
    """The gradient at the last point."""
    ending: Ending


def descend_together(
    starts: np.ndarray,
    evaluate: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    *,
    steps: int,
    rounding: float,
) -> list[Descent]:
    """Descend from several starts at once.

    Args:
        starts: points of shape ``(starts, dimensions)``.
        evaluate: the function that returns the values, of shape ``(starts,)``, and the gradients,
            of shape ``(starts, dimensions)``, at a point of each descent.
        steps: the largest number of steps of a descent.
        rounding: the relative rounding error of the values, below which changes are ignored.
    """
    searches = [bfgs(start, steps, rounding) for start in starts]
    points = np.stack([next(search) for search in searches])
    ended: dict[int, Descent] = {}
    while len(ended) < len(searches):
        values, gradients = evaluate(points)
        for number, search in enumerate(searches):
            if number not in ended:
                try:
                    points[number] = search.send((float(values[number]), gradients[number]))
                except StopIteration as stop:
                    ended[number] = stop.value
    return [ended[number] for number in range(len(searches))]


def bfgs(start: np.ndarray, steps: int, rounding: float) -> Search:
    """Descend by BFGS with a line search for the weak Wolfe conditions.

    A descent has converged where the next step promises a decrease below the rounding error of the
    value, or the slope is below the square root of that error.

    The weak Wolfe conditions do not bound the slope from above, so that the method also finds
    minima at kinks, such as those of a spectral radius.

    Source: A. S. Lewis and M. L. Overton, Nonsmooth optimization via quasi-Newton methods, 2013,
    algorithms 2.1 and 2.6.
    """
    point = start
    value, gradient = yield point
    points, values = [point], [value]
    inverse: np.ndarray | None = None
    ending: Ending = "unfinished"
    if not (math.isfinite(value) and np.all(np.isfinite(gradient))):
        ending, steps = "diverged", 0
    elif not np.any(gradient):
        ending, steps = "flat", 0
    for _ in range(steps):
        if np.max(np.abs(gradient)) <= math.sqrt(rounding):
            ending = "converged"
            break
        step, noise = _direction(inverse, gradient), rounding * max(1.0, abs(value))
        if inverse is not None and -gradient @ step <= noise:
            ending = "converged"
            break
        found = yield from _line_search(point, value, gradient, step, noise)
        if found is None and inverse is not None:
            # The estimated inverse Hessian may belong to points far away: start again without it.
            inverse, step = None, _direction(None, gradient)
            found = yield from _line_search(point, value, gradient, step, noise)
        if found is None:
            found = yield from _off_a_kink(point, value, noise)
        if found is None:
            ending = "no lower value near"
            break
        inverse = _updated(inverse, found[0] - point, found[2] - gradient)
        point, value, gradient = found
        points.append(point)
        values.append(value)
    return Descent(np.stack(points), np.asarray(values), gradient, ending)


def _direction(inverse: np.ndarray | None, gradient: np.ndarray) -> np.ndarray:
    """The first trial step of a line search, no longer than allowed."""
    if inverse is not None:
        step = -inverse @ gradient
        if step @ gradient < 0:
            return step * min(1.0, LARGEST_MOVE / np.max(np.abs(step)))
    return -gradient * min(1.0, FIRST_MOVE / np.max(np.abs(gradient)))


def _updated(inverse: np.ndarray | None, move: np.ndarray, change: np.ndarray) -> np.ndarray | None:
    """The BFGS update of the inverse Hessian; unchanged where the curvature is not positive."""
    curvature = move @ change
    if not curvature > 0:
        return inverse
    if inverse is None:
        inverse = np.eye(len(move)) * (curvature / (change @ change))
    left = np.eye(len(move)) - np.outer(move, change) / curvature
    return left @ inverse @ left.T + np.outer(move, move) / curvature


def _line_search(
    point: np.ndarray, value: float, gradient: np.ndarray, step: np.ndarray, noise: float
) -> Generator[np.ndarray, Slope, Found | None]:
    """Find a point along a step that meets the weak Wolfe conditions, with value and gradient.

    If there is none before the decrease is lost in the noise of the values, return the lowest point
    found, or None if nothing was lower.
    """
    slope = float(gradient @ step)
    low, high, length = 0.0, math.inf, 1.0
    lowest: Found | None = None
    for _ in range(TRIALS):
        if -length * slope <= noise:
            break
        trial = point + length * step
        new, new_gradient = yield trial
        finite = math.isfinite(new) and np.all(np.isfinite(new_gradient))
        if finite and new < (value if lowest is None else lowest[1]):
            lowest = trial, new, new_gradient
        if not finite or new > value + SUFFICIENT * length * slope:
            high = length
        elif new_gradient @ step < CURVATURE * slope and length * np.max(np.abs(step)) < (
            LARGEST_MOVE
        ):
            low = length
        else:
            return trial, new, new_gradient
        length = (low + high) / 2 if math.isfinite(high) else 2 * length
    return lowest


def _off_a_kink(
    point: np.ndarray, value: float, noise: float
) -> Generator[np.ndarray, Slope, Found | None]:
    """Find a lower point along a kink, starting from a point on it; None if there is none.

    The direction of steepest descent on a kink is the shortest convex combination of the gradients
    on its sides.

    Source: J. V. Burke, A. S. Lewis and M. L. Overton, A robust gradient sampling algorithm for
    nonsmooth, nonconvex optimization, 2005, section 2.
    """
    aside = perturbed(point)
    _, one = yield aside
    _, other = yield 2 * point - aside
    between = other - one
    if not (np.all(np.isfinite(between)) and np.any(between)):
        return None
    shortest = one + np.clip(-one @ between / (between @ between), 0.0, 1.0) * between
    if not np.any(shortest):
        return None
    return (yield from _line_search(point, value, shortest, _direction(None, shortest), noise))


def perturbed(points: np.ndarray) -> np.ndarray:
    """Slightly moved points, in a direction along which a kink is unlikely to lie."""
    direction = np.random.default_rng(0).normal(size=points.shape[-1])
    return points + ASIDE * direction / np.linalg.norm(direction)
