"""Steps whose length is set by norms: Polyak's, ALI-G, LARS and Fromage."""

from collections.abc import Callable, Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, recorded


def polyak_step(gap: float, g: np.ndarray, eps: float, largest: float) -> float:
    """min(gap/(‖g‖² + ε), γ_max)."""
    return min(gap / (np.sum(g**2) + eps), largest)


@recorded
def polyak_sgd(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    value: Callable[[np.ndarray], float],
    max_learning_rate: float,
    f_min: float = 0.0,
    eps: float = 0.0,
    positive_part: bool = False,
) -> Iterator[np.ndarray]:
    """θ ← θ − s·min((f(θ) − f*)/(‖g‖² + ε), γ_max)·g, the learning rate being the scaling s.

    Loizou et al. 2020, eq. 3; with the positive part of the gap Garrigos et al. 2023.
    """
    theta = params0
    for t, (s,) in each_step(learning_rate):
        g = grads(t, theta)
        gap = value(theta) - f_min
        gap = max(gap, 0.0) if positive_part else gap
        theta = theta - s * polyak_step(gap, g, eps, max_learning_rate) * g
        yield theta


@recorded
def alig(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    value: Callable[[np.ndarray], float],
    momentum: Numbers = 0.9,
    eps: float = 1e-5,
) -> Iterator[np.ndarray]:
    """γ = min(f/(‖g‖² + δ), η); v ← μv − γg; w ← w − γg + μv (Berrada et al. 2019, section 3.4)."""
    w, v = params0, np.zeros_like(params0)
    for t, (eta, mu) in each_step(learning_rate, momentum):
        g = grads(t, w)
        gamma = polyak_step(value(w), g, eps, eta)
        v = mu * v - gamma * g
        w = w - gamma * g + mu * v
        yield w


@recorded
def lars(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    weight_decay: float = 0.0,
    trust_coefficient: float = 0.001,
    momentum: float = 0.9,
    nesterov: bool = False,
) -> Iterator[np.ndarray]:
    """λ = η‖w‖/(‖g‖ + β‖w‖); v ← mv + γλ(g + βw); w ← w − v (You et al. 2017, algorithm 1).

    Where the array or its gradient is 0, λ = 1.
    """
    w, v = params0, np.zeros_like(params0)
    for t, (gamma,) in each_step(learning_rate):
        g = grads(t, w)
        below = np.linalg.norm(g) + weight_decay * np.linalg.norm(w)
        is_scaled = below > 0 and np.linalg.norm(w) > 0
        local = trust_coefficient * np.linalg.norm(w) / below if is_scaled else 1.0
        step = gamma * local * (g + weight_decay * w)
        v = momentum * v + step
        w = w - (step + momentum * v if nesterov else v)
        yield w


@recorded
def fromage(
    grads: Gradients, params0: np.ndarray, *, learning_rate: np.ndarray
) -> Iterator[np.ndarray]:
    """W ← (W − η‖W‖g/‖g‖)/√(1 + η²) (Bernstein et al. 2020, algorithm 1)."""
    w = params0
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, w)
        w = (w - eta * np.linalg.norm(w) / np.linalg.norm(g) * g) / np.sqrt(1 + eta**2)
        yield w
