"""Steps without updates at the start of a run."""

from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import fork, identity
from gdlab.transforms.masking import set_to_zero
from gdlab.transforms.switching import from_step, switch


@transformation
def wait(steps: Hyperparameter = 1) -> GradientTransformation:
    """Make the updates of the first steps zero, while the parts before it gather what they keep.

    uₜ = 0 for t ≤ steps, gₜ after that

    Args:
        steps: how many steps there are without updates.

    >>> import jax.numpy as jnp
    >>> from gdlab import wait
    >>> tx = wait(1)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (4.0, 8.0):
    ...     u, state = tx.update(jnp.array([g]), state)
    ...     print(u)
    [0.]
    [8.]
    """
    return fork(switch(from_step(steps)), set_to_zero(), identity())
