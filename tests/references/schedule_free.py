"""Schedule-Free learning: Defazio et al. 2024, "The Road Less Scheduled", arXiv:2405.15682.

The iterates that are recorded are those at which gradients are taken, the paper's y. The paper's
weights are γₜ² (section 3); the authors' code has the largest γ so far in their place, and a power
``r`` of the step (eq. 19), and raises the learning rate as γ·min(t/T, 1).
"""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, recorded


@recorded
def schedule_free_sgd(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    beta: Numbers = 0.9,
    weight_decay: float = 0.0,
    decay_at_z: bool = False,
    warmup: int = 0,
    power: float = 2.0,
    r: float = 0.0,
) -> Iterator[np.ndarray]:
    """z ← z − γ(∇f(y) + λy), x ← (1 − c)x + cz, y = (1 − β)z + βx: eq. 3–5."""
    x = y = z = params0
    average = Average(power, r)
    for t, (gamma, b) in each_step(learning_rate, beta):
        gamma_t = gamma * min(t / warmup, 1) if warmup else gamma
        g = grads(t, y)
        z = z - gamma_t * (g + weight_decay * (z if decay_at_z else y))
        c = average.share(t, gamma_t)
        x = (1 - c) * x + c * z
        y = (1 - b) * z + b * x
        yield y


@recorded
def schedule_free_adamw(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    beta: Numbers = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decay_at_z: bool = False,
    warmup: int = 0,
    power: float = 2.0,
    r: float = 0.0,
    of_average: bool = False,
    rectified: bool = False,
) -> Iterator[np.ndarray]:
    """z ← z − γ(g/(√v̂ + ε) + λy), x and y as above: Algorithm 1; ``of_average`` records x.

    The paper corrects no v, but multiplies γ, and so the decay and the weights, by √(1 − β₂ᵗ).
    The authors' code, and this, divides v. It also has a form whose γ is ``rectified`` by RAdam's
    factor (Liu et al. 2020, Algorithm 2), and 0 where that is not defined.
    """
    x = y = z = params0
    v = np.zeros_like(params0)
    average = Average(power, r)
    for t, (gamma, b) in each_step(learning_rate, beta):
        gamma_t = gamma * min(t / warmup, 1) if warmup else gamma
        if rectified:
            gamma_t = gamma * rectification(t, b2)
        g = grads(t, y)
        v = b2 * v + (1 - b2) * g**2
        decayed = weight_decay * (z if decay_at_z else y)
        z = z - gamma_t * (g / (np.sqrt(v / (1 - b2**t)) + eps) + decayed)
        c = average.share(t, gamma_t)
        x = (1 - c) * x + c * z
        y = (1 - b) * z + b * x
        yield x if of_average else y


def rectification(t: int, b2: float) -> float:
    rho_end = 2 / (1 - b2) - 1
    rho = rho_end - 2 * t * b2**t / (1 - b2**t)
    if rho <= 4:
        return 0.0
    above = (rho - 4) * (rho - 2) * rho_end
    return np.sqrt(above / ((rho_end - 4) * (rho_end - 2) * rho))


class Average:
    """The weights of a mean of iterates: t^r times a power of the largest γ so far."""

    def __init__(self, power: float, r: float):
        self.power, self.r, self.largest, self.total = power, r, 0.0, 0.0

    def share(self, t: int, gamma: float) -> float:
        self.largest = max(self.largest, gamma)
        weight = t**self.r * self.largest**self.power
        self.total += weight
        return weight / self.total if self.total else 0.0
