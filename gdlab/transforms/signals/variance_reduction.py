"""Gradients with less noise, by a correction along their change since the previous step."""

import jax

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.joins import join
from gdlab.core.returned import gradient_at_params
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import fork, identity
from gdlab.transforms.signals.delays import delay


@join
def extrapolated(gamma: Hyperparameter, decay: Hyperparameter) -> Function:
    """Join a gradient and an earlier one: the gradient, extrapolated along its change.

    u = a + γ·β/(1 − β)·(a − b)

    Args:
        gamma: γ, the strength of the correction.
        decay: β, the decay of the average that follows. With γ = 1 the average of such gradients is
            the recursive momentum of STORM.

    >>> import jax.numpy as jnp
    >>> from gdlab import extrapolated
    >>> extrapolated(1.0, 0.5)(jnp.array([4.0]), jnp.array([3.0]))
    Array([5.], dtype=float32)
    """
    return lambda a, b: a + gamma * decay / (1 - decay) * (a - b)


@transformation(reads=("params", "grad_fn"), slots=("previous_params",))
def previous_gradient() -> TreeFunctions:
    """Return the gradient at the parameters of the previous step, on the data of this step.

    uₜ = ∇fₜ(wₜ₋₁), with w₀ = w₁, which costs one evaluation of the gradient

    Raises:
        ValueError: if ``params`` or the keyword ``grad_fn`` are missing.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> from gdlab import previous_gradient
    >>> tx, grad_fn = previous_gradient(), jax.grad(lambda w: 0.5 * w**2)
    >>> state = tx.init(jnp.array(1.0))
    >>> for w in (jnp.array(1.0), jnp.array(3.0)):
    ...     u, state = tx.update(grad_fn(w), state, w, grad_fn=grad_fn)
    ...     print(u)
    1.0
    1.0
    """

    def update(updates, state, params, *, grad_fn):
        gradient = gradient_at_params(grad_fn, *state)
        gradient = jax.tree.map(lambda g, u: g.astype(u.dtype), gradient, updates)
        return gradient, (params,)

    return lambda params: (params,), update


@transformation
def reduce_variance(
    gamma: Hyperparameter = 0.025, decay: Hyperparameter = 0.95, *, exact: bool = False
) -> GradientTransformation:
    """Correct gradients by their change since the previous step, so that averages are less noisy.

    uₜ = gₜ + γ·β/(1 − β)·(gₜ − hₜ), with hₜ the gradient at the parameters of the previous step

    Put it before a method that averages gradients with decay β; :func:`mars` is AdamW after it.
    With γ = 0 it changes nothing. It is linear: scaling or rotating the gradients scales or rotates
    the updates.

    Args:
        gamma: γ, the strength of the correction.
        decay: β, the decay of the average that follows.
        exact: whether to compute hₜ on the data of this step, so that the noise of gₜ and hₜ
            cancels. That costs a second gradient, and ``update`` needs the keyword ``grad_fn``.
            Otherwise hₜ is the gradient of the previous step, and zero at first.

    >>> import jax.numpy as jnp
    >>> from gdlab import reduce_variance
    >>> tx = reduce_variance(0.5, 0.5)
    >>> _, state = tx.update(jnp.array([2.0]), tx.init(jnp.zeros(1)))
    >>> tx.update(jnp.array([4.0]), state)[0]
    Array([5.], dtype=float32)

    Source: H. Yuan, Y. Liu, S. Wu, X. Zhou, Q. Gu, MARS: unleashing the power of variance reduction
    for training large models, 2024, eq. 3 and 6.
    """
    before = previous_gradient() if exact else delay()
    return fork(extrapolated(gamma, decay), identity(), before)
