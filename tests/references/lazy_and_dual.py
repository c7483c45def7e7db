"""Methods of dual averaging, for sparse gradients, for games, and with scales of the model."""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, quotient, recorded


@recorded
def madgrad(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    eps: float = 1e-6,
) -> Iterator[np.ndarray]:
    """z = x₀ − s/(∛ν + ε), x ← (1 − c)x + c·z: Defazio and Jelassi 2021, arXiv:2101.11075, Alg. 1.

    Their c is 1 − ``momentum``. Their code adds ε to the learning rate as well.
    """
    x, s, nu = params0, np.zeros_like(params0), np.zeros_like(params0)
    for k, (gamma,) in each_step(learning_rate):
        g = grads(k, x) + weight_decay * x
        weight = gamma * np.sqrt(k)
        s = s + weight * g
        nu = nu + weight * g**2
        z = params0 - quotient(s, np.cbrt(nu) + eps)
        x = momentum * x + (1 - momentum) * z
        yield x


@recorded
def ftrl(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    power: float = 0.5,
    n0: float = 0.1,
    l1: float = 0.0,
    l2: float = 0.0,
    shrinkage: float = 0.0,
    beta: float = 0.0,
) -> Iterator[np.ndarray]:
    """σ = (√(n + g²) − √n)/α, z ← z + g − σw, w = −(z − sgn(z)λ₁)/((β + √n)/α + λ₂) or 0.

    McMahan et al. 2013, "Ad Click Prediction", Algorithm 1, with a power p in place of the root.
    Keras's λ₂ is twice ``l2``, and its shrinkage adds 2·shrinkage·w to the g of z.
    """
    w, z, n = params0, np.zeros_like(params0), np.full_like(params0, n0)
    for t, (alpha,) in each_step(learning_rate):
        g = grads(t, w)
        sigma = ((n + g**2) ** power - n**power) / alpha
        z = z + g + 2 * shrinkage * w - sigma * w
        n = n + g**2
        free = -(z - np.sign(z) * l1) / ((beta + n**power) / alpha + 2 * l2)
        w = np.where(np.abs(z) <= l1, 0.0, free)
        yield w


@recorded
def sparse_adam(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: Numbers = 1e-8,
) -> Iterator[np.ndarray]:
    """Adam, Kingma and Ba 2015, Algorithm 1, on the rows whose gradient is not all zero."""
    theta, m, v = params0.copy(), np.zeros_like(params0), np.zeros_like(params0)
    for t, (alpha, epsilon) in each_step(learning_rate, eps):
        g = grads(t, theta)
        theta = theta.copy()
        for row in [()] if g.ndim == 0 else range(len(g)):
            if not np.any(g[row]):
                continue
            m[row] = b1 * m[row] + (1 - b1) * g[row]
            v[row] = b2 * v[row] + (1 - b2) * g[row] ** 2
            m_hat, v_hat = m[row] / (1 - b1**t), v[row] / (1 - b2**t)
            theta[row] = theta[row] - alpha * quotient(m_hat, np.sqrt(v_hat) + epsilon)
        yield theta


@recorded
def optimistic_adam(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    optimism: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> Iterator[np.ndarray]:
    """θ ← θ − 2η u + η u of the step before: Daskalakis et al. 2018, arXiv:1711.00141, Algorithm 1.

    Here with two rates, η u + ω (u − u of the step before). The paper's first u before is 0; here,
    as in optax, it is the first u.
    """
    theta, m, v, before = params0, np.zeros_like(params0), np.zeros_like(params0), None
    for t, (eta, omega) in each_step(learning_rate, optimism):
        g = grads(t, theta)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        u = quotient(m / (1 - b1**t), np.sqrt(v / (1 - b2**t)) + eps)
        theta = theta - eta * u - omega * (u - (u if before is None else before))
        before = u
        yield theta


@recorded
def amos(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    eta: float,
    beta: float = 0.999,
    momentum: float = 0.0,
    c: float = 0.25,
    d: float = 0.25,
    eps: float = 1e-18,
) -> Iterator[np.ndarray]:
    """δ = D(ξη/√v̂ g + γ/2 θ), b ← b + γ(1 + b): Tian and Parikh 2022, arXiv:2210.11693, Alg. 1."""
    theta, v, b, m = params0, 0.0, 0.0, np.zeros_like(params0)
    for t, (xi,) in each_step(learning_rate):
        g = grads(t, theta)
        square = np.mean(g**2)
        v = beta * v + (1 - beta) * square
        inverse = (1 - beta**t) / (v + eps)
        gamma = xi**2 * inverse * square / np.sqrt(1 + c * np.sqrt(xi) * b)
        slower = 1 / (1 + d * np.sqrt(xi * eta) * b)
        delta = slower * (xi * eta * np.sqrt(inverse) * g + gamma / 2 * theta)
        m = momentum * m + (1 - momentum) * delta
        b = b + gamma * (1 + b)
        theta = theta - m
        yield theta
