"""Outer steps around gradient descent."""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, recorded


@recorded
def diloco(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    outer_learning_rate: Numbers = 0.7,
    outer_momentum: Numbers = 0.9,
    every: int = 500,
) -> Iterator[np.ndarray]:
    """Δ = θ − θᵢ after H inner steps; Nesterov's step along Δ (Douillard et al. 2023, algorithm 1).

    There is one worker here, and its inner optimiser is gradient descent.
    """
    theta, inner, v = params0, params0, np.zeros_like(params0)
    for t, (eta,) in each_step(learning_rate):
        inner = inner - eta * grads(t, inner)
        if t % every == 0:
            delta = theta - inner
            v = outer_momentum * v + delta
            theta = theta - outer_learning_rate * (delta + outer_momentum * v)
            inner = theta
        yield inner


@recorded
def ema_nesterov(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    beta: Numbers = 0.3,
    decay: Numbers = 0.99,
) -> Iterator[np.ndarray]:
    """The authors' code: x ← x + βe before the gradient, a step, e ← γe + (1 − γ)(x − x before).

    It yields the points at which the next gradients are.
    """
    x, e = params0, np.zeros_like(params0)
    for t, (eta,) in each_step(learning_rate):
        before = x
        x = x + beta * e
        x = x - eta * grads(t, x)
        e = decay * e + (1 - decay) * (x - before)
        yield x + beta * e
