"""AdamG: Adam with step sizes derived from the sizes of gradients."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions, Shared
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.numerics import abs_squared, safe_divide, safe_sqrt
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import chain
from gdlab.schedules.power_of_count import at_most_inverse_root
from gdlab.transforms.averages.debiasing import Weight
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@leafwise(slots=("mu", "nu", "golden_step"), shared="weights", nonnegative=("nu",), squares=True)
def scale_by_adamg(
    b1: Hyperparameter = 0.95,
    b2: Fraction = 0.999,
    b3: Fraction = 0.95,
    p: Hyperparameter = 0.2,
    q: Hyperparameter = 0.24,
    eps: NonNegative = 1e-8,
) -> LeafFunctions:
    """The direction of Adam, for gradients weighted by a power of their mean square.

    vₜ = ema(b2)(gₜ²), rₜ = ema(b3)(p·vₜ^q), m̂ₜ = debias(ema(b1))(rₜ·gₜ),
    uₜ = m̂ₜ/(√(vₜ/(1 − b2ᵗ)) + ε)

    Multiplying the gradients by c multiplies the updates by c^2q (ε → 0).

    Args:
        b1: decay of the average of weighted gradients.
        b2: decay of the average of squares.
        b3: decay of the average of weights.
        p: numerator of the weights.
        q: exponent of the weights, below ½.
        eps: ε, outside the root and after the correction.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_adamg
    >>> tx = scale_by_adamg(b2=0.0, b3=0.0, p=1.0, q=0.25)
    >>> tx.update(jnp.array([-4.0]), tx.init(jnp.zeros(1)))[0]
    Array([-2.], dtype=float32)

    Source: Y. Pang, H. Wang, J. Zhang, Towards stability of parameter-free optimization, 2024,
    algorithm 1.
    """

    def init(like):
        size = jnp.abs(jnp.zeros_like(like))
        return jnp.zeros_like(like), size, size

    def update(u, state, weights):
        m, v, r = state
        first, second = weights
        v = b2 * v + (1 - b2) * abs_squared(u)
        positive = v > 0
        golden = jnp.where(positive, p * jnp.where(positive, v, 1) ** q, 0)
        r = b3 * r + (1 - b3) * golden
        m = b1 * m + (1 - b1) * r * u
        root = safe_sqrt(v / second.value())
        return safe_divide(m / first.value(), root + eps, at_least=eps), (m, v, r)

    def start():
        return Weight.at_start(), Weight.at_start()

    def advance(weights):
        first, second = weights
        return first.after(b1), second.after(b2)

    return init, update, Shared(start, advance)


@transformation
def adamg(
    learning_rate: Hyperparameter = 1.0,
    b1: Hyperparameter = 0.95,
    b2: Fraction = 0.999,
    b3: Fraction = 0.95,
    p: Hyperparameter = 0.2,
    q: Hyperparameter = 0.24,
    eps: NonNegative = 1e-8,
) -> GradientTransformation:
    """AdamG: Adam with step sizes derived from the sizes of gradients.

    wₜ₊₁ = wₜ − min(η, 1/√t)·uₜ with u of :func:`scale_by_adamg`

    It is not invariant to the scale of the loss: multiplying the gradients by c multiplies the
    steps by c^2q.

    When to use:
        If there is no budget to search a learning rate and gradients have a usual size. If they may
        have any size, use :func:`prodigy`.

    Args:
        learning_rate: η, the largest step size; 1 in the paper.
        b1: decay of the average of weighted gradients.
        b2: decay of the average of squares.
        b3: decay of the average of weights.
        p: numerator of the weights.
        q: exponent of the weights, below ½.
        eps: ε, outside the root and after the correction.

    >>> import jax.numpy as jnp
    >>> from gdlab import adamg, minimize
    >>> run = minimize(lambda w: jnp.sum((w - 3.0) ** 2), jnp.zeros(2), adamg(), steps=2000)
    >>> jnp.all(jnp.abs(run.params - 3.0) < 0.5)
    Array(True, dtype=bool)

    Source: Y. Pang, H. Wang, J. Zhang, Towards stability of parameter-free optimization, 2024,
    algorithm 1.
    """
    return chain(
        scale_by_adamg(b1, b2, b3, p, q, eps),
        scale_by_learning_rate(at_most_inverse_root(learning_rate)),
    )
