"""The gradient at the point to which momentum is about to carry the parameters."""

import jax
import jax.numpy as jnp

from gdlab.core.apply import apply_updates
from gdlab.core.authoring import TreeFunctions
from gdlab.core.returned import gradient_at_params
from gdlab.core.rules import EVERYTHING
from gdlab.core.transformation import GradientTransformation, transformation


@transformation(reads=("params", "grad_fn", EVERYTHING), slots=("inner",))
def look_ahead(inner: GradientTransformation) -> TreeFunctions:
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
        return (inner.init(params),)

    def update(updates, state, params, *, grad_fn, **extra):
        (inner_state,) = state
        zeros = jax.tree.map(jnp.zeros_like, updates)
        drift, _ = inner.update(zeros, inner_state, params, **extra)
        gradient = gradient_at_params(grad_fn, apply_updates(params, drift))
        new, inner_state = inner.update(gradient, inner_state, params, grad_fn=grad_fn, **extra)
        return new, (inner_state,)

    return init, update
