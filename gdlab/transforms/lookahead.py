"""The gradient at the point to which momentum is about to carry the parameters."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.apply import apply_updates
from gdlab.core.transformation import GradientTransformation, transformation


class LookAheadState(NamedTuple):
    """State of :func:`look_ahead`."""

    inner: Any
    """The state of the inner transformation."""


@transformation
def look_ahead(inner: GradientTransformation) -> Any:
    """Evaluate the gradient where ``inner`` would go by itself, and step with that gradient.

    w̃ₜ = wₜ + inner(0), the parameters after a step without a gradient; uₜ = inner(∇f(w̃ₜ))

    Args:
        inner: a transformation with momentum, down to its learning rate.

    ``update`` needs ``params`` and the keyword ``grad_fn(params)``; the gradient that it is given
    at wₜ itself is not used.

    Raises:
        ValueError: if ``params`` or ``grad_fn`` are missing.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import look_ahead, sgd
    >>> tx = look_ahead(sgd(0.1, momentum=0.9))
    >>> grad_fn = jax.grad(lambda w: 0.5 * w**2)
    >>> w = jnp.array(1.0)
    >>> tx.update(grad_fn(w), tx.init(w), w, grad_fn=grad_fn)[0]
    Array(-0.1, dtype=float32)

    Source: I. Sutskever, J. Martens, G. Dahl, G. Hinton, On the importance of initialization and
    momentum in deep learning, 2013, eq. 3–4.
    """

    def init(params):
        return LookAheadState(inner.init(params))

    def update(updates, state, params, *, grad_fn=None, **extra):
        if grad_fn is None:
            raise ValueError(
                "look_ahead needs the keyword grad_fn, the gradient as a function of the "
                "parameters, since it evaluates it at another point: "
                "update(updates, state, params, grad_fn=jax.grad(loss))"
            )
        zeros = jax.tree.map(jnp.zeros_like, updates)
        drift, _ = inner.update(zeros, state.inner, params, **extra)
        gradient = grad_fn(apply_updates(params, drift))
        new, inner_state = inner.update(gradient, state.inner, params, grad_fn=grad_fn, **extra)
        return new, LookAheadState(inner_state)

    return init, update
