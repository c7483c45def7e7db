"""Sharpness-aware methods with gradient descent inside.

The gradients of all steps are given, and near the parameters of a step they change as a sine does:
at θ + ε the gradient is g + sin(θ + ε) − sin θ.
"""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, each_step, recorded


def gradient_near(g: np.ndarray, theta: np.ndarray, epsilon: np.ndarray) -> np.ndarray:
    """The gradient at θ + ε, where that at θ is g."""
    return g + np.sin(theta + epsilon) - np.sin(theta)


def ascended(
    g: np.ndarray, theta: np.ndarray, rho: float, size: np.ndarray | float = 1.0
) -> np.ndarray:
    """The gradient at θ + ρT²g/‖Tg‖."""
    return gradient_near(g, theta, rho * size**2 * g / np.linalg.norm(size * g))


@recorded
def sam(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    rho: float = 0.05,
) -> Iterator[np.ndarray]:
    """ε̂ = ρg/‖g‖; w ← w − η∇f(w + ε̂) (Foret et al. 2020, algorithm 1)."""
    w = params0
    for t, (eta,) in each_step(learning_rate):
        w = w - eta * ascended(grads(t, w), w, rho)
        yield w


@recorded
def asam(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    rho: float = 0.5,
    eta: float = 0.01,
) -> Iterator[np.ndarray]:
    """T = |w| + η; ε = ρT²g/‖Tg‖; w ← w − α∇f(w + ε) (Kwon et al. 2021, algorithm 1)."""
    w = params0
    for t, (alpha,) in each_step(learning_rate):
        w = w - alpha * ascended(grads(t, w), w, rho, np.abs(w) + eta)
        yield w


@recorded
def gsam(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    rho: float = 0.05,
    alpha: float = 0.1,
) -> Iterator[np.ndarray]:
    """∇f = a∇f_p + ∇f⊥; w ← w − η(∇f_p − α∇f⊥) (Zhuang et al. 2022, algorithm 1)."""
    w = params0
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, w)
        perturbed = ascended(g, w, rho)
        orthogonal = g - np.sum(g * perturbed) / np.sum(perturbed**2) * perturbed
        w = w - eta * (perturbed - alpha * orthogonal)
        yield w


@recorded
def wsam(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    rho: float = 0.05,
    gamma: float = 0.9,
) -> Iterator[np.ndarray]:
    """w ← w − η(g + γ/(1 − γ)·(∇f(w + ε̂) − g)) (Yue et al. 2023, algorithm 1)."""
    w = params0
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, w)
        w = w - eta * (g + gamma / (1 - gamma) * (ascended(g, w, rho) - g))
        yield w


@recorded
def looksam(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    rho: float = 0.05,
    every: int = 5,
    alpha: float = 0.7,
) -> Iterator[np.ndarray]:
    """Liu et al. 2022, algorithm 1: g_v renewed at every k-th step, the first among them."""
    w, g_v = params0, np.zeros_like(params0)
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, w)
        length = np.linalg.norm(g)
        if (t - 1) % every == 0:
            g_s = ascended(g, w, rho)
            cosine = np.sum(g * g_s) / (length * np.linalg.norm(g_s))
            g_v = g_s - np.linalg.norm(g_s) * cosine * g / length
        else:
            g_s = g + alpha * length / np.linalg.norm(g_v) * g_v
        w = w - eta * g_s
        yield w


@recorded
def friendly_sam(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    rho: float = 0.05,
    sigma: float = 1.0,
    decay: float = 0.9,
) -> Iterator[np.ndarray]:
    """m ← λm + (1 − λ)g; d = g − σm; w ← w − η∇f(w + ρd/‖d‖) (Li et al. 2024, algorithm 1)."""
    w, m = params0, np.zeros_like(params0)
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, w)
        m = decay * m + (1 - decay) * g
        d = g - sigma * m
        w = w - eta * gradient_near(g, w, rho * d / np.linalg.norm(d))
        yield w


@recorded
def msam(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    momentum: float = 0.9,
    rho: float = 0.3,
) -> Iterator[np.ndarray]:
    """v ← μv + ∇f(w̃); w ← w − ηv; w̃ = w − ρv/‖v‖ (Becker et al. 2024, algorithm 1).

    It yields w̃, the points at which the gradients are.
    """
    w, near, v = params0, params0, np.zeros_like(params0)
    for t, (eta,) in each_step(learning_rate):
        v = momentum * v + grads(t, near)
        w = w - eta * v
        near = w - rho * v / np.linalg.norm(v)
        yield near
