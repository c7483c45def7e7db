"""Step sizes from the distance come so far: DoG and DoWG.

Ivgi, Hinder and Carmon 2023, "DoG is SGD's Best Friend", arXiv:2302.12022, and Khaled, Mishchenko
and Jin 2023, "DoWG Unleashed", arXiv:2305.16284. The papers have no learning rate; here it is a
factor of the step size. Layer-wise DoG is DoG on one array.
"""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, each_step, recorded


@recorded
def dog(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    init_step: str = "heuristic",
    init_value: float = 1e-6,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    averaging: float | None = None,
) -> Iterator[np.ndarray]:
    """x ← x − η r̄ g/√(Σ‖g‖² + ε): eq. 1; with ``averaging`` = γ the average of section 4.1."""
    x = average = params0
    r_bar = {
        "heuristic": init_value * (1 + np.linalg.norm(params0)),
        "distance": init_value,
        "learning_rate": 0.0,
    }[init_step]
    total = 0.0
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, x) + weight_decay * x
        r_bar = max(r_bar, np.linalg.norm(x - params0))
        total += np.sum(g**2)
        size = r_bar / np.sqrt(total + eps)
        if t == 1 and init_step == "learning_rate":
            size = init_value
        x = x - eta * size * g
        if averaging is None:
            yield x
        else:
            share = (1 + averaging) / (t + averaging)
            average = (1 - share) * average + share * x
            yield average


@recorded
def dowg(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    initial: float = 1e-4,
    eps: float = 1e-4,
    weight_decay: float = 0.0,
) -> Iterator[np.ndarray]:
    """x ← x − η r̄² g/(√Σr̄²‖g‖² + ε): Algorithm 1, which has no ε; ``initial`` is r̄₀²."""
    x, r_squared, v = params0, initial, 0.0
    for t, (eta,) in each_step(learning_rate):
        g = grads(t, x) + weight_decay * x
        r_squared = max(r_squared, np.sum((x - params0) ** 2))
        v += r_squared * np.sum(g**2)
        x = x - eta * r_squared / (np.sqrt(v) + eps) * g
        yield x
