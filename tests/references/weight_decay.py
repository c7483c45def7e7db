"""Weight decay in its forms, around Adam: the papers are named at each.

``d`` is Adam's direction m̂/(√v̂ + ε), Kingma and Ba 2015, algorithm 1, with an ε that only keeps a
zero gradient from a division by zero, since libraries place it differently.
"""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, recorded


def _direction(g, moments, t, b1=0.9, b2=0.999, eps=1e-30):
    moments[0] = b1 * moments[0] + (1 - b1) * g
    moments[1] = b2 * moments[1] + (1 - b2) * g**2
    return moments[0] / (1 - b1**t) / (np.sqrt(moments[1] / (1 - b2**t)) + eps)


@recorded
def adam_with_cautious_decay(
    grads: Gradients, params0: np.ndarray, *, learning_rate: np.ndarray, weight_decay: float
) -> Iterator[np.ndarray]:
    """x ← x − η(u + λ·1(u·x ≥ 0)·x): Chen, Li and Liu 2025, "Cautious weight decay", alg. 1."""
    x, moments = params0, [0.0, 0.0]
    for t, eta in enumerate(learning_rate, 1):
        u = _direction(grads(t, x), moments, t)
        x = x - eta * (u + weight_decay * (u * x >= 0) * x)
        yield x


@recorded
def adam_with_independent_decay(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    weight_decay: float,
    cautious: bool = False,
) -> Iterator[np.ndarray]:
    """x ← (1 − λ)x − α·d: Loshchilov and Hutter 2019, eq. 1, at a schedule multiplier of 1.

    With ``cautious`` the elements with d·x ≥ 0 alone decay, as in Chen, Li and Liu 2025.
    """
    x, moments = params0, [0.0, 0.0]
    for t, alpha in enumerate(learning_rate, 1):
        d = _direction(grads(t, x), moments, t)
        decays = (d * x >= 0) if cautious else np.ones_like(x)
        x = (1 - weight_decay * decays) * x - alpha * d
        yield x


@recorded
def adamc(
    grads: Gradients, params0: np.ndarray, *, learning_rate: np.ndarray, weight_decay: float
) -> Iterator[np.ndarray]:
    """x ← x − γₜ·d − (γₜ²/γ_max)·λ·x: Defazio 2025, "Why gradients rapidly increase near the end of
    training", algorithm 1, for a normalised layer.
    """
    x, moments, gamma_max = params0, [0.0, 0.0], np.max(learning_rate)
    for t, gamma in enumerate(learning_rate, 1):
        d = _direction(grads(t, x), moments, t)
        x = x - gamma * d - gamma**2 / gamma_max * weight_decay * x
        yield x
