"""Momentum mixed with the gradient, with other momenta, and with what changed."""

from collections.abc import Iterator, Sequence

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, recorded


@recorded
def qhm(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    beta: Numbers = 0.999,
    nu: Numbers = 0.7,
) -> Iterator[np.ndarray]:
    """m ← βm + (1 − β)g; θ ← θ − α[(1 − ν)g + νm] (Ma and Yarats 2019, eq. 3–4)."""
    theta, m = params0, np.zeros_like(params0)
    for t, (eta, b, n) in each_step(learning_rate, beta, nu):
        g = grads(t, theta)
        m = b * m + (1 - b) * g
        theta = theta - eta * ((1 - n) * g + n * m)
        yield theta


@recorded
def aggmo(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    betas: Sequence[float] = (0.0, 0.9, 0.99),
) -> Iterator[np.ndarray]:
    """vᵢ ← βᵢvᵢ − g; θ ← θ + (η/K) Σ vᵢ (Lucas et al. 2018, eq. 4)."""
    theta, vs = params0, [np.zeros_like(params0) for _ in betas]
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, theta)
        vs = [beta * v - g for beta, v in zip(betas, vs, strict=True)]
        theta = theta + eta / len(vs) * np.sum(vs, axis=0)
        yield theta


@recorded
def pnm(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b0: float = 1.0,
) -> Iterator[np.ndarray]:
    """mₜ = β₁²mₜ₋₂ + (1 − β₁²)gₜ; θ ← θ − η[(1 + β₀)mₜ − β₀mₜ₋₁]/√((1 + β₀)² + β₀²).

    Xie et al. 2021, algorithm 2.
    """
    theta, ms = params0, [np.zeros_like(params0), np.zeros_like(params0)]
    for t, (eta,) in each_step(learning_rate):
        ms.append(b1**2 * ms[-2] + (1 - b1**2) * grads(t, theta))
        theta = theta - eta * ((1 + b0) * ms[-1] - b0 * ms[-2]) / np.sqrt((1 + b0) ** 2 + b0**2)
        yield theta


@recorded
def accsgd(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    kappa: float = 1000.0,
    xi: float = 10.0,
    c: float = 0.7,
) -> Iterator[np.ndarray]:
    """Kidambi et al. 2018, algorithm 3: α = 1 − c²ξ/κ, w̄ the average of long steps."""
    w, w_bar = params0, params0
    alpha = 1 - c**2 * xi / kappa
    for t, (delta,) in each_step(learning_rate):
        g = grads(t, w)
        w_bar = alpha * w_bar + (1 - alpha) * (w - kappa * delta / c * g)
        w = c / (c + 1 - alpha) * (w - delta * g) + (1 - alpha) / (c + 1 - alpha) * w_bar
        yield w


@recorded
def optimistic_gradient_descent(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    alpha: Numbers = 1.0,
    beta: Numbers = 1.0,
) -> Iterator[np.ndarray]:
    """θ ← θ − η[(α + β)gₜ − βgₜ₋₁], g₀ = g₁ (Mokhtari et al. 2019, section 4, generalised)."""
    theta, before = params0, None
    for t, (eta, a, b) in each_step(learning_rate, alpha, beta):
        g = grads(t, theta)
        before = g if before is None else before
        theta = theta - eta * ((a + b) * g - b * before)
        before = g
        yield theta
