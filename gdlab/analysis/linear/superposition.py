"""A test of superposition: sums of gradients of any size must give sums of updates."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.analysis.linear.anatomy import one_step, random_error
from gdlab.core.transformation import GradientTransformation

ADDITIVITY_TOLERANCE = 1e-9
"""The largest deviation from additivity, relative to the largest update."""
SIZES = (1.0, 1e12)
"""The sizes of the gradients that are added; only large ones trigger a bound such as clipping."""


def answer(tx: GradientTransformation, inputs: np.ndarray, seed: int = 0) -> np.ndarray:
    """The updates of ``tx`` for a sequence of gradients, in one dimension.

    Args:
        tx: the transformation.
        inputs: the gradients, of shape (steps,).
        seed: the seed of the steps' PRNG keys.
    """
    return np.asarray(_answer(tx, inputs, seed))


def require_superposition(name: str, tx: GradientTransformation, advice: str) -> None:
    """Refuse a transformation that is not additive, or is random.

    Args:
        name: the name of ``tx``, for the message.
        tx: the transformation, in float64.
        advice: the advice at the end of the message.

    Raises:
        ValueError: with the advice.
    """
    steps = np.arange(64)
    one, other = np.cos(1.0 + 2.0 * steps), 3 * np.sin(0.3 * steps**2)
    if not np.array_equal(answer(tx, one), answer(tx, one, seed=1), equal_nan=True):
        raise random_error(name)
    for size in SIZES:
        answers = [answer(tx, size * inputs) for inputs in (one, other, one - 2 * other)]
        if not np.all(np.isfinite(answers)):
            raise ValueError(f"{name} has updates that are not finite with these hyperparameters")
        off = np.max(np.abs(answers[0] - 2 * answers[1] - answers[2]))
        largest = np.max(np.abs(answers))
        if off > ADDITIVITY_TOLERANCE * largest:
            raise ValueError(
                f"{name} is not linear: adding gradients of size {size:g} does not add its updates "
                f"(off by {off:.3g}); {advice}"
            )


@jax.jit
def _answer(tx: Any, inputs: jax.Array, seed: Any) -> jax.Array:
    param = jnp.zeros(1)

    def body(state, at):
        step, gradient = at
        key = jax.random.key(seed * len(inputs) + step)
        updates, state = one_step(
            tx, state, param, lambda _: gradient[None], lambda flat: flat, key
        )
        return state, updates[0]

    return jax.lax.scan(body, tx.init(param), (jnp.arange(len(inputs)), inputs))[1]
