"""Private descent: Abadi et al. 2016, "Deep learning with differential privacy", algorithm 1."""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, recorded


@recorded
def dpsgd(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    clip: float,
    momentum: float = 0.0,
) -> Iterator[np.ndarray]:
    """θ ← θ − η·v, v ← μv + g/max(1, ‖g‖₂/C): a lot of one example, and no noise."""
    theta, v = params0, np.zeros_like(params0)
    for t, eta in enumerate(learning_rate, 1):
        g = grads(t, theta)
        v = momentum * v + g / max(1, np.linalg.norm(g) / clip)
        theta = theta - eta * v
        yield theta
