"""Updates without NaNs."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.transformation import leafwise


@leafwise(slots=("found_nan",))
def zero_nans() -> LeafFunctions:
    """Replace every NaN by 0, and record which arrays had any.

    The state holds, for each array, whether the last updates had a NaN in it. The other elements
    still take their step: to skip the whole step, use :func:`apply_if_finite`.

    >>> import jax.numpy as jnp
    >>> from gdlab import zero_nans
    >>> tx = zero_nans()
    >>> updates, state = tx.update(jnp.array([jnp.nan, 1.0]), tx.init(jnp.zeros(2)))
    >>> updates, bool(state.found_nan)
    (Array([0., 1.], dtype=float32), True)
    """

    def init(like):
        del like
        return (jnp.array(False),)

    def update(u, state):
        del state
        is_nan = jnp.isnan(u)
        return jnp.where(is_nan, 0, u), (jnp.any(is_nan),)

    return init, update
