"""A reduction of the learning rate when the loss stops falling."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Fraction, NonNegative, Period, StepCount
from gdlab.core.numerics import common_dtype
from gdlab.core.transformation import transformation


@transformation(
    reads="value",
    slots=("scale", "best_value", "plateau_count", "cooldown_count", "seen", "avg_value"),
)
def reduce_on_plateau(
    factor: Fraction = 0.1,
    patience: StepCount = 10,
    rtol: NonNegative = 1e-4,
    atol: NonNegative = 0.0,
    cooldown: StepCount = 0,
    accumulation_size: Period = 1,
    min_scale: NonNegative = 0.0,
) -> TreeFunctions:
    """Scale the updates down whenever the loss has stopped improving.

    uₜ = s·gₜ. The loss improves if it is below b − rtol·|b| − atol, with b the best loss so far.
    After ``patience`` losses in a row without improvement, s ← max(factor·s, min_scale); s₀ = 1.

    Put it after a method in a chain, and pass the loss as the keyword ``value`` of ``update``,
    usually the loss on held-out data. optax instead tests whether the loss is below (1 − rtol)·b;
    for negative losses that counts even slightly worse losses as improvements.

    Args:
        factor: the factor on s, in (0, 1).
        patience: the number of losses in a row without improvement before a reduction, at least 1.
        rtol: the relative improvement that counts.
        atol: the absolute improvement that counts.
        cooldown: the number of losses ignored after each reduction.
        accumulation_size: the number of losses that are averaged into one.
        min_scale: the least value of s.

    Raises:
        ValueError: if ``value`` is missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import reduce_on_plateau
    >>> tx = reduce_on_plateau(factor=0.5, patience=2)
    >>> state = tx.init(jnp.zeros(1))
    >>> for loss in (3.0, 2.0, 2.0, 2.0, 1.0):
    ...     u, state = tx.update(jnp.ones(1), state, value=loss)
    ...     print(u)
    [1.]
    [1.]
    [1.]
    [0.5]
    [0.5]
    """

    def init(params):
        dtype = common_dtype(jax.tree.leaves(params))
        zero = jnp.zeros((), jnp.int32)
        real = lambda number: jnp.asarray(number, dtype)  # noqa: E731
        return real(1), real(jnp.inf), zero, zero, zero, real(0)

    def update(updates, state, *, value):
        scale, best, count, cooling, seen, mean = state
        seen = seen + 1
        mean = mean + (jnp.asarray(value).astype(mean.dtype) - mean) / seen.astype(mean.dtype)
        complete = seen.astype(mean.dtype) >= accumulation_size

        improves = mean < best * (1 - rtol * jnp.sign(best)) - atol
        rests = cooling > 0
        waited = jnp.where(improves | rests, 0, count + 1)
        pause = jnp.ceil(jnp.asarray(cooldown)).astype(jnp.int32)
        reduces = ~improves & ~rests & (waited.astype(mean.dtype) >= patience)
        after = (
            jnp.where(reduces, jnp.maximum(factor * scale, min_scale), scale),
            jnp.where(improves, mean, best),
            jnp.where(reduces, 0, waited),
            jnp.where(reduces, pause, cooling - rests.astype(jnp.int32)),
            jnp.zeros_like(seen),
            jnp.zeros_like(mean),
        )
        unchanged = (scale, best, count, cooling, seen, mean)
        state = jax.tree.map(lambda a, b: jnp.where(complete, a, b), after, unchanged)
        return jax.tree.map(lambda u: state[0].astype(u.real.dtype) * u, updates), state

    return init, update
