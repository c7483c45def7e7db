"""Duchi, Hazan and Singer 2011, "Adaptive Subgradient Methods", JMLR 12.

Their Figure 1 adds δ to the root, H = δI + G^(1/2); ε under the root is the later habit. Without
δ they take the pseudo-inverse: a direction in which no gradient ever pointed stands still.
"""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, quotient, recorded, root


@recorded
def adagrad(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    initial_accumulator_value: float = 0.0,
    eps: Numbers = 0.0,
    eps_in_sqrt: bool = False,
) -> Iterator[np.ndarray]:
    """G ← G + g²; θ ← θ − η g/(√G + ε): their section 1.1, eq. 1, the diagonal form."""
    theta, G = params0, np.full_like(params0, initial_accumulator_value)
    for t, (eta, epsilon) in each_step(learning_rate, eps):
        g = grads(t, theta)
        G = G + g**2
        theta = theta - eta * quotient(g, root(G, epsilon, eps_in_sqrt))
        yield theta


@recorded
def full_matrix_adagrad(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    initial_accumulator_value: float = 0.0,
    eps: Numbers = 0.0,
    eps_in_sqrt: bool = False,
) -> Iterator[np.ndarray]:
    """G ← G + g gᵀ; θ ← θ − η (G^(1/2) + εI)⁻¹ g, or (G + εI)^(−1/2) g: their section 1.1.

    The parameters are one vector.
    """
    theta, G = params0, initial_accumulator_value * np.eye(len(params0))
    for t, (eta, epsilon) in each_step(learning_rate, eps):
        g = grads(t, theta)
        G = G + np.outer(g, g)
        eigenvalues, Q = _semidefinite_eigh(G)
        theta = theta - eta * Q @ _scaled(Q.T @ g, eigenvalues, epsilon, eps_in_sqrt)
        yield theta


def _semidefinite_eigh(G: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and -vectors, where an eigenvalue that is only rounding counts as zero."""
    eigenvalues, Q = np.linalg.eigh(G)
    rounding = len(G) * np.finfo(G.dtype).eps * eigenvalues.max()
    return np.where(eigenvalues > rounding, eigenvalues, 0.0), Q


def _scaled(g: np.ndarray, eigenvalues: np.ndarray, eps: float, eps_in_sqrt: bool) -> np.ndarray:
    in_range = eigenvalues + eps > 0
    return quotient(np.where(in_range, g, 0.0), root(eigenvalues, eps, eps_in_sqrt))
