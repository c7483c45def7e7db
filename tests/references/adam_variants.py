"""Variants of Adam, each from its own paper, named in the docstring of its function."""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, quotient, recorded


@recorded
def adamaxw(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 1e-4,
) -> Iterator[np.ndarray]:
    """Algorithm 2 of Kingma and Ba, optax's ε, with the decay of Loshchilov and Hutter."""
    theta, m, u = params0, np.zeros_like(params0), np.zeros_like(params0)
    for t, (alpha,) in each_step(learning_rate):
        g = grads(t, theta)
        m = b1 * m + (1 - b1) * g
        u = np.maximum(b2 * u, np.abs(g) + eps)
        theta = theta - alpha * (quotient(m / (1 - b1**t), u) + weight_decay * theta)
        yield theta


@recorded
def nadamw(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    psi: float = np.inf,
    weight_decay: float = 1e-4,
) -> Iterator[np.ndarray]:
    """Dozat 2016, as torch and optax have it, m averaged with β₁, and decoupled decay."""
    theta, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    product = 1.0
    for t, (alpha,) in each_step(learning_rate):
        mu, ahead = (b1 * (1 - 0.5 * 0.96 ** (psi * step)) for step in (t, t + 1))
        product = product * mu
        g = grads(t, theta)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        m_bar = ahead * m / (1 - product * ahead) + (1 - mu) * g / (1 - product)
        step = quotient(m_bar, np.sqrt(v / (1 - b2**t)) + eps)
        theta = theta - alpha * (step + weight_decay * theta)
        yield theta


@recorded
def lamb(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-6,
    weight_decay: float = 0.0,
) -> Iterator[np.ndarray]:
    """x ← x − η ‖x‖/‖r + λx‖ (r + λx): You et al. 2020, arXiv:1904.00962, Algorithm 2, φ(z) = z."""
    x, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, x)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        r = quotient(m / (1 - b1**t), np.sqrt(v / (1 - b2**t)) + eps) + weight_decay * x
        weights, length = np.sqrt(np.sum(x**2)), np.sqrt(np.sum(r**2))
        trust = weights / length if weights > 0 and length > 0 else 1.0
        x = x - eta * trust * r
        yield x


@recorded
def novograd(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.25,
    eps: float = 1e-6,
    weight_decay: float = 0.0,
) -> Iterator[np.ndarray]:
    """m ← β₁m + (g/(√v + ε) + d·w): Ginsburg et al. 2019, arXiv:1905.11286, Algorithm 1."""
    w, m, v = params0, np.zeros_like(params0), 0.0
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, w)
        v = np.sum(g**2) if t == 1 else b2 * v + (1 - b2) * np.sum(g**2)
        m = b1 * m + (g / (np.sqrt(v) + eps) + weight_decay * w)
        w = w - eta * m
        yield w


@recorded
def laprop(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: Numbers = 1e-15,
    inside: Numbers = 0.0,
    weight_decay: float = 0.0,
    rate_in_momentum: bool = False,
) -> Iterator[np.ndarray]:
    """m ← β₁m + (1 − β₁)g/√(v/c): Ziyin, Wang and Ueda 2020, arXiv:2002.04839, Algorithm 1.

    The authors' code averages λg/√(v/c) and divides by the average of λ (``rate_in_momentum``).
    ``inside`` is an ε inside the root.
    """
    theta, m, v, weight = params0, np.zeros_like(params0), np.zeros_like(params0), 0.0
    for t, (rate, epsilon, epsilon_root) in each_step(learning_rate, eps, inside):
        g = grads(t, theta)
        v = b2 * v + (1 - b2) * g**2
        z = quotient(g, np.sqrt(v / (1 - b2**t) + epsilon_root) + epsilon)
        importance = rate if rate_in_momentum else 1.0
        m = b1 * m + (1 - b1) * importance * z
        weight = b1 * weight + (1 - b1) * importance
        theta = theta - rate * (m / weight + weight_decay * theta)
        yield theta


