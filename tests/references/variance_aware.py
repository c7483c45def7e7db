"""Methods that ask how far the second moment can be trusted.

RAdam: Liu et al. 2020, arXiv:1908.03265. AdaBelief: Zhuang et al. 2020, arXiv:2010.07468. ACProp:
Zhuang et al. 2021, arXiv:2110.05454. Yogi: Zaheer et al. 2018, "Adaptive Methods for Nonconvex
Optimization". Adan: Xie et al. 2022, arXiv:2208.06677.
"""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, quotient, recorded


@recorded
def radam(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: Numbers = 1e-8,
    threshold: float = 5.0,
    nesterov: bool = False,
) -> Iterator[np.ndarray]:
    """θ ← θ − α r m̂/(√v̂ + ε) where ρ ≥ ``threshold``, θ − α m̂ before: Algorithm 2.

    The paper asks for ρ > 4, its code for ρ ≥ 5. It has no ε. ``nesterov`` is optax's addition.
    """
    theta, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    rho_inf = 2 / (1 - b2) - 1
    for t, (alpha, epsilon) in each_step(learning_rate, eps):
        g = grads(t, theta)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_hat = m / (1 - b1**t)
        if nesterov:
            m_hat = b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
        rho = rho_inf - 2 * t * b2**t / (1 - b2**t)
        if rho >= threshold:
            r = np.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
            theta = theta - alpha * r * quotient(m_hat, np.sqrt(v / (1 - b2**t)) + epsilon)
        else:
            theta = theta - alpha * m_hat
        yield theta


@recorded
def adabelief(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-16,
    nesterov: bool = False,
) -> Iterator[np.ndarray]:
    """s ← β₂s + (1 − β₂)(g − m)² + ε, θ ← θ − α m̂/(√ŝ + ε): Algorithm 2."""
    theta, m, s = params0, np.zeros_like(params0), np.zeros_like(params0)
    for t, (alpha,) in each_step(learning_rate):
        g = grads(t, theta)
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * (g - m) ** 2 + eps
        m_hat, s_hat = m / (1 - b1**t), s / (1 - b2**t)
        if nesterov:
            m_hat = b1 * m / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
        theta = theta - alpha * m_hat / (np.sqrt(s_hat) + eps)
        yield theta


@recorded
def acprop(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-16,
    eps_root: float = 1e-16,
    weight_decay: float = 0.0,
) -> Iterator[np.ndarray]:
    """θ ← θ − α g/(√ŝ + ε) with the s of the step before, ŝ = 1 at first: Algorithm 2."""
    theta, m, s = params0, np.zeros_like(params0), np.zeros_like(params0)
    s_hat = np.ones_like(params0)
    for t, (alpha,) in each_step(learning_rate):
        g = grads(t, theta)
        theta = theta - alpha * (g / (np.sqrt(s_hat) + eps) + weight_decay * theta)
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * (g - m) ** 2 + eps_root
        s_hat = s / (1 - b2**t)
        yield theta


@recorded
def yogi(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-3,
    initial_value: float = 0.0,
    bias_correction: bool = False,
) -> Iterator[np.ndarray]:
    """v ← v − (1 − β₂) sign(v − g²) g², θ ← θ − η m/(√v + ε): Algorithm 2.

    The libraries divide m and v by 1 − βᵗ (``bias_correction``).
    """
    x, m = params0, np.zeros_like(params0)
    v = np.full_like(params0, initial_value)
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, x)
        m = b1 * m + (1 - b1) * g
        v = v - (1 - b2) * np.sign(v - g**2) * g**2
        m_hat, v_hat = (m / (1 - b1**t), v / (1 - b2**t)) if bias_correction else (m, v)
        x = x - eta * quotient(m_hat, np.sqrt(v_hat) + eps)
        yield x


@recorded
def adan(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    beta1: float = 0.02,
    beta2: float = 0.08,
    beta3: float = 0.01,
    eps: float = 1e-8,
    decay: float = 0.0,
) -> Iterator[np.ndarray]:
    """θ ← (θ − η (m + (1 − β₂)v))/(1 + λη), η/(√n + ε): Algorithm 1, whose β weigh the new value.

    Averages are corrected for their start at zero, as in the authors' code; the paper starts m at
    g, v at g₁ − g₀ and n at its first square.
    """
    theta = params0
    m, v, n, before = (np.zeros_like(params0) for _ in range(4))
    for k, (eta,) in each_step(learning_rate):
        g = grads(k, theta)
        d = g - before if k > 1 else np.zeros_like(g)
        m = (1 - beta1) * m + beta1 * g
        v = (1 - beta2) * v + beta2 * d
        n = (1 - beta3) * n + beta3 * (g + (1 - beta2) * d) ** 2
        m_hat, v_hat = m / (1 - (1 - beta1) ** k), v / (1 - (1 - beta2) ** k)
        n_hat = n / (1 - (1 - beta3) ** k)
        step = quotient(m_hat + (1 - beta2) * v_hat, np.sqrt(n_hat) + eps)
        theta = (theta - eta * step) / (1 + decay * eta)
        before = g
        yield theta
