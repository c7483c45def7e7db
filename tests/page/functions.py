"""Functions of two variables, each with a start and a learning rate at which descent is stable."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_RANDOM = np.random.default_rng(3)
_INPUTS = _RANDOM.normal(size=(100, 2))
_TARGETS = _INPUTS @ [1.0, -2.0] + 0.1 * _RANDOM.normal(size=100)


class Case(NamedTuple):
    function: object
    start: tuple[float, float]
    learning_rate: float


def rosenbrock(w):
    return (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2


def beale(w):
    x, y = w
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def himmelblau(w):
    x, y = w
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def rastrigin(w):
    return 20 + jnp.sum(w**2 - 10 * jnp.cos(2 * jnp.pi * w))


def ackley(w):
    return (
        20
        + jnp.e
        - 20 * jnp.exp(-0.2 * jnp.sqrt(jnp.mean(w**2)))
        - jnp.exp(jnp.mean(jnp.cos(2 * jnp.pi * w)))
    )


def ill_conditioned_quadratic(w):
    hessian = jnp.array([[10.0, 3.0], [3.0, 1.0]])
    return 0.5 * jnp.vdot(w, hessian @ w)


def logistic(w):
    return jnp.log1p(jnp.exp(-w[0])) + jax.nn.softplus(w[1] - w[0]) + 0.1 * jnp.sum(w**2)


def piecewise(w):
    hinge = jnp.where(w[0] > 0.3, w[0] ** 2, 0.6 * w[0] - 0.09)
    return hinge + jnp.abs(w[1] - 0.2) + jnp.max(jnp.stack([w[0], -2 * w[0], w[1]]))


def least_squares(w):
    return 0.5 * jnp.mean((_INPUTS @ w - _TARGETS) ** 2)


def iterated(w):
    turn = lambda i, x: x + 0.3 * w[i % 2] * jnp.sin(x)  # noqa: E731
    return jax.lax.fori_loop(0, 5, turn, 1.0) ** 2 + 0.1 * jnp.sum(w**2)


CASES = {
    case.function.__name__: case
    for case in (
        Case(rosenbrock, (-1.2, 1.0), 1e-3),
        Case(beale, (1.0, 1.5), 1e-3),
        Case(himmelblau, (0.5, -1.0), 1e-3),
        Case(rastrigin, (0.3, -0.4), 1e-3),
        Case(ackley, (0.4, -0.7), 1e-2),
        Case(ill_conditioned_quadratic, (-2.0, 2.5), 0.05),
        Case(logistic, (-1.0, 2.0), 0.1),
        Case(piecewise, (-1.0, 1.5), 0.01),
        Case(least_squares, (-1.0, 1.0), 0.1),
        Case(iterated, (0.8, -0.6), 0.05),
    )
}
