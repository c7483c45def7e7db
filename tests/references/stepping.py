"""What every reference shares: the calling convention and the handling of 0/0."""

import functools
from collections.abc import Callable, Iterator

import numpy as np

Numbers = float | np.ndarray
"""A hyperparameter: one number, or an array with one number a step."""

Gradients = Callable[[int, np.ndarray], np.ndarray]
"""The gradient as a method sees it: a function of the step, from 1, and the point."""

GivenGradients = np.ndarray | Callable[[np.ndarray], np.ndarray]
"""The gradients as a caller gives them: in order, or as a function of the point."""


def recorded(method: Callable[..., Iterator[np.ndarray]]) -> Callable[..., np.ndarray]:
    """Turn a method that yields its iterates into one that returns them as an array.

    The caller passes

    - ``grads``: the gradients of all steps, shaped ``(steps, *params0.shape)``, or a function from
      the point to its gradient (which the look-ahead methods need);
    - ``params0``: the starting point;
    - ``learning_rate``: an array, one learning rate a step; its length is the number of steps;
    - the other hyperparameters as numbers, or as arrays with one number a step.

    The method itself sees ``grads(t, theta)`` with t = 1, 2, …, and float64 everywhere.
    """

    @functools.wraps(method)
    def reference(grads, params0, *, learning_rate, **hyperparameters):
        learning_rate = np.asarray(learning_rate, np.float64)
        if learning_rate.ndim != 1:
            raise ValueError(
                f"learning_rate must hold one number a step, got shape {learning_rate.shape}"
            )
        if not callable(grads) and len(grads) != len(learning_rate):
            raise ValueError(f"{len(grads)} gradients for {len(learning_rate)} learning rates")
        path = method(
            functools.partial(_gradient, grads),
            np.asarray(params0, np.float64),
            learning_rate=learning_rate,
            **hyperparameters,
        )
        return np.stack(list(path))

    return reference


def _gradient(grads: GivenGradients, t: int, theta: np.ndarray) -> np.ndarray:
    return np.asarray(grads(theta) if callable(grads) else grads[t - 1], np.float64)


def each_step(learning_rate: np.ndarray, *others: Numbers) -> Iterator[tuple]:
    """Count the steps from 1, beside the hyperparameters in force: ``t, (eta, ...)``."""
    steps = len(learning_rate)
    columns = (np.broadcast_to(x, steps) for x in others)
    return enumerate(zip(learning_rate, *columns, strict=True), start=1)


def quotient(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide with 0/0 = 0: what has never had a gradient does not move, even when ε = 0."""
    zero = np.zeros_like(numerator)
    return np.divide(numerator, denominator, out=zero, where=numerator != 0)


def root(v: np.ndarray, eps: float, eps_in_sqrt: bool) -> np.ndarray:
    """√(v + ε) or √v + ε."""
    return np.sqrt(v + eps) if eps_in_sqrt else np.sqrt(v) + eps
