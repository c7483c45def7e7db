"""Descent whose points are averaged, and descent with noise."""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, each_step, recorded


@recorded
def asgd(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    lambd: float = 1e-4,
    alpha: float = 0.75,
) -> Iterator[np.ndarray]:
    """w ← w − η(g + λw) with η = η₀/(1 + λη₀t)^α, t = 0, 1, … (Bottou 2012, section 5)."""
    w = params0
    for t, (eta0,) in each_step(learning_rate):
        eta = eta0 / (1 + lambd * eta0 * (t - 1)) ** alpha
        w = w - eta * (grads(t, w) + lambd * w)
        yield w


@recorded
def noisy_sgd(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    noise: np.ndarray | float,
    eta: float = 0.01,
    gamma: float = 0.55,
) -> Iterator[np.ndarray]:
    """θ ← θ − α(g + N(0, σ²)), σ² = η/(1 + t)^γ, t = 0, 1, … (Neelakantan et al. 2015, eq. 1).

    ``noise`` holds the standard normal numbers of all steps.
    """
    theta = params0
    drawn = np.broadcast_to(noise, (len(learning_rate), *params0.shape))
    for t, (a,) in each_step(learning_rate):
        sigma = np.sqrt(eta / t**gamma)
        theta = theta - a * (grads(t, theta) + sigma * drawn[t - 1])
        yield theta
