"""Running maxima, decayed or not: the denominators of AdaMax and AMSGrad."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Fraction, NonNegative
from gdlab.core.transformation import leafwise


@leafwise(nonnegative=True)
def infinity_norm(decay: Fraction, eps: NonNegative | None = None) -> LeafFunctions:
    """The decayed maximum of the updates' sizes: the second moment's limit for p → ∞.

    nₜ = max(decay·nₜ₋₁, |gₜ| + eps)

    Args:
        decay: weight of the old maximum.
        eps: ε added to the size of each gradient.

    >>> import jax.numpy as jnp
    >>> from gdlab import infinity_norm
    >>> tx = infinity_norm(0.5)
    >>> _, state = tx.update(jnp.array([-8.0]), tx.init(jnp.zeros(1)))
    >>> tx.update(jnp.array([1.0]), state)[0]
    Array([4.], dtype=float32)

    Source: D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, 2015, algorithm 2.
    """

    def init(like):
        return jnp.zeros_like(like).real

    def update(u, norm):
        size = jnp.abs(u) if eps is None else jnp.abs(u) + eps
        norm = jnp.maximum(decay * norm, size)
        return norm, norm

    return init, update


@leafwise(nonnegative=True)
def running_maximum() -> LeafFunctions:
    """The largest value so far, element by element, from zero.

    uₜ = max(uₜ₋₁, gₜ), u₀ = 0

    >>> import jax.numpy as jnp
    >>> from gdlab import running_maximum
    >>> tx = running_maximum()
    >>> _, state = tx.update(jnp.array([8.0]), tx.init(jnp.zeros(1)))
    >>> tx.update(jnp.array([1.0]), state)[0]
    Array([8.], dtype=float32)

    Source: S. Reddi, S. Kale, S. Kumar, On the convergence of Adam and beyond, 2018, algorithm 2.
    """

    def update(u, maximum):
        maximum = jnp.maximum(maximum, u)
        return maximum, maximum

    return jnp.zeros_like, update
