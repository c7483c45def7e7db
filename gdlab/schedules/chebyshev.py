"""The step sizes that are best on quadratics, in an order that is stable."""

import jax.numpy as jnp
import numpy as np

from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function


@schedule
def chebyshev_schedule(
    min_curvature: Hyperparameter, max_curvature: Hyperparameter, transition_steps: int
) -> Function:
    """Reciprocals of Chebyshev nodes in a fractal order, again and again.

    η(t) = 1/(½(M + m) − ½(M − m)·cos(π(σ(t) + ½)/T)), T = ``transition_steps``

    After T steps, gradient descent on a quadratic whose curvatures lie between m and M has shrunk
    the error by 1/|C_T((M + m)/(M − m))|, where C_T is a Chebyshev polynomial, which no other step
    sizes do for all of them. Single steps are up to 1/m long; the order σ keeps what they blow up
    in between from growing large.

    Args:
        min_curvature: m, the smallest eigenvalue of the Hessian.
        max_curvature: M, the largest one.
        transition_steps: T, a power of two, after which the steps are repeated.

    Raises:
        ValueError: if ``transition_steps`` is no power of two.

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
    """0 to ``length − 1``: each one of the order of half the length, then its mirror image."""
    order = np.zeros(1, int)
    while len(order) < length:
        order = np.stack([order, 2 * len(order) - 1 - order], axis=1).ravel()
    return order
