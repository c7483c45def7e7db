"""Zeiler 2012, "ADADELTA: An Adaptive Learning Rate Method", arXiv:1212.5701."""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, quotient, recorded


@recorded
def adadelta(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    rho: Numbers = 0.95,
    eps: Numbers = 1e-6,
) -> Iterator[np.ndarray]:
    """Δ = −(RMS[Δ] of the step before / RMS[g]) g, with RMS[x] = √(E[x²] + ε): Algorithm 1.

    The paper has no learning rate (η = 1); where libraries have one, it scales the step and not
    the Δ that E[Δ²] remembers.
    """
    theta = params0
    mean_g2, mean_delta2 = np.zeros_like(params0), np.zeros_like(params0)
    for t, (eta, decay, epsilon) in each_step(learning_rate, rho, eps):
        g = grads(t, theta)
        mean_g2 = decay * mean_g2 + (1 - decay) * g**2  # line 4
        delta = -quotient(np.sqrt(mean_delta2 + epsilon) * g, np.sqrt(mean_g2 + epsilon))  # line 5
        mean_delta2 = decay * mean_delta2 + (1 - decay) * delta**2  # line 6
        theta = theta + eta * delta  # line 7
        yield theta
