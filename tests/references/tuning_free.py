"""AdamG, BCOS, KATE and TRAC, each as its paper prints it."""

from collections.abc import Iterator

import numpy as np
from scipy.special import erfi

from tests.references.stepping import Gradients, each_step, quotient, recorded


@recorded
def adamg(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.95,
    b2: float = 0.999,
    b3: float = 0.95,
    p: float = 0.2,
    q: float = 0.24,
    eps: float = 1e-8,
) -> Iterator[np.ndarray]:
    """Pang, Wang and Zhang 2024, arXiv:2405.04376, Algorithm 1, s(x) = p·x^q."""
    x, m, v, r = params0, 0 * params0, 0 * params0, 0 * params0
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, x)
        v = b2 * v + (1 - b2) * g**2
        r = b3 * r + (1 - b3) * p * v**q
        m = b1 * m + (1 - b1) * r * g
        step = quotient(m / (1 - b1**t), np.sqrt(v / (1 - b2**t)) + eps)
        x = x - min(eta, 1 / np.sqrt(t)) * step
        yield x


@recorded
def bcos(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    beta: float = 0.9,
    beta2: float | None = None,
    mode: str = "c",
    eps: float = 1e-6,
    weight_decay: float = 0.1,
) -> Iterator[np.ndarray]:
    """Xiao et al. 2025, arXiv:2507.08963: BCOS-g, BCOS-m and BCOS-c.

    In BCOS-c the second moment of d = βm + (1 − β)g given the m before is
    β²m² + 2β(1 − β)m·E[g] + (1 − β)²E[g²], with d for E[g] and g² for E[g²], multiplied out.
    """
    x, m, v, b2 = params0, None, None, beta if beta2 is None else beta2
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, x)
        before = g if m is None else m
        m = beta * before + (1 - beta) * g
        d = g if mode == "g" else m
        if mode == "c":
            v = (3 * beta**2 - 2 * beta**3) * before**2 + (1 - beta) ** 2 * g**2
            v = v + 2 * beta * (1 - beta) ** 2 * before * g
        else:
            v = d**2 if v is None else b2 * v + (1 - b2) * d**2
        x = x - eta * (quotient(d, np.sqrt(v) + eps) + weight_decay * x)
        yield x


@recorded
def kate(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    eta: float = 0.0,
) -> Iterator[np.ndarray]:
    """Choudhury et al. 2024, arXiv:2403.02648, Algorithm 1, which has no ε."""
    w, b_squared, m_squared = params0, 0 * params0, 0 * params0
    for t, (gamma,) in each_step(learning_rate):
        g = grads(t, w)
        b_squared = b_squared + g**2
        m_squared = m_squared + eta * g**2 + quotient(g**2, b_squared)
        w = w - gamma * quotient(np.sqrt(m_squared) * g, b_squared)
        yield w


@recorded
def trac_of_sgd(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    betas: tuple[float, ...] = (0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999),
    eps: float = 1e-8,
    s_init: float = 1e-8,
) -> Iterator[np.ndarray]:
    """Muppidi, Zhang and Yang 2024, arXiv:2405.16642, Algorithms 1 and 2, around descent.

    The inner product is with the displacement of the base, the σ of the start is ε, and a negative
    scale is none, all as in the authors' code.
    """
    theta, base = params0, params0
    beta = np.array(betas)
    sigma, v = np.full(len(betas), eps), np.zeros(len(betas))
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, theta)
        h = np.vdot(g, base - params0)
        base = base - eta * g
        v = beta**2 * v + h**2
        sigma = beta * sigma - h
        s = s_init / erfi(1 / np.sqrt(2)) * erfi(sigma / (np.sqrt(2 * v) + eps))
        theta = params0 + max(s.sum(), 0) * (base - params0)
        yield theta
