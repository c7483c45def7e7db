"""The largest sizes so far, decayed or not: the denominators of AdaMax and AMSGrad."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import leafwise


class InfinityNormState(NamedTuple):
    """State of :func:`infinity_norm`."""

    norm: Any
    """The decayed maximum of |g|, shaped like the parameters."""


@leafwise
def infinity_norm(decay: Hyperparameter, eps: Hyperparameter | None = None) -> Any:
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

    def init(param):
        return InfinityNormState(jnp.zeros_like(param).real)

    def update(u, state):
        size = jnp.abs(u) if eps is None else jnp.abs(u) + eps
        norm = jnp.maximum(decay * state.norm, size)
        return norm, InfinityNormState(norm)

    return init, update


class MaximumState(NamedTuple):
    """State of :func:`running_maximum`."""

    maximum: Any
    """The largest value so far, shaped like the parameters."""


@leafwise
def running_maximum() -> Any:
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

    def init(param):
        return MaximumState(jnp.zeros_like(param))

    def update(u, state):
        maximum = jnp.maximum(state.maximum, u)
        return maximum, MaximumState(maximum)

    return init, update
