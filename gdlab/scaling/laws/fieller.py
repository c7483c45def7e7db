"""The interval of the vertex of a fitted parabola."""

import math
from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from gdlab.checks.kinds import Between

Interval: TypeAlias = tuple[float, float]
"""The lower and the upper end of an interval."""
Confidence: TypeAlias = Annotated[float, Between(0, 1, excludes_low=True, excludes_high=True)]
"""The probability that an interval covers the true value."""
EVERYWHERE: Interval = (-math.inf, math.inf)
"""The interval that is the whole line."""


def vertex_interval(
    linear: float, square: float, covariance: ArrayLike, quantile: float
) -> Interval:
    """The confidence interval of −b/(2c), the vertex of a + b·u + c·u², by Fieller's theorem.

    It consists of the v with (b + 2cv)² ≤ q²·Var(b + 2cv). Unlike v plus or minus some standard
    errors, it accounts for the uncertainty of the curvature c: if c is not significantly different
    from 0, it is the whole line.

    Args:
        linear: the estimate of b.
        square: the estimate of c.
        covariance: the covariance of the estimates (b, c), of shape (2, 2).
        quantile: the quantile q of Student's t.

    >>> low, high = vertex_interval(0.0, 1.0, [[0.04, 0.0], [0.0, 0.0]], 2.0)
    >>> print(round(low, 12), round(high, 12))
    -0.2 0.2

    Source: E. C. Fieller, Some problems in interval estimation, 1954.
    """
    (var_b, cov), (_, var_c) = np.asarray(covariance, float)
    second = 4 * (square**2 - quantile**2 * var_c)
    first = 4 * (linear * square - quantile**2 * cov)
    zeroth = linear**2 - quantile**2 * var_b
    discriminant = first**2 - 4 * second * zeroth
    if second <= 0 or square <= 0:
        return EVERYWHERE
    middle, half = -first / (2 * second), math.sqrt(max(discriminant, 0.0)) / (2 * second)
    return middle - half, middle + half
