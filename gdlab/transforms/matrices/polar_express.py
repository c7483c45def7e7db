"""Polar Express: optimal polynomials for orthogonalization."""

import numpy as np


def polar_express(
    steps: int = 8, lower: float = 1e-3, safety: float = 1.01, cushion: float = 0.02407327424182761
) -> tuple[tuple[float, float, float], ...]:
    """Coefficients (a, b, c) of polynomials aσ + bσ³ + cσ⁵, one triple for each step.

    Among all compositions of so many polynomials of this form, theirs has the smallest maximal
    distance from 1 on [lower, 1]. The eighth equals the Newton–Schulz polynomial of degree 5 to
    single precision.

    Args:
        steps: the number of polynomials.
        lower: the smallest singular value ℓ that is brought near 1, relative to the norm.
        safety: the divisor of the argument of each polynomial but the last, so that rounding moves
            no singular value out of the interval of the next polynomial.
        cushion: the smallest ratio of the ends of the interval for which a polynomial is computed;
            smaller ratios would make the first polynomials numerically unstable.

    Source: N. Amsel, D. Persson, C. Musco, R. M. Gower, The Polar Express: optimal matrix sign
    methods and their application to the Muon algorithm, 2025, algorithm 1 and section 4.4.
    """
    low, high, found = lower, 1.0, []
    for step in range(steps):
        triple = _best_quintic(max(low, cushion * high), high)
        # The polynomial is centred for the cushioned interval; centre it for the actual one.
        triple = triple * 2 / (_value(triple, low) + _value(triple, high))
        low = _value(triple, low)
        high = 2 - low
        by = safety if step < steps - 1 else 1.0
        found.append(tuple((triple / by ** np.array([1, 3, 5])).tolist()))
    return tuple(found)


def _value(triple: np.ndarray, x: float) -> float:
    return float(triple @ np.array([x, x**3, x**5]))


def _best_quintic(low: float, high: float) -> np.ndarray:
    """The odd polynomial of degree 5 nearest to 1 on [low, high], by the exchange algorithm."""
    if low / high >= 1 - 5e-6:  # where the equations below would be singular
        return np.array([15, -10, 3]) / 8 / high ** np.array([1, 3, 5])
    ends, inner = (low, high), np.array([3 * low + high, low + 3 * high]) / 4
    triple = np.zeros(3)
    for _ in range(30):  # twice the digits each time
        # The error alternates at four points: the ends and two extrema in between.
        points = np.array([ends[0], *inner, ends[1]])
        equations = np.stack([points, points**3, points**5, [1, -1, 1, -1]], axis=1)
        *triple, _ = np.linalg.solve(equations, np.ones(4))
        a, b, c = triple
        root = np.sqrt(9 * b**2 - 20 * a * c)
        inner = np.sqrt((-3 * b + np.array([-root, root])) / (10 * c))
    return np.array(triple)
