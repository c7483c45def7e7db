"""Sample and hold: work done at some steps only, with its result kept in between."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Period
from gdlab.core.numerics import cast_like, widen
from gdlab.core.rarely import rarely
from gdlab.core.rules import EVERYTHING
from gdlab.core.state import refuse_narrow_within
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.transforms.steps.periods import is_complete


@transformation(reads=EVERYTHING, slots=("phase", "held", "inner"))
def hold(inner: GradientTransformation, every: Period) -> TreeFunctions:
    """Run a transformation once in several steps, and return its last output at the others.

    uₜ = inner(gₜ) at the steps t = 1, 1 + every, 1 + 2·every, …, and uₜ₋₁ at the others, where
    ``inner`` is not run at all, not even in a sweep.

    Args:
        inner: the transformation to sample, usually a costly estimate, such as one of curvature.
        every: the number of steps from one sample to the next, at least 1.

    >>> import jax.numpy as jnp
    >>> from gdlab import hold, scale
    >>> tx = hold(scale(10.0), 2)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (1.0, 2.0, 3.0):
    ...     u, state = tx.update(jnp.array([g]), state)
    ...     print(u)
    [10.]
    [10.]
    [30.]
    """

    def init(params):
        refuse_narrow_within("hold", inner.init, params)
        held = jax.tree.map(jnp.zeros_like, widen(params))
        return jnp.zeros((), jnp.int32), held, inner.init(params)

    def update(updates, state, params, **extra):
        phase, held, inner_state = state

        def sample(updates, _, inner_state):
            output, inner_state = inner.update(updates, inner_state, params, **extra)
            return cast_like(output, held), inner_state

        def keep(_, held, inner_state):
            return held, inner_state

        # The phase starts over with each period, so that the analysis can recognise the period.
        held, inner_state = rarely(phase == 0, sample, keep, updates, held, inner_state)
        phase = phase + 1
        over = is_complete(phase, every)
        return held, (jnp.where(over, 0, phase), held, inner_state)

    return init, update
