"""A step count in the state, as in optax's optimizers."""

from gdlab.core.authoring import LeafFunctions
from gdlab.core.transformation import GradientTransformation, leafwise
from gdlab.core.wiring import chain


@leafwise(reads="step")
def count_steps() -> LeafFunctions:
    """Leave updates unchanged, and keep the number of steps taken so far in the state.

    A state has the entry ``count`` only if something depends on the step, such as a schedule; a
    chain that ends with this part always has it.

    >>> import jax.numpy as jnp
    >>> from gdlab import chain, trace
    >>> from gdlab.interop.optax._counting import count_steps
    >>> tx = chain(trace(0.9), count_steps())
    >>> tx.update(jnp.ones(1), tx.init(jnp.ones(1)))[1].count
    Array(1, dtype=int32)
    """

    def update(u, step):  # noqa: ARG001
        return u

    return update


def counted(tx: GradientTransformation) -> GradientTransformation:
    """The transformation with a count in its state."""
    return chain(tx, count_steps())
