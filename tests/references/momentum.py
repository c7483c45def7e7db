"""Gradient descent, heavy ball and Nesterov, in each of the conventions in use.

The velocity ``v`` points uphill here and is subtracted; Polyak's and Sutskever's is the negative.
"Inside" means that the learning rate is inside the velocity. The forms agree while the learning
rate stays constant and part when it varies.
"""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, recorded


@recorded
def gradient_descent(
    grads: Gradients, params0: np.ndarray, *, learning_rate: np.ndarray
) -> Iterator[np.ndarray]:
    """θ ← θ − ηg (Cauchy 1847; with noisy gradients Robbins and Monro 1951)."""
    theta = params0
    for t, (eta,) in each_step(learning_rate):
        theta = theta - eta * grads(t, theta)
        yield theta


@recorded
def heavy_ball(
    grads: Gradients, params0: np.ndarray, *, learning_rate: np.ndarray, momentum: Numbers
) -> Iterator[np.ndarray]:
    """v ← βv + g; θ ← θ − ηv: the accumulating form, learning rate outside (lecture row L20)."""
    theta, v = params0, np.zeros_like(params0)
    for t, (eta, beta) in each_step(learning_rate, momentum):
        v = beta * v + grads(t, theta)
        theta = theta - eta * v
        yield theta


@recorded
def heavy_ball_averaging(
    grads: Gradients, params0: np.ndarray, *, learning_rate: np.ndarray, decay: Numbers
) -> Iterator[np.ndarray]:
    """a ← βa + (1 − β)g; θ ← θ − ηa: the averaging form (lecture row L19)."""
    theta, a = params0, np.zeros_like(params0)
    for t, (eta, beta) in each_step(learning_rate, decay):
        a = beta * a + (1 - beta) * grads(t, theta)
        theta = theta - eta * a
        yield theta


@recorded
def heavy_ball_inside(
    grads: Gradients, params0: np.ndarray, *, learning_rate: np.ndarray, momentum: Numbers
) -> Iterator[np.ndarray]:
    """v ← βv + ηg; θ ← θ − v (Polyak 1964; Sutskever et al. 2013, eq. 1–2; lecture row L21)."""
    theta, v = params0, np.zeros_like(params0)
    for t, (eta, beta) in each_step(learning_rate, momentum):
        v = beta * v + eta * grads(t, theta)
        theta = theta - v
        yield theta


@recorded
def nesterov_look_ahead(
    grad_fn: Gradients, params0: np.ndarray, *, learning_rate: np.ndarray, momentum: Numbers
) -> Iterator[np.ndarray]:
    """v ← βv + ∇f(θ − ηβv); θ ← θ − ηv."""
    theta, v = params0, np.zeros_like(params0)
    for t, (eta, beta) in each_step(learning_rate, momentum):
        v = beta * v + grad_fn(t, theta - eta * beta * v)
        theta = theta - eta * v
        yield theta


@recorded
def nesterov_look_ahead_averaging(
    grad_fn: Gradients, params0: np.ndarray, *, learning_rate: np.ndarray, decay: Numbers
) -> Iterator[np.ndarray]:
    """a ← βa + (1 − β)∇f(θ − ηβa); θ ← θ − ηa (lecture row L23)."""
    theta, a = params0, np.zeros_like(params0)
    for t, (eta, beta) in each_step(learning_rate, decay):
        a = beta * a + (1 - beta) * grad_fn(t, theta - eta * beta * a)
        theta = theta - eta * a
        yield theta


@recorded
def nesterov_look_ahead_inside(
    grad_fn: Gradients, params0: np.ndarray, *, learning_rate: np.ndarray, momentum: Numbers
) -> Iterator[np.ndarray]:
    """v ← βv + η∇f(θ − βv); θ ← θ − v (Nesterov 1983; Sutskever et al. 2013, eq. 3–4)."""
    theta, v = params0, np.zeros_like(params0)
    for t, (eta, beta) in each_step(learning_rate, momentum):
        v = beta * v + eta * grad_fn(t, theta - beta * v)
        theta = theta - v
        yield theta


@recorded
def nesterov_rewritten(
    grads: Gradients, params0: np.ndarray, *, learning_rate: np.ndarray, momentum: Numbers
) -> Iterator[np.ndarray]:
    """v ← βv + g; θ ← θ − η(g + βv): the libraries' form, whose θ is the look-ahead point."""
    theta, v = params0, np.zeros_like(params0)
    for t, (eta, beta) in each_step(learning_rate, momentum):
        g = grads(t, theta)
        v = beta * v + g
        theta = theta - eta * (g + beta * v)
        yield theta


@recorded
def nesterov_rewritten_inside(
    grads: Gradients, params0: np.ndarray, *, learning_rate: np.ndarray, momentum: Numbers
) -> Iterator[np.ndarray]:
    """v ← βv + ηg; θ ← θ − (ηg + βv) (Bengio, Boulanger-Lewandowski and Pascanu 2012, sec. 3.5)."""
    theta, v = params0, np.zeros_like(params0)
    for t, (eta, beta) in each_step(learning_rate, momentum):
        g = grads(t, theta)
        v = beta * v + eta * g
        theta = theta - (eta * g + beta * v)
        yield theta
