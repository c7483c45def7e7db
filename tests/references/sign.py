"""Methods that step along signs."""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, recorded


@recorded
def sign_sgd(
    grads: Gradients, params0: np.ndarray, *, learning_rate: np.ndarray
) -> Iterator[np.ndarray]:
    """θ ← θ − η sign(g) (Bernstein et al. 2018, algorithm 1)."""
    theta = params0
    for t, (eta,) in each_step(learning_rate):
        theta = theta - eta * np.sign(grads(t, theta))
        yield theta


@recorded
def signum(
    grads: Gradients, params0: np.ndarray, *, learning_rate: np.ndarray, beta: Numbers = 0.9
) -> Iterator[np.ndarray]:
    """m ← βm + (1 − β)g; θ ← θ − η sign(m) (Bernstein et al. 2018, algorithm 2)."""
    theta, m = params0, np.zeros_like(params0)
    for t, (eta, b) in each_step(learning_rate, beta):
        m = b * m + (1 - b) * grads(t, theta)
        theta = theta - eta * np.sign(m)
        yield theta


@recorded
def lion(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: Numbers = 0.9,
    b2: Numbers = 0.99,
    weight_decay: Numbers = 0.0,
) -> Iterator[np.ndarray]:
    """c = β₁m + (1 − β₁)g; θ ← θ − η(sign(c) + λθ); m ← β₂m + (1 − β₂)g.

    Chen et al. 2023, program 1 and algorithm 2.
    """
    theta, m = params0, np.zeros_like(params0)
    for t, (eta, beta1, beta2, lam) in each_step(learning_rate, b1, b2, weight_decay):
        g = grads(t, theta)
        c = beta1 * m + (1 - beta1) * g
        theta = theta - eta * (np.sign(c) + lam * theta)
        m = beta2 * m + (1 - beta2) * g
        yield theta


@recorded
def rprop(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    eta_minus: float = 0.5,
    eta_plus: float = 1.2,
    min_step_size: float = 1e-6,
    max_step_size: float = 50.0,
) -> Iterator[np.ndarray]:
    """iRprop⁻ (Igel and Hüsken 2003, section 2.3), element by element; Δ starts at the first η."""
    theta = params0
    delta, before = np.full_like(params0, learning_rate[0]), np.zeros_like(params0)
    for t, _ in each_step(learning_rate):
        g = np.array(grads(t, theta))
        for i in np.ndindex(g.shape):
            if before[i] * g[i] > 0:
                delta[i] = min(delta[i] * eta_plus, max_step_size)
            elif before[i] * g[i] < 0:
                delta[i] = max(delta[i] * eta_minus, min_step_size)
                g[i] = 0
        theta = theta - np.sign(g) * delta
        before = g
        yield theta
