"""Slow weights: an outer method periodically steps along the distance an inner one covered."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.apply import apply_updates
from gdlab.core.authoring import TreeFunctions
from gdlab.core.export import is_exported
from gdlab.core.hyperparameter import NonNegative, Period
from gdlab.core.numerics import trained
from gdlab.core.rarely import rarely
from gdlab.core.rules import EVERYTHING
from gdlab.core.storage import in_form_of
from gdlab.core.structure import Params, map_arrays
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.transforms.signals.scaling import scale_by_learning_rate
from gdlab.transforms.steps.periods import is_complete


@is_exported
class SlowWeights(NamedTuple):
    """The slow weights, which :func:`evaluation_params` returns in place of the fast ones."""

    weights: Params
    """The weights, in at least float32; None for leaves that are not trained."""

    def evaluation_params(self, params: Params) -> Params:
        """The slow weights."""
        del params
        return self.weights


@transformation(reads=("params", EVERYTHING), slots=("steps_since_sync", "slow", "inner", "outer"))
def slow_weights(
    inner: GradientTransformation,
    outer: GradientTransformation,
    every: Period,
    *,
    reset_state: bool = False,
) -> TreeFunctions:
    """Run an inner method, and let an outer one step along the distance it has covered.

    The fast weights w take steps of ``inner``. After each ``every`` steps the outer method receives
    the distance covered, Δ = φ − w, as its gradient; φ ← φ + outer(Δ), and w ← φ.

    φ are the slow weights, and :func:`gdlab.evaluation_params` reads them out of any state. With
    ``outer = sgd(1.0)`` this is the inner method itself, with ``sgd(α)`` it is Lookahead
    (:func:`lookahead`), and with an outer Nesterov step DiLoCo on one worker.

    Args:
        inner: the method of the fast weights, including its learning rate.
        outer: the method of the slow weights, including its learning rate. Its gradient is Δ; it
            receives the extra arguments except ``value`` and ``grad``.
        every: the number of inner steps per outer step, at least 1.
        reset_state: whether to reset the inner state after each outer step.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_updates, evaluation_params, sgd, slow_weights
    >>> tx = slow_weights(sgd(1.0), sgd(0.5), every=2)
    >>> w = jnp.array(4.0)
    >>> state = tx.init(w)
    >>> for g in (1.0, 1.0):
    ...     updates, state = tx.update(jnp.array(g), state, w)
    ...     w = apply_updates(w, updates)
    ...     print(w, evaluation_params(state, w))
    3.0 4.0
    3.0 3.0

    Source: M. R. Zhang, J. Lucas, G. Hinton, J. Ba, Lookahead optimizer: k steps forward, 1 step
    back, 2019, algorithm 1; A. Douillard et al., DiLoCo: distributed low-communication training of
    language models, 2023, algorithm 1.
    """

    def init(params):
        return (
            jnp.zeros((), jnp.int32),
            SlowWeights(trained(params)),
            inner.init(params),
            outer.init(trained(params)),
        )

    def update(updates, state, params, **extra):
        count, slow, inner_state, outer_state = state
        updates, inner_state = inner.update(updates, inner_state, params, **extra)
        elsewhere = {name: known for name, known in extra.items() if name not in ("value", "grad")}
        count = count + 1

        def step(updates, slow, inner_state, outer_state):
            fast = apply_updates(params, updates)
            covered = map_arrays(jnp.subtract, slow.weights, fast)
            move, outer_state = outer.update(
                covered, outer_state, slow.weights, grad=covered, **elsewhere
            )
            weights = apply_updates(slow.weights, move)
            there = map_arrays(jnp.subtract, weights, params)
            updates = jax.tree.map(lambda u, to: to.astype(u.dtype), updates, there)
            if reset_state:
                anew = inner.init(apply_updates(params, updates))
                inner_state = in_form_of(anew, inner_state)
            return updates, SlowWeights(weights), inner_state, outer_state

        def wait(*unchanged):
            return unchanged

        due = is_complete(count, every)
        updates, *after = rarely(due, step, wait, updates, slow, inner_state, outer_state)
        return updates, (jnp.where(due, 0, count), *after)

    return init, update


@transformation
def lookahead(
    fast_optimizer: GradientTransformation,
    sync_period: Period,
    slow_step_size: NonNegative,
    reset_state: bool = False,
) -> GradientTransformation:
    """Lookahead: k steps forward, 1 step back.

    w takes ``sync_period`` steps of ``fast_optimizer``; then φ ← φ + slow_step_size·(w − φ), w ← φ

    Around gradient descent with learning rate η, each period multiplies the distance to a minimum
    of curvature λ by 1 − α + α·(1 − ηλ)ᵏ. So it is stable iff ηλ < 2 for even k, and iff ηλ < 1 +
    (2/α − 1)^(1/k) for odd k, such as 2.25 at α = ½ and k = 5.

    optax trains a pair of fast and slow parameters. Here the parameters are the fast ones, and the
    state holds the slow ones: evaluate ``evaluation_params(state, params)``.

    Args:
        fast_optimizer: the method of the fast weights, including its learning rate.
        sync_period: k, the number of steps from one synchronisation to the next.
        slow_step_size: α, in (0, 1].
        reset_state: whether to reset the state of ``fast_optimizer`` after each synchronisation.

    Raises:
        ValueError: if ``params`` are missing.

    >>> from gdlab import expand, lookahead, sgd
    >>> expand(lookahead(sgd(0.1), 5, 0.5))
    slow_weights(sgd(0.1), scale_by_learning_rate(0.5), 5.0)

    Source: M. R. Zhang, J. Lucas, G. Hinton, J. Ba, Lookahead optimizer: k steps forward, 1 step
    back, 2019, algorithm 1.
    """
    outer = scale_by_learning_rate(slow_step_size)
    return slow_weights(fast_optimizer, outer, sync_period, reset_state=reset_state)
