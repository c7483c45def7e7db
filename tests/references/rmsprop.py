"""RMSProp: Hinton 2012, Coursera lecture 6e; centered, with momentum: Graves 2013, arXiv:1308.0850.

Hinton's slide has neither ε, momentum, centering nor bias correction; what others added is an
argument here. With ``learning_rate_in_buffer`` the momentum is Graves's (and optax's and Keras's),
without it torch's.
"""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, quotient, recorded, root


@recorded
def rmsprop(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    decay: Numbers = 0.9,
    eps: Numbers = 1e-8,
    eps_in_sqrt: bool = True,
    initial_scale: float = 0.0,
    bias_correction: bool = False,
    momentum: Numbers = 0.0,
    nesterov: bool = False,
    learning_rate_in_buffer: bool = True,
) -> Iterator[np.ndarray]:
    """v ← βv + (1 − β)g²; θ ← θ − η g/√v."""
    theta, v = params0, np.full_like(params0, initial_scale)
    buffer, beta_to_t = np.zeros_like(params0), 1.0
    for t, (eta, beta, epsilon, mu) in each_step(learning_rate, decay, eps, momentum):
        g = grads(t, theta)
        v = beta * v + (1 - beta) * g**2
        beta_to_t = beta_to_t * beta
        v_hat = v / (1 - beta_to_t) if bias_correction else v
        direction = quotient(g, root(v_hat, epsilon, eps_in_sqrt))
        step, buffer = _with_momentum(buffer, direction, eta, mu, nesterov, learning_rate_in_buffer)
        theta = theta - step
        yield theta


@recorded
def rmsprop_graves(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    decay: Numbers = 0.95,
    eps: Numbers = 1e-4,
    momentum: Numbers = 0.9,
) -> Iterator[np.ndarray]:
    """Δ ← μΔ − η g/√(n − m² + ε); θ ← θ + Δ: his eq. 38–41, defaults his eq. 42–45 but for η.

    The difference n − m² cancels: once the gradient varies by less than √ulp of its mean, what is
    left of it is rounding, of either sign.
    """
    theta, delta = params0, np.zeros_like(params0)
    n, m = np.zeros_like(params0), np.zeros_like(params0)
    for t, (eta, beta, epsilon, mu) in each_step(learning_rate, decay, eps, momentum):
        g = grads(t, theta)
        n = beta * n + (1 - beta) * g**2  # eq. 38
        m = beta * m + (1 - beta) * g  # eq. 39
        delta = mu * delta - eta * g / np.sqrt(n - m**2 + epsilon)  # eq. 40
        theta = theta + delta  # eq. 41
        yield theta


@recorded
def rmsprop_centered(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    decay: Numbers = 0.9,
    eps: Numbers = 1e-8,
    eps_in_sqrt: bool = True,
    initial_scale: float = 0.0,
    bias_correction: bool = False,
    momentum: Numbers = 0.0,
    nesterov: bool = False,
    learning_rate_in_buffer: bool = True,
) -> Iterator[np.ndarray]:
    """Graves's n − m² as a sum of squares, which neither cancels nor turns negative.

    With δ = g − m, m of the step before, m ← m + wδ and s ← (1 − w)(s + wδ²) keep s = n − m²
    (West 1979, "Updating Mean and Variance Estimates", CACM 22). w is the newest gradient's share
    of the average: 1 − β, or (1 − β)/(1 − βᵗ) where both averages are bias-corrected.
    """
    theta, buffer = params0, np.zeros_like(params0)
    m, s = np.zeros_like(params0), np.zeros_like(params0)
    beta_to_t = 1.0
    for t, (eta, beta, epsilon, mu) in each_step(learning_rate, decay, eps, momentum):
        g = grads(t, theta)
        beta_to_t = beta_to_t * beta
        sum_of_weights = 1 - beta_to_t if bias_correction else 1.0
        w = (1 - beta) / sum_of_weights
        delta = g - m
        m = m + w * delta
        s = (1 - w) * (s + w * delta**2)
        variance = s + initial_scale * beta_to_t / sum_of_weights
        direction = quotient(g, root(variance, epsilon, eps_in_sqrt))
        step, buffer = _with_momentum(buffer, direction, eta, mu, nesterov, learning_rate_in_buffer)
        theta = theta - step
        yield theta


def _with_momentum(
    buffer: np.ndarray,
    direction: np.ndarray,
    eta: float,
    mu: float,
    nesterov: bool,
    learning_rate_in_buffer: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """The step and the new buffer: heavy ball on ``direction``, or rewritten Nesterov."""
    inside, outside = (eta, 1.0) if learning_rate_in_buffer else (1.0, eta)
    buffer = mu * buffer + inside * direction
    step = inside * direction + mu * buffer if nesterov else buffer
    return outside * step, buffer
