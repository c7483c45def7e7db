"""AdEMAMix and what came of it.

Pagliardini, Ablin and Grangier 2024, "The AdEMAMix Optimizer: Better, Faster, Older",
arXiv:2409.03137; Morwani, Vyas, Zhang and Kakade 2025, "Connections between Schedule-Free
Optimizers, AdEMAMix, and Accelerated SGD Variants", arXiv:2502.02431.
"""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, quotient, recorded


@recorded
def ademamix(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: Numbers = 0.9,
    b2: Numbers = 0.999,
    b3: Numbers = 0.9999,
    alpha: Numbers = 5.0,
    eps: Numbers = 1e-8,
    weight_decay: Numbers = 0.0,
) -> Iterator[np.ndarray]:
    """θ ← θ − η((m̂₁ + α m₂)/(√ν̂ + ε) + λθ): Algorithm 1, with α and β₃ as they are at the step."""
    theta = params0
    m1, m2, nu = (np.zeros_like(params0) for _ in range(3))
    beta1_to_t = beta2_to_t = 1.0
    numbers = each_step(learning_rate, b1, b2, b3, alpha, eps, weight_decay)
    for t, (eta, beta1, beta2, beta3, a, epsilon, decay) in numbers:
        g = grads(t, theta)
        m1 = beta1 * m1 + (1 - beta1) * g
        m2 = beta3 * m2 + (1 - beta3) * g
        nu = beta2 * nu + (1 - beta2) * g**2
        beta1_to_t, beta2_to_t = beta1_to_t * beta1, beta2_to_t * beta2
        m_hat, nu_hat = m1 / (1 - beta1_to_t), nu / (1 - beta2_to_t)
        step = quotient(m_hat + a * m2, np.sqrt(nu_hat) + epsilon)
        theta = theta - eta * (step + decay * theta)
        yield theta


def alpha_warmup(steps: int, alpha: float, warmup: int) -> np.ndarray:
    """min(t α/T, α): section 3, t = 1, 2, …"""
    return np.minimum(np.arange(1, steps + 1) * alpha / warmup, alpha)


def beta3_warmup(steps: int, beta_start: float, beta3: float, warmup: int) -> np.ndarray:
    """min(exp(ln β₀ ln β₃/((1 − t/T) ln β₃ + (t/T) ln β₀)), β₃): § 3; β₀ is ``beta_start``."""
    p = np.arange(1, steps + 1) / warmup
    start, end = np.log(beta_start), np.log(beta3)
    # Beyond T the fraction grows past β₃ or has a pole; the minimum means that β₃ stays.
    p = np.minimum(p, 1)
    return np.minimum(np.exp(start * end / ((1 - p) * end + p * start)), beta3)


@recorded
def simplified_ademamix(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: Numbers = 0.99,
    b2: Numbers = 0.95,
    alpha: Numbers = 0.0,
    eps: Numbers = 1e-8,
    weight_decay: Numbers = 0.0,
) -> Iterator[np.ndarray]:
    """m ← β₁m + g, θ ← θ − η((m + α g)/(√ν̂ + ε) + λθ): Morwani et al., simplified AdEMAMix."""
    theta, m, nu = params0, np.zeros_like(params0), np.zeros_like(params0)
    beta2_to_t = 1.0
    numbers = each_step(learning_rate, b1, b2, alpha, eps, weight_decay)
    for t, (eta, beta1, beta2, a, epsilon, decay) in numbers:
        g = grads(t, theta)
        m = beta1 * m + g
        nu = beta2 * nu + (1 - beta2) * g**2
        beta2_to_t = beta2_to_t * beta2
        step = quotient(m + a * g, np.sqrt(nu / (1 - beta2_to_t)) + epsilon)
        theta = theta - eta * (step + decay * theta)
        yield theta
