"""MoMo: Schaipp, Ohana, Eickenberg, Defazio and Gower 2024, arXiv:2305.07583.

The loss at θ is ``loss(theta)``, here ½‖θ‖² whatever the gradients are.
"""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, each_step, quotient, recorded


def loss(theta: np.ndarray) -> float:
    return 0.5 * np.vdot(theta, theta)


@recorded
def momo(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    beta: float = 0.9,
    bound: float = 0.0,
    decay: float = 0.0,
    adapt: bool = False,
) -> Iterator[np.ndarray]:
    """Algorithm 1, with the weight decay of appendix A and the lower bound of section 3.3."""
    x, f_star = params0, bound
    d, f_bar, gamma = 0 * x, 0.0, 0.0
    for t, (alpha,) in each_step(learning_rate):
        g, b = grads(t, x), (0.0 if t == 1 else beta)
        f_bar = b * f_bar + (1 - b) * loss(x)
        d = b * d + (1 - b) * g
        gamma = b * gamma + (1 - b) * np.vdot(g, x)
        shrink, squared = 1 + alpha * decay, np.vdot(d, d)
        h = shrink * (f_bar - gamma) + np.vdot(d, x)
        if adapt and h < shrink * f_star:
            f_star = max(h / (2 * shrink), bound)
        tau = min(alpha, max(h - shrink * f_star, 0) / squared)
        if adapt:
            f_star = max(f_bar + np.vdot(d, x) - gamma - tau * squared / 2, bound)
        x = (x - tau * d) / shrink
        yield x


@recorded
def momo_adam(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    bound: float = 0.0,
    decay: float = 0.0,
    adapt: bool = False,
) -> Iterator[np.ndarray]:
    """Algorithm 4."""
    x, f_star = params0, bound
    d, v, f_bar, gamma = 0 * x, 0 * x, 0.0, 0.0
    for t, (alpha,) in each_step(learning_rate):
        g = grads(t, x)
        f_bar = b1 * f_bar + (1 - b1) * loss(x)
        d = b1 * d + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        gamma = b1 * gamma + (1 - b1) * np.vdot(g, x)
        arrived = 1 - b1**t
        step = quotient(d, np.sqrt(v / (1 - b2**t)) + eps)
        shrink, squared = 1 + alpha * decay, np.vdot(d, step)
        h = shrink * (f_bar - gamma) + np.vdot(d, x)
        if adapt and h < shrink * arrived * f_star:
            f_star = max(h / (2 * shrink * arrived), bound)
        tau = min(alpha / arrived, max(h - shrink * arrived * f_star, 0) / squared)
        if adapt:
            f_star = max((f_bar + np.vdot(d, x) - gamma - tau * squared / 2) / arrived, bound)
        x = (x - tau * step) / shrink
        yield x
