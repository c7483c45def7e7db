"""Chebyshev step sizes, which are optimal on quadratics, in a stable order."""

import jax.numpy as jnp
import numpy as np

from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function


@schedule
def chebyshev_schedule(
    min_curvature: Hyperparameter, max_curvature: Hyperparameter, transition_steps: int
) -> Function:
    """Reciprocals of Chebyshev nodes in a fractal order, repeated periodically.

    η(t) = 1/(½(M + m) − ½(M − m)·cos(π(σ(t) + ½)/T)), T = ``transition_steps``

    After T steps of gradient descent on a quadratic with curvatures between m and M, the error is
    at most 1/|C_T((M + m)/(M − m))| of the initial one, with C_T a Chebyshev polynomial, the best
    bound of any T step sizes. Single steps are up to 1/m and unstable by themselves; the order σ
    limits the growth of errors in between.

    Args:
        min_curvature: the smallest eigenvalue m of the Hessian.
        max_curvature: the largest eigenvalue M of the Hessian.
        transition_steps: the period T, a power of two.

    Raises:
        ValueError: if ``transition_steps`` is not a power of two.

    >>> from gdlab import chebyshev_schedule
    >>> [round(float(chebyshev_schedule(0.1, 1.0, 4)(t)), 4) for t in range(5)]
    [7.4486, 1.0355, 2.647, 1.3846, 7.4486]

    Source: N. Agarwal, S. Goel, C. Zhang, Acceleration via fractal learning rate schedules, 2021,
    definition 1.
    """
    if transition_steps < 1 or transition_steps & (transition_steps - 1):
        raise ValueError(f"transition_steps must be a power of two, not {transition_steps}")
    cosines = np.cos(np.pi * (_fractal_order(transition_steps) + 0.5) / transition_steps)

    def value(count):
        cosine = jnp.asarray(cosines, dtype=float)[count.astype(int) % transition_steps]
        middle, radius = (
            0.5 * (max_curvature + min_curvature),
            0.5 * (max_curvature - min_curvature),
        )
        return 1 / (middle - radius * cosine)

    return value


def _fractal_order(length: int) -> np.ndarray:
    """The numbers from 0 to ``length − 1`` in the fractal order σ, built by repeated doubling."""
    order = np.zeros(1, int)
    while len(order) < length:
        order = np.stack([order, 2 * len(order) - 1 - order], axis=1).ravel()
    return order
