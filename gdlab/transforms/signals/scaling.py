"""Scaling by a number: a constant, a schedule, or the learning rate."""

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import GradientTransformation, leafwise, transformation


@leafwise
def scale(step_size: Hyperparameter) -> LeafFunctions:
    """Multiply the updates by a number.

    uₜ = step_size·gₜ

    >>> import jax.numpy as jnp
    >>> from gdlab import scale
    >>> tx = scale(2.0)
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)))[0]
    Array([6.], dtype=float32)
    """
    return lambda u: step_size * u


@leafwise
def scale_by_learning_rate(
    learning_rate: Hyperparameter, *, flip_sign: bool = True
) -> LeafFunctions:
    """Turn a direction of ascent into the step of descent.

    uₜ = −learning_rate·gₜ

    Args:
        learning_rate: η: a number, a schedule, or a tree with one for each leaf.
        flip_sign: False to ascend.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_learning_rate
    >>> tx = scale_by_learning_rate({"w": 0.1, "b": 0.5})
    >>> params = {"w": jnp.ones(1), "b": jnp.ones(1)}
    >>> tx.update(params, tx.init(params))[0]
    {'b': Array([-0.5], dtype=float32), 'w': Array([-0.1], dtype=float32)}
    """
    return lambda u: (-learning_rate if flip_sign else learning_rate) * u


@transformation
def scale_by_schedule(step_size_fn: Hyperparameter) -> GradientTransformation:
    """Multiply the updates by the value of a schedule.

    uₜ = step_size_fn(t)·gₜ

    It is :func:`scale` under the name that optax uses.

    >>> import jax.numpy as jnp
    >>> from gdlab import linear_schedule, scale_by_schedule
    >>> tx = scale_by_schedule(linear_schedule(1.0, 0.0, 4))
    >>> state = tx.init(jnp.zeros(1))
    >>> for _ in range(2):
    ...     u, state = tx.update(jnp.array([8.0]), state)
    >>> u
    Array([6.], dtype=float32)
    """
    return scale(step_size_fn)
