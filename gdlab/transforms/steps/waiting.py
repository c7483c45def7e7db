"""A transformation that starts only after the first steps."""

from typing import cast

import jax
import jax.numpy as jnp

from gdlab.core.hyperparameter import StepCount
from gdlab.core.numerics import safe_increment
from gdlab.core.rules import ArrayRule, Part
from gdlab.core.transformation import GradientTransformation, wiring


@wiring
def wait(inner: GradientTransformation, steps: StepCount = 1) -> ArrayRule:
    """Return zeros at the first steps, which the transformation does not see.

    uₜ = 0 for t ≤ steps, and then the output of ``inner`` for gₜ, whose bias corrections count from
    the first step that it sees.

    Args:
        inner: a leafwise transformation.
        steps: the number of steps.

    Raises:
        TypeError: if ``inner`` is not leafwise.

    >>> import jax.numpy as jnp
    >>> from gdlab import debias, ema, wait
    >>> tx = wait(debias(ema(0.9)), 1)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (8.0, 2.0):
    ...     u, state = tx.update(jnp.array([g]), state)
    ...     print(u)
    [0.]
    [2.]
    """
    tx, rule, *_ = cast(Part, inner)
    if not isinstance(rule, ArrayRule) or rule.gives_bus:
        raise TypeError(f"wait takes a transformation of each array, not {tx!r}")

    def start(dtype):
        return *rule.start(dtype), jnp.zeros((), jnp.int32)

    def advance(shared):
        *own, waited = shared
        after, context = rule.advance(tuple(own))
        waits = waited < jnp.ceil(jnp.asarray(steps)).astype(waited.dtype)
        chosen = _chosen(waits, tuple(own), after)
        # It counts beyond ``steps``, so that the analysis recognises it as a clock.
        return (*chosen, safe_increment(waited)), (waits, context)

    def update(u, slots, context, reading):
        waits, inner_context = context
        new, after = rule.update(u, slots, inner_context, reading)
        return jnp.where(waits, jnp.zeros_like(new), new), _chosen(waits, tuple(slots), after)

    return rule._replace(
        update=update, shared=(*rule.shared, "waited"), start=start, advance=advance
    )


def _chosen(waits, before, after):
    return jax.tree.map(lambda old, new: jnp.where(waits, old, new), before, after)
