"""Learning rates from the distance to the solution: D-Adaptation and Prodigy.

Defazio and Mishchenko 2023, "Learning-Rate-Free Learning by D-Adaptation", arXiv:2301.07733, and
Mishchenko and Defazio 2023, "Prodigy", arXiv:2306.06101. All are about all parameters together,
here one vector. The papers' λ or γ is the learning rate, and D the estimate ``d``. A method that
the first paper does not print (Adan, Lion, the forms with momentum) is that of its authors' code.
"""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, each_step, quotient, recorded


def larger(d: float, d_hat: float, growth: float) -> float:
    return max(d, min(d_hat, growth * d))


def bias(t: int, b1: float, b2: float, corrected: bool) -> float:
    return np.sqrt(1 - b2**t) / (1 - b1**t) if corrected else 1.0


@recorded
def prodigy(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    b3: float | None = None,
    eps: float = 1e-8,
    d0: float = 1e-6,
    d_coef: float = 1.0,
    weight_decay: float = 0.0,
    safeguard: bool = False,
    growth: float = np.inf,
    bias_correction: bool = False,
) -> Iterator[np.ndarray]:
    """Prodigy, Algorithm 4, with ε times the d after the step, as the authors' code has it."""
    x, beta3 = params0, np.sqrt(b2) if b3 is None else b3
    m, v, s, r, d, d_max = 0 * x, 0 * x, 0 * x, 0.0, d0, d0
    for t, (gamma,) in each_step(learning_rate):
        g = grads(t, x)
        rate = gamma * d * bias(t, b1, b2, bias_correction)
        r = beta3 * r + rate * d * np.vdot(g, params0 - x)
        s = beta3 * s + (d if safeguard else rate) * d * g
        m = b1 * m + (1 - b1) * d * g
        v = b2 * v + (1 - b2) * d**2 * g**2
        d_hat = d_coef * r / np.abs(s).sum()
        before = max(d, d_hat) if d == d0 else d
        d_max = max(d_max, d_hat)
        d = min(d_max, growth * before)
        x = x - rate * (quotient(m, np.sqrt(v) + d * eps) + weight_decay * x)
        yield x


@recorded
def dadapt_sgd(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    momentum: float = 0.0,
    d0: float = 1e-6,
    growth: float = np.inf,
) -> Iterator[np.ndarray]:
    """Algorithm 4, whose estimate is 2Σλ⟨g, s⟩/‖s‖; then primal averaging."""
    x, s, r, d, first = params0, 0 * params0, 0.0, d0, 0.0
    for t, (gamma,) in each_step(learning_rate):
        g = grads(t, x)
        first = first or np.linalg.norm(g)
        rate = gamma * d / first
        r += rate * np.vdot(g, s)
        s = s + rate * g
        d = larger(d, 2 * r / np.linalg.norm(s), growth)
        x = momentum * x + (1 - momentum) * (params0 - s)
        yield x


@recorded
def dadapt_adagrad(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    momentum: float = 0.0,
    eps: float = 1e-6,
    a0: float = 1e-6,
    d0: float = 1e-6,
    growth: float = np.inf,
) -> Iterator[np.ndarray]:
    """Algorithm 3: the estimate is (‖s‖² − Σλ²‖g‖²)/‖s‖₁, norms in the inverse metric."""
    x, s, q, d, total = params0, 0 * params0, 0.0, d0, a0 + 0 * params0
    for t, (gamma,) in each_step(learning_rate):
        g = grads(t, x)
        total = total + g**2
        a = np.sqrt(total) + eps
        s = s + gamma * d * g
        q += (gamma * d) ** 2 * np.sum(g**2 / a)
        d = larger(d, (np.sum(s**2 / a) - q) / np.abs(s).sum(), growth)
        x = momentum * x + (1 - momentum) * (params0 - s / a)
        yield x


@recorded
def dadapt_adam(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    d0: float = 1e-6,
    weight_decay: float = 0.0,
    decoupled: bool = True,
    growth: float = np.inf,
    bias_correction: bool = False,
) -> Iterator[np.ndarray]:
    """Algorithm 5."""
    x, beta = params0, np.sqrt(b2)
    m, v, s, r, d = 0 * x, 0 * x, 0 * x, 0.0, d0
    for t, (gamma,) in each_step(learning_rate):
        g = grads(t, x) + (0 if decoupled else weight_decay * x)
        rate = gamma * d * bias(t, b1, b2, bias_correction)
        r = beta * r + (1 - beta) * rate * np.vdot(g, quotient(s, np.sqrt(v) + eps))
        m = b1 * m + (1 - b1) * rate * g
        v = b2 * v + (1 - b2) * g**2
        s = beta * s + (1 - beta) * rate * g
        d = larger(d, r / ((1 - beta) * np.abs(s).sum()), growth)
        decayed = rate * weight_decay * x if decoupled else 0
        x = x - quotient(m, np.sqrt(v) + eps) - decayed
        yield x


@recorded
def dadapt_adan(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.98,
    b2: float = 0.92,
    b3: float = 0.99,
    eps: float = 1e-8,
    d0: float = 1e-6,
    weight_decay: float = 0.02,
    growth: float = np.inf,
) -> Iterator[np.ndarray]:
    """The authors' code for Adan, proximal decay."""
    x, before = params0, None
    m, e, n, s, q, d = 0 * x, 0 * x, 0 * x, 0 * x, 0.0, d0
    for t, (gamma,) in each_step(learning_rate):
        g = grads(t, x)
        change = 0 * g if before is None else g - before
        before, rate = g, gamma * d
        m = b1 * m + (1 - b1) * rate * g
        e = b2 * e + (1 - b2) * rate * change
        n = b3 * n + (1 - b3) * (g + b2 * change) ** 2
        a = np.sqrt(n) + eps
        s = b3 * s + (1 - b3) * rate * g
        q = b3 * q + (1 - b3) * rate**2 * np.sum(g**2 / a)
        d = larger(d, (np.sum(s**2 / a) / (1 - b3) - q) / np.abs(s).sum(), growth)
        x = (x - (m + b2 * e) / a) / (1 + rate * weight_decay)
        yield x


@recorded
def dadapt_lion(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: float = 0.9,
    b2: float = 0.99,
    d0: float = 1e-6,
    weight_decay: float = 0.0,
) -> Iterator[np.ndarray]:
    """The authors' code for Lion."""
    x, beta = params0, np.sqrt(b2)
    m, s, r, d = 0 * x, 0 * x, 0.0, d0
    for t, (gamma,) in each_step(learning_rate):
        g, rate = grads(t, x), gamma * d
        u = np.sign(b1 * m + (1 - b1) * g)
        m = b2 * m + (1 - b2) * rate * g
        r = beta * r + (1 - beta) * rate * np.vdot(u, s)
        s = beta * s + (1 - beta) * rate * u
        d = larger(d, r / ((1 - beta) * np.abs(s).sum()), np.inf)
        x = x - rate * (u + weight_decay * x)
        yield x
