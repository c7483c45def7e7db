"""Methods for matrices, with the singular value decomposition in place of matrix products.

Newton–Schulz iterations apply a polynomial to the singular values and leave the singular vectors
alone, so that U·p(…p(σ))·Vᵀ is what they compute, whatever the order of their products.

The axes of an array are named by letters, as gdlab names them: "i" inputs, "o" outputs, "b" batch.
Arrays that are no matrices take the steps of AdamW.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tests.references.adam import adamw
from tests.references.stepping import Gradients, Numbers, each_step, quotient, recorded

JORDAN = ((3.4445, -4.7750, 2.0315),)
"""Jordan 2024, "Muon: an optimizer for hidden layers in neural networks"."""


def by_matrix(letters: str, array: np.ndarray, function: Callable[..., np.ndarray]) -> np.ndarray:
    """Apply ``function`` to each matrix (inputs, outputs) of an array."""
    order = [k for name in "bio" for k, own in enumerate(letters) if own == name]
    moved = np.transpose(array, order)
    shape = {name: [array.shape[k] for k in order if letters[k] == name] for name in "bio"}
    stack = moved.reshape(-1, math.prod(shape["i"]), math.prod(shape["o"]))
    out = np.stack([function(matrix) for matrix in stack]).reshape(moved.shape)
    return np.transpose(out, np.argsort(order))


def newton_schulz(
    matrix: np.ndarray,
    coefficients: Sequence[Sequence[float]] = JORDAN,
    steps: int = 5,
    eps: float = 0.0,
    by: str = "frobenius",
) -> np.ndarray:
    """U·p(…p(σ/n))·Vᵀ, n the Frobenius norm plus ε, or the "spectral" or the "schatten" norm."""
    u, sigma, vt = np.linalg.svd(matrix, full_matrices=False)
    order = {"frobenius": 2, "schatten": 4}.get(by, 1)
    length = sigma.max() if by == "spectral" else np.sum(sigma**order) ** (1 / order)
    sigma = quotient(sigma, np.full_like(sigma, length + eps))
    for step in range(steps):
        a, b, c = coefficients[min(step, len(coefficients) - 1)]
        sigma = a * sigma + b * sigma**3 + c * sigma**5
    return (u * sigma) @ vt


def polar(matrix: np.ndarray) -> np.ndarray:
    """U·Vᵀ."""
    u, _, vt = np.linalg.svd(matrix, full_matrices=False)
    return u @ vt


def shape_factor(matrix: np.ndarray, rms: float | None) -> float:
    """√max(1, out/in): Jordan 2024; rms·√max(in, out): Liu et al. 2025, arXiv:2502.16982, eq. 4."""
    fan_in, fan_out = matrix.shape
    return max(1, fan_out / fan_in) ** 0.5 if rms is None else rms * max(fan_in, fan_out) ** 0.5


def matrix_method(rule: Callable[..., Iterator[np.ndarray]]) -> Callable[..., np.ndarray]:
    """A rule for arrays whose axes have letters, which are a string or those of a rank."""
    of_matrices = recorded(rule)

    def method(grads, params0, *, learning_rate, axes="io", adam=None, **hyperparameters):
        letters = axes if isinstance(axes, str) else axes.get(np.ndim(params0))
        if letters is None or len(letters) != np.ndim(params0):
            options = {"weight_decay": 0.0} | (adam or {})
            return adamw(grads, params0, learning_rate=learning_rate, **options)
        return of_matrices(
            grads, params0, learning_rate=learning_rate, axes=letters, **hyperparameters
        )

    method.__name__, method.__module__ = rule.__name__, rule.__module__
    return method


@matrix_method
def muon(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    axes: str,
    beta: Numbers = 0.95,
    weight_decay: Numbers = 0.0,
    nesterov: bool = True,
    rms: float | None = None,
    adaptive: bool = False,
    **iteration: float,
) -> Iterator[np.ndarray]:
    """M ← βM + (1 − β)G; W ← W − η(s·NS(βM + (1 − β)G) + λW): Jordan 2024, and his code.

    The post accumulates, M ← μM + G, which is the same direction. With ``adaptive`` NS(M) is
    multiplied by ⟨M, NS(M)⟩: Bernstein and Newhouse 2024, arXiv:2409.20325.
    """

    def direction(m):
        o = newton_schulz(m, **iteration)
        return shape_factor(m, rms) * o * (np.sum(m * o) if adaptive else 1)

    w, m = params0, np.zeros_like(params0)
    for t, (eta, b, decay) in each_step(learning_rate, beta, weight_decay):
        g = grads(t, w)
        m = b * m + (1 - b) * g
        o = by_matrix(axes, b * m + (1 - b) * g if nesterov else m, direction)
        w = w - eta * (o + decay * w)
        yield w


def by_two(letters: str, one: np.ndarray, two: np.ndarray, function: Callable) -> np.ndarray:
    """Apply a function of two matrices to each pair of them."""
    others = []
    by_matrix(letters, two, lambda matrix: others.append(matrix) or matrix)
    remaining = iter(others)
    return by_matrix(letters, one, lambda matrix: function(matrix, next(remaining)))


def neurons(matrix: np.ndarray) -> np.ndarray:
    """The mean of the squares over the inputs of each output, for one matrix (inputs, outputs)."""
    return np.broadcast_to(np.mean(matrix**2, axis=0), matrix.shape)


def to_rms(matrix: np.ndarray, size: float) -> np.ndarray:
    """size·√(mn)·O/‖O‖."""
    return size * quotient(matrix, np.full_like(matrix, np.sqrt(np.mean(matrix**2))))


@matrix_method
def normuon(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    axes: str,
    beta: Numbers = 0.95,
    beta2: Numbers = 0.95,
    eps: float = 0.0,
    weight_decay: Numbers = 0.0,
    nesterov: bool = False,
    rms: float | None = 0.2,
) -> Iterator[np.ndarray]:
    """O = NS(M); v ← β₂v + (1 − β₂)mean(O²); Ô = O/(√v + ε); W ← W − η(0.2√(mn)Ô/‖Ô‖ + λW).

    Li et al. 2025, arXiv:2510.05491, Algorithm 1. The authors' code looks ahead (``nesterov``) and
    gives Ô the norm of O times √max(1, out/in) (``rms=None``).
    """

    def scaled(o, o_hat):
        if rms is not None:
            return to_rms(o_hat, rms)
        norms = np.linalg.norm(o), np.linalg.norm(o_hat)
        return shape_factor(o, None) * o_hat * quotient(*map(np.array, norms))

    w, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    for t, (eta, b1, b2, decay) in each_step(learning_rate, beta, beta2, weight_decay):
        g = grads(t, w)
        m = b1 * m + (1 - b1) * g
        o = by_matrix(axes, b1 * m + (1 - b1) * g if nesterov else m, newton_schulz)
        v = b2 * v + (1 - b2) * by_matrix(axes, o, neurons)
        o_hat = quotient(o, np.sqrt(v) + eps)
        w = w - eta * (by_two(axes, o, o_hat, scaled) + decay * w)
        yield w


@matrix_method
def adamuon(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    axes: str,
    beta: Numbers = 0.95,
    beta2: Numbers = 0.95,
    eps: float = 0.0,
    weight_decay: Numbers = 0.0,
    sign: bool = True,
) -> Iterator[np.ndarray]:
    """O = NS(sign(M)); V ← βV + (1 − β)O²; Ô = O/(√V + ε); W ← W − η(0.2√(mn)Ô/‖Ô‖ + λW).

    Si, Zhang and Shen 2025, arXiv:2507.11005, Algorithm 1. The first version had no sign and
    corrected V for its start at zero, which the last scaling undoes.
    """
    w, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    for t, (eta, b1, b2, decay) in each_step(learning_rate, beta, beta2, weight_decay):
        m = b1 * m + (1 - b1) * grads(t, w)
        o = by_matrix(axes, np.sign(m) if sign else m, newton_schulz)
        v = b2 * v + (1 - b2) * o**2
        o_hat = quotient(o, np.sqrt(v) + eps)
        w = w - eta * (by_matrix(axes, o_hat, lambda matrix: to_rms(matrix, 0.2)) + decay * w)
        yield w


@matrix_method
def adago(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    axes: str,
    beta: Numbers = 0.95,
    gamma: Numbers = 10.0,
    eps: Numbers = 5e-4,
    v0: float = 1e-3,
    eps_of_norm: float = 0.0,
) -> Iterator[np.ndarray]:
    """v² ← v² + min(‖G‖, γ)²; W ← W − max(ε, η·min(‖G‖, γ)/v)·Orth(M).

    Zhang, Liu and Schaeffer 2025, arXiv:2509.02981, Algorithm 1, Orth by Newton–Schulz.
    """
    w, m, v_squared = params0, np.zeros_like(params0), v0**2
    for t, (eta, b, bound, least) in each_step(learning_rate, beta, gamma, eps):
        g = grads(t, w)
        m = b * m + (1 - b) * g
        n = by_matrix(axes, g, lambda x: np.full_like(x, np.linalg.norm(x)))
        n = np.minimum(n, bound)
        v_squared = v_squared + n**2
        o = by_matrix(axes, m, lambda x: newton_schulz(x, eps=eps_of_norm))
        w = w - np.maximum(least, eta * n / np.sqrt(v_squared)) * o
        yield w


@matrix_method
def hyperball(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    axes: str,
    beta: Numbers | None = None,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> Iterator[np.ndarray]:
    """W ← R·Norm(W − ηR·Norm(d)), R = ‖W₀‖, with Muon's direction, or Adam's without ``beta``.

    Wen et al. 2026, "Fantastic pretraining optimizers and where to find them 2.1: hyperball
    optimization", arXiv:2606.16899.
    """

    def unit(x):
        return by_matrix(axes, x, lambda x: quotient(x, np.full_like(x, np.linalg.norm(x))))

    radius = by_matrix(axes, params0, lambda x: np.full_like(x, np.linalg.norm(x)))
    w, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, w)
        b = b1 if beta is None else beta
        m, v = b * m + (1 - b) * g, b2 * v + (1 - b2) * g**2
        if beta is None:
            d = m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
        else:
            d = by_matrix(axes, b * m + (1 - b) * g, newton_schulz)
        w = radius * unit(w - eta * radius * unit(d))
        yield w


def lmo(g: np.ndarray, norm: str, eps: float, exact: bool = False) -> np.ndarray:
    """The maximiser of ⟨G, U⟩ over the unit ball of a norm, for a matrix (inputs, outputs).

    Pethick et al. 2025, arXiv:2502.07529, Tables 2 to 4, and the authors' code, with its ε.
    """
    if norm == "rms":
        return g / (np.sqrt(np.mean(g**2)) + eps)
    fan_in, fan_out = g.shape
    if norm == "sign":
        return np.sign(g) / fan_in
    if norm == "column":
        return g / (np.sqrt(np.mean(g**2, axis=1, keepdims=True)) + eps)
    if norm == "row":
        return g / (np.sqrt(fan_in) * np.linalg.norm(g, axis=0, keepdims=True) + eps)
    return np.sqrt(fan_out / fan_in) * (polar(g) if exact else newton_schulz(g, eps=eps))


@recorded
def scion(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    norm: str = "spectral",
    axes: str = "io",
    radius: float = 1.0,
    beta: Numbers = 0.9,
    eps: float = 0.0,
    constrained: bool = True,
) -> Iterator[np.ndarray]:
    """D ← βD + (1 − β)G; W ← (1 − γ)W − γρ·lmo(D): Algorithm 2; Algorithm 1 has no (1 − γ).

    Arrays that are no matrices have the norm of root mean squares.
    """
    w, d = params0, np.zeros_like(params0)
    is_matrix = params0.ndim == len(axes)
    for t, (gamma, b) in each_step(learning_rate, beta):
        d = b * d + (1 - b) * grads(t, w)
        direction = (
            by_matrix(axes, d, lambda x: lmo(x, norm, eps)) if is_matrix else lmo(d, "rms", eps)
        )
        w = (1 - gamma if constrained else 1) * w - gamma * radius * direction
        yield w


@recorded
def dion(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    basis: Callable[[np.ndarray], np.ndarray],
    mu: Numbers = 0.95,
    weight_decay: Numbers = 0.0,
    eps: float = 0.0,
) -> Iterator[np.ndarray]:
    """P = qr(BQ), R = BᵀP, M ← B − (1 − μ)PRᵀ, Q ← R/|R|, X ← X − η(√(m/n)PQᵀ + λX), B = M + G.

    Ahn et al. 2025, arXiv:2504.05295, Algorithm 1, for X of the shape (inputs, outputs), of which
    the paper's is the transpose. ``basis`` is the first Q. Orth is by QR, whose signs cancel.
    """
    x, m, q = params0.T, np.zeros_like(params0.T), basis(params0)
    for t, (eta, b, decay) in each_step(learning_rate, mu, weight_decay):
        momentum = m + grads(t, x.T).T
        p, _ = np.linalg.qr(momentum @ q)
        r = momentum.T @ p
        m = momentum - (1 - b) * p @ r.T
        q = r / (np.linalg.norm(r, axis=0) + eps)
        x = x - eta * (np.sqrt(x.shape[0] / x.shape[1]) * p @ q.T + decay * x)
        yield x.T