@recorded
def stable_adamw(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
) -> Iterator[np.ndarray]:
    """η ← α/max(1, RMS): Wortsman et al. 2023, arXiv:2304.13013, Algorithm 2."""
    theta, v, u = params0, np.zeros_like(params0), np.zeros_like(params0)
    for t, (alpha,) in each_step(learning_rate):
        g = grads(t, theta)
        beta1, beta2 = (beta * (1 - beta ** (t - 1)) / (1 - beta**t) for beta in (b1, b2))
        v = beta1 * v + (1 - beta1) * g
        u = beta2 * u + (1 - beta2) * g**2
        surprise = np.sqrt(np.mean(g**2 / np.maximum(u, eps**2)))
        eta = alpha / max(1, surprise)
        theta = theta - eta * weight_decay * theta - eta * v / (np.sqrt(u) + eps)
        yield theta


@recorded
def adam_atan2(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    a: float = 4 / np.pi,
    b: float = 1.0,
    weight_decay: float = 0.0,
) -> Iterator[np.ndarray]:
    """θ ← θ − η a·atan2(m̂, b√v̂): Everett et al. 2024, arXiv:2407.05872, section 4.3."""
    theta, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, theta)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        angle = np.arctan2(m / (1 - b1**t), b * np.sqrt(v / (1 - b2**t)))
        theta = theta - eta * (a * angle + weight_decay * theta)
        yield theta


@recorded
def padam(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    p: float = 0.125,
    eps: float = 0.0,
    largest: bool = True,
    bias_correction: bool = False,
) -> Iterator[np.ndarray]:
    """θ ← θ − α m/v̂^p, v̂ ← max(v̂, v): Chen et al. 2020, arXiv:1806.06763, Algorithm 1.

    The authors' code corrects the bias, as Adam does.
    """
    theta, m, v, v_max = params0, *(np.zeros_like(params0) for _ in range(3))
    for t, (alpha,) in each_step(learning_rate):
        g = grads(t, theta)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        v_max = np.maximum(v_max, v)
        second = v_max if largest else v
        m_hat, v_hat = (m / (1 - b1**t), second / (1 - b2**t)) if bias_correction else (m, second)
        theta = theta - alpha * quotient(m_hat, (v_hat + eps) ** p)
        yield theta


@recorded
def grams(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> Iterator[np.ndarray]:
    """û = sign(g)∘|u| of AdamW's u: Cao, Li and Song 2024, arXiv:2412.17107, Algorithm 1."""
    w, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, w)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        u = quotient(m / (1 - b1**t), np.sqrt(v / (1 - b2**t)) + eps)
        w = w - eta * (np.sign(g) * np.abs(u) + weight_decay * w)
        yield w


@recorded
def adamc(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    max_learning_rate: float,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: Numbers = 1e-8,
    weight_decay: float = 1e-4,
) -> Iterator[np.ndarray]:
    """x ← x − γ m̂/(√v̂ + ε) − (γ²/γ_max) λ x: Defazio 2025, arXiv:2506.02285, Algorithm 1."""
    x, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    for t, (gamma, epsilon) in each_step(learning_rate, eps):
        g = grads(t, x)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        step = quotient(m / (1 - b1**t), np.sqrt(v / (1 - b2**t)) + epsilon)
        x = x - gamma * step - gamma**2 / max_learning_rate * weight_decay * x
        yield x


@recorded
def qhadam(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.995,
    b2: float = 0.999,
    nu1: float = 0.7,
    nu2: float = 1.0,
    eps: float = 1e-8,
) -> Iterator[np.ndarray]:
    """((1 − ν₁)∇ + ν₁ĝ)/(√((1 − ν₂)∇² + ν₂ŝ) + ε): Ma and Yarats 2019, arXiv:1810.06801, eq. 15."""
    theta, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    for t, (alpha,) in each_step(learning_rate):
        g = grads(t, theta)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        direction = (1 - nu1) * g + nu1 * m / (1 - b1**t)
        second = (1 - nu2) * g**2 + nu2 * v / (1 - b2**t)
        theta = theta - alpha * quotient(direction, np.sqrt(second) + eps)
        yield theta
