"""Training with parameters displaced ahead of the weights, where gradients are evaluated."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.export import is_exported
from gdlab.core.numerics import trained
from gdlab.core.rules import EVERYTHING
from gdlab.core.structure import Params, is_none, map_arrays
from gdlab.core.transformation import GradientTransformation, transformation


@is_exported
class Displaced(NamedTuple):
    """The displacement from the weights, which are evaluated, to the parameters."""

    displacement: Params
    """The parameters minus the weights; None for leaves that are not trained."""

    def evaluation_params(self, params: Params) -> Params:
        """The weights."""
        return map_arrays(lambda by, w: w - by, self.displacement, params)


@transformation(reads=EVERYTHING, slots=("ahead", "inner", "probe"))
def train_ahead(inner: GradientTransformation, probe: GradientTransformation) -> TreeFunctions:
    """Keep the parameters ahead of the weights, displaced by a probe of the last step.

    With y the parameters, at which the gradient gₜ is taken: uₜ = inner(gₜ), xₜ₊₁ = xₜ + uₜ, yₜ₊₁ =
    xₜ₊₁ + probe(uₜ), y₀ = x₀. :func:`evaluation_params` returns the weights x.

    It needs no additional gradient, whereas :func:`gradient_at` evaluates one for its probe.

    Args:
        inner: the method, including its learning rate.
        probe: a transformation of a step into a displacement.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_updates, evaluation_params, scale, sgd, train_ahead
    >>> tx, y = train_ahead(sgd(1.0), scale(0.5)), jnp.array(8.0)
    >>> state = tx.init(y)
    >>> for g in (2.0, 4.0):
    ...     updates, state = tx.update(jnp.array(g), state, y)
    ...     y = apply_updates(y, updates)
    ...     print(y, evaluation_params(state, y))
    5.0 6.0
    0.0 2.0

    Source: M. Becker, F. Altrock, B. Risse, Momentum-SAM: sharpness aware minimization without
    computational overhead, 2024, algorithm 1.
    """

    def init(params):
        displacement = jax.tree.map(jnp.zeros_like, trained(params))
        return Displaced(displacement), inner.init(params), probe.init(params)

    def update(updates, state, params, **extra):
        (before,), inner_state, probe_state = state
        step, inner_state = inner.update(updates, inner_state, params, **extra)
        after, probe_state = probe.update(step, probe_state, params, **extra)

        def kept(before, after):
            return before if after is None or before is None else after

        displacement = jax.tree.map(kept, before, after, is_leaf=is_none)
        moved = map_arrays(lambda u, old, new: u + new - old, step, before, displacement)
        return moved, (Displaced(displacement), inner_state, probe_state)

    return init, update
