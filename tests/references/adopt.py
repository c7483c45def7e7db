"""ADOPT: Taniguchi et al. 2024, "ADOPT: Modified Adam Can Converge with Any β₂ with the Optimal
Rate", arXiv:2411.02853.
"""

from collections.abc import Iterator

import numpy as np

from tests.references.stepping import Gradients, Numbers, each_step, recorded


@recorded
def adopt(
    grads: Gradients,
    params0: np.ndarray,
    *,
    learning_rate: np.ndarray,
    b1: Numbers = 0.9,
    b2: Numbers = 0.9999,
    eps: Numbers = 1e-6,
    clipping: bool = True,
    nesterov: bool = False,
) -> Iterator[np.ndarray]:
    """m ← β₁m + (1 − β₁) clip(g/max(√v, ε), ±cₜ), θ ← θ − α m, then v ← β₂v + (1 − β₂)g².

    Algorithm 2, cₜ = t^¼; its g₀, of which v₀ is the square, is the first gradient, at which the
    parameters stay. Nesterov's look-ahead is optax's addition: β₁m + (1 − β₁)z.
    """
    theta, m, v = params0, np.zeros_like(params0), np.zeros_like(params0)
    for step, (alpha, beta1, beta2, epsilon) in each_step(learning_rate, b1, b2, eps):
        g = grads(step, theta)
        t = step - 1
        if t == 0:
            v = g**2
            yield theta
            continue
        z = g / np.maximum(np.sqrt(v), epsilon)
        z = np.clip(z, -(t**0.25), t**0.25) if clipping else z
        m = beta1 * m + (1 - beta1) * z
        theta = theta - alpha * (beta1 * m + (1 - beta1) * z if nesterov else m)
        v = beta2 * v + (1 - beta2) * g**2
        yield theta
