"""The classic problems of unconstrained optimization, and SciPy's economy on them.

J. J. Moré, B. S. Garbow, K. E. Hillstrom, Testing unconstrained optimization software, 1981, whose
starts are taken; the logistic regression is of real data.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

SQRT = np.sqrt


def rosenbrock_residuals(w):
    return jnp.concatenate([10 * (w[1:] - w[:-1] ** 2), 1 - w[:-1]])


def beale_residuals(w):
    x, y = w
    return jnp.array([1.5 - x * (1 - y), 2.25 - x * (1 - y**2), 2.625 - x * (1 - y**3)])


def himmelblau_residuals(w):
    x, y = w
    return jnp.array([x**2 + y - 11, x + y**2 - 7])


def powell_singular_residuals(w):
    a, b, c, d = w
    return jnp.array([a + 10 * b, SQRT(5) * (c - d), (b - 2 * c) ** 2, SQRT(10) * (a - d) ** 2])


def wood_residuals(w):
    a, b, c, d = w
    return jnp.array(
        [
            10 * (b - a**2),
            1 - a,
            SQRT(90) * (d - c**2),
            1 - c,
            SQRT(10) * (b + d - 2),
            (b - d) / SQRT(10),
        ]
    )


def decay_residuals(w):
    """A curve fit: two exponentials through the 33 points of Osborne's first problem."""
    t = 10.0 * np.arange(33)
    y = np.array(
        [
            0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751,
            0.718, 0.685, 0.658, 0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490,
            0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406,
        ]
    )  # fmt: skip
    return y - (w[0] + w[1] * jnp.exp(-w[3] * t / 100) + w[2] * jnp.exp(-w[4] * t / 100))


RESIDUALS = {
    "Rosenbrock in 2": (rosenbrock_residuals, np.array([-1.2, 1.0])),
    "Rosenbrock in 24": (rosenbrock_residuals, np.tile([-1.2, 1.0], 12)),
    "Beale": (beale_residuals, np.array([1.0, 1.0])),
    "Himmelblau": (himmelblau_residuals, np.array([0.0, 0.0])),
    "Powell singular": (powell_singular_residuals, np.array([3.0, -1.0, 0.0, 1.0])),
    "Wood": (wood_residuals, np.array([-3.0, -1.0, -3.0, -1.0])),
    "a curve fit": (decay_residuals, np.array([0.5, 1.5, -1.0, 1.0, 2.0])),
}
"""Residuals, and the start."""


@functools.cache
def squares(residuals):
    """The sum of squares of residuals."""
    return lambda w: jnp.sum(residuals(w) ** 2)


@functools.cache
def breast_cancer():
    """Logistic regression of 569 tumours on 30 standardised measurements, with a little decay."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    x = (data.data - data.data.mean(0)) / data.data.std(0)
    sign = 2.0 * data.target - 1

    def loss(w):
        margin = sign * (x @ w[:-1] + w[-1])
        return jnp.mean(jax.nn.softplus(-margin)) + 1e-3 * jnp.sum(w**2)

    return loss, np.zeros(31)


def losses():
    """Name → loss and start."""
    found = {name: (squares(residuals), start) for name, (residuals, start) in RESIDUALS.items()}
    return found | {"logistic regression": breast_cancer()}


def of_scipy(loss, start, method, tol, **options):
    """SciPy's evaluations until no element of the gradient exceeds ``tol``."""
    value_and_grad = jax.jit(jax.value_and_grad(loss))
    times = jax.jit(lambda w, v: jax.jvp(jax.grad(loss), (w,), (v,))[1])
    needs_hessian = method in ("Newton-CG", "trust-ncg")
    seen = {}

    def both(w):
        value, grad = map(np.asarray, value_and_grad(w))
        seen[w.tobytes()] = np.abs(grad).max()
        return value, grad

    def callback(w):
        if seen[w.tobytes()] <= tol:
            raise StopIteration

    own = {"xtol": 0.0} if method == "Newton-CG" else {"gtol": tol}
    return scipy.optimize.minimize(
        both,
        start,
        jac=True,
        method=method,
        hessp=(lambda w, v: np.asarray(times(w, v))) if needs_hessian else None,
        callback=callback,
        options={"maxiter": 3000} | own | options,
    ).nfev
