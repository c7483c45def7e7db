"""Methods that bet: COCOB and Mechanic.

Orabona and Tommasi 2017, "Training Deep Networks without Learning Rates Through Coin Betting",
arXiv:1705.07795, and Cutkosky, Defazio and Mehta 2023, "Mechanic", arXiv:2306.00144.
"""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, each_step, recorded


@recorded
def cocob(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    alpha: float = 100.0,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    has_rate: bool = True,
) -> Iterator[np.ndarray]:
    """COCOB-Backprop, Algorithm 2, with g the negative gradient; a rate scales w − w₁."""
    w = params0
    L, G, reward, theta = eps + 0 * w, 0 * w, 0 * w, 0 * w
    bet = 0 * w
    for t, (eta,) in each_step(learning_rate):
        g = -(grads(t, w) + weight_decay * w)
        L = np.maximum(L, np.abs(g))
        G = G + np.abs(g)
        reward = np.maximum(reward + bet * g, 0)
        theta = theta + g
        bet = theta / (L * np.maximum(G + L, alpha * L)) * (L + reward)
        w = params0 + (eta if has_rate else 1) * bet
        yield w


@recorded
def mechanic_of_sgd(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    weight_decay: float = 1e-2,
    eps: float = 1e-8,
    s_init: float = 1e-6,
    betas: int = 6,
) -> Iterator[np.ndarray]:
    """Algorithm 1 around gradient descent, with the bets clipped as in its authors' code.

    Δ is the paper's, of which u is the negative gradient times the learning rate.
    """
    x, delta = params0, 0 * params0
    beta = 1 - 0.1 ** np.arange(1, betas + 1)
    r, m, v, s = np.zeros(betas), np.zeros(betas), np.zeros(betas), np.full(betas, s_init)
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, x)
        regular = weight_decay * s.sum() * np.linalg.norm(g) / (np.linalg.norm(x) + eps) * x
        h = -np.vdot(delta, g + regular)
        delta = delta - eta * g
        r = beta * r + np.clip(h, -m, m) * s
        m = np.maximum(beta * m, np.abs(h) + eps)
        v = beta**2 * v + h**2
        s = (s_init / betas * m + np.maximum(r, 0)) / (np.sqrt(v) + eps)
        x = params0 + s.sum() * delta
        yield x
