"""MARS, and AdamW with caution.

Yuan et al. 2024, "MARS: Unleashing the Power of Variance Reduction for Training Large Models",
arXiv:2411.10438; Liang et al. 2024, "Cautious Optimizers: Improving Training with One Line of
Code", arXiv:2411.16085.
"""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, quotient, recorded


@recorded
def mars(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.95,
    b2: float = 0.99,
    gamma: float = 0.025,
    eps: Numbers = 1e-8,
    weight_decay: float = 0.0,
    sign: bool = False,
    exact: bool = False,
) -> Iterator[np.ndarray]:
    """MARS-AdamW, Algorithm 2, and MARS-Lion (``sign``), Algorithm 3, on one array.

    c = g + γ β₁/(1 − β₁)(g − h), divided by its norm where that is above 1. ``exact`` evaluates h
    at the point before with the gradient function of this step (Algorithm 1); otherwise it is the
    gradient of the step before (MARS-approx), zero at first as in the authors' code.
    """
    x, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    before, h = params0, np.zeros_like(params0)
    for t, (eta, epsilon) in each_step(learning_rate, eps):
        g = grads(t, x)
        h = grads(t, before) if exact else h
        c = g + gamma * b1 / (1 - b1) * (g - h)
        c = c / max(np.linalg.norm(c), 1.0)
        m = b1 * m + (1 - b1) * c
        v = b2 * v + (1 - b2) * c**2
        adam = quotient(m / (1 - b1**t), np.sqrt(v / (1 - b2**t)) + epsilon)
        before, h = x, g
        x = x - eta * ((np.sign(m) if sign else adam) + weight_decay * x)
        yield x


@recorded
def cautious_adamw(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> Iterator[np.ndarray]:
    """θ ← θ − ε(α(φ)φ∘u + λθ), φ = 1(u∘g > 0), α = d/(Σφ + ξ), ξ = 1: C-AdamW, Algorithm 1."""
    theta, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, theta)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        u = quotient(m / (1 - b1**t), np.sqrt(v / (1 - b2**t)) + eps)
        phi = (u * g > 0).astype(np.float64)
        u = u * phi * (phi.size / (phi.sum() + 1))
        theta = theta - eta * (u + weight_decay * theta)
        yield theta
