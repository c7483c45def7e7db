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
        letters = axes if isinstance(axes, str) else axes.get(np.ndim(params0), "")
        if len(letters) != np.ndim(params0):
            return adamw(grads, params0, learning_rate=learning_rate, **(adam or {}))
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
