"""The period of a method: the number of steps after which it repeats itself.

Most methods do the same at every step. Some act only on every k-th step, counted by a counter that
restarts or by a clock modulo k: gradient accumulation, look-ahead optimizers, refreshed
preconditioners. Such a method is linear with different matrices at different steps; its dynamics
are those of their product over a period.

The period is found by observation. With scales held fixed, the responses to the same small signals
and to the same gradient are recorded step by step, at late steps where schedules have ended. A
difference between steps that is multiplied by a schedule which ends at zero is not noticed.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gdlab.analysis.linear.anatomy import FAR, Anatomy, on_few_weights, one_step
from gdlab.core.access import set_hyperparameters

LONGEST_PERIOD = 64
"""The longest period over which a method is linearised."""
OBSERVED_STEPS = 1024
"""The number of steps that are compared; a rarer action is not noticed."""
REPETITION_TOLERANCE = 1e-6
"""The largest change of a response from one period to the next, relative to its largest value.
Powers of the number of steps change by less within a period at late steps."""
PRECONDITIONER = "preconditioner that is the same at every step"
"""The noun for :func:`require_every_step` to say what adaptive methods with a period lack."""
SMALL = 1e-130
"""The size of the signals whose linear response is recorded."""


class Period(NamedTuple):
    """The pattern in which the steps of a method repeat."""

    length: int = 1
    """The number of steps in the period: 1 for a method that does the same at every step."""
    restarting: tuple[int, ...] = ()
    """The positions of the signals that are reset once in a period, such as the running mean of
    accumulated gradients."""
    endless: tuple[str, ...] = ()
    """The paths of clocks and counters that make the steps change without a period."""


EVERY_STEP = Period()
"""The period of a method that does the same at every step."""


def period_of(anatomy: Anatomy, tx: Any, params: Any, gradient_rms: Any) -> Period:
    """The period of ``tx``, whose anatomy is known.

    Args:
        anatomy: of ``tx``.
        tx: the transformation, in float64.
        params: a tree of zeros.
        gradient_rms: the size of the gradients, a number or one for each weight.
    """
    moving = moving_integers(anatomy)
    if not moving:
        return EVERY_STEP
    on = on_few_weights(tx, params, gradient_rms)

    def observed(stopped: tuple[int, ...]) -> _Responses:
        stands = np.isin(np.arange(len(anatomy.kinds)), stopped)
        return jax.device_get(_responses(anatomy, tx, *on, stands))

    responses = observed(())
    length, restarting = _repetition(responses), _restarting(anatomy, responses)
    if length is None:
        # A clock or counter prevents repetition if stopping it makes the steps repeat.
        guilty = [i for i in moving if _repetition(observed((i,))) is not None]
        return Period(1, restarting, tuple(anatomy.paths[i] for i in guilty or moving))
    return Period(length, restarting)


def lengths_at(
    anatomy: Anatomy,
    tx: Any,
    params: Any,
    gradient_rms: Any,
    names: tuple[str, ...],
    values: np.ndarray,
) -> set[int | None]:
    """The set of period lengths over values of hyperparameters; ``None`` stands for no period.

    Args:
        anatomy: of ``tx``, and so are ``tx``, ``params`` and ``gradient_rms`` as for
            :func:`period_of`.
        tx: the transformation.
        params: a tree of zeros.
        gradient_rms: the size of the gradients.
        names: the hyperparameters, as :func:`gdlab.set_hyperparameters` takes them.
        values: the values of the hyperparameters, of shape (N, len(names)).
    """
    on = on_few_weights(tx, params, gradient_rms)
    found = jax.device_get(_responses_at(anatomy, names, tx, *on, values))
    return {_repetition(_Responses(*row)) for row in zip(*found, strict=True)}


def moving_integers(anatomy: Anatomy) -> tuple[int, ...]:
    """The positions of the integers in the state, which alone can make steps differ."""
    return *anatomy.positions("clock"), *anatomy.positions("counter")


def require_period(name: str, period: Period) -> None:
    """Refuse a method whose steps change forever.

    Raises:
        ValueError: naming the clocks or counters.
    """
    if period.endless:
        counters = "counter" if len(period.endless) == 1 else "counters"
        raise ValueError(
            f"{name} cannot be linearised: what it does changes with the {counters} "
            f"{', '.join(period.endless)}, and does not repeat within {LONGEST_PERIOD} steps; "
            "shorten the period, name a step= where a schedule is what changes, or linearise the "
            "transformation within it"
        )


def require_every_step(name: str, period: Period, what: str) -> None:
    """Refuse a method that does not do the same at every step.

    Args:
        name: the name of the method.
        period: the period of the method.
        what: the noun in the message for what a method with a period does not have.

    Raises:
        ValueError: with the period.
    """
    require_period(name, period)
    if period.length > 1:
        raise ValueError(
            f"{name} has no {what}: its steps differ, and repeat only after a period of "
            f"{period.length}; linearize it for its poles over the period, or take the "
            "transformation within it"
        )


class _Responses(NamedTuple):
    """The responses of a method at each of several steps."""

    table: Any
    """The responses: a number for each state leaf and the update, of shape (steps, numbers)."""
    starts_over: Any
    """True where a step resets a signal to zero, of shape (steps, signals)."""


def _repetition(responses: _Responses) -> int | None:
    """The smallest number of steps after which all responses are the same, if there is one."""
    table = np.nan_to_num(responses.table)
    table = table / np.maximum(np.max(np.abs(table), axis=0), np.finfo(float).tiny)
    for length in range(1, LONGEST_PERIOD + 1):
        if np.all(np.abs(table[length:] - table[:-length]) <= REPETITION_TOLERANCE):
            return length
    return None


def _restarting(anatomy: Anatomy, responses: _Responses) -> tuple[int, ...]:
    """The positions of signals that are reset at some steps, but not at all."""
    once, always = np.any(responses.starts_over, 0), np.all(responses.starts_over, 0)
    return tuple(np.array(anatomy.positions("signal"), int)[once & ~always].tolist())


@functools.partial(jax.jit, static_argnums=0)
def _responses(anatomy: Any, tx: Any, params: Any, gradient_rms: Any, stopped: Any) -> _Responses:
    """Record responses while all clocks and counters advance but the ``stopped`` ones."""
    first, treedef = jax.tree.flatten(tx.init(params))
    flat, unravel = ravel_pytree(params)
    signals, scales, clocks = map(anatomy.positions, ("signal", "scale", "clock"))

    def generic(leaf):
        return jnp.cos(1.0 + jnp.arange(leaf.size)).reshape(leaf.shape)

    def respond(leaves, size, gradient):
        """The state and the update, from signals and parameters of a size."""
        own = [size * generic(leaf) if i in signals else leaf for i, leaf in enumerate(leaves)]
        weights = unravel(size * generic(flat))
        updates, state = one_step(
            tx, treedef.unflatten(own), weights, lambda at: at + gradient, unravel
        )
        return jax.tree.leaves(state), ravel_pytree(updates)[0]

    def body(leaves, step):
        sizes = jnp.array([0.0, SMALL])
        gradients = jnp.stack([gradient_rms + 0 * flat, SMALL * generic(flat)])
        both, updates = jax.vmap(respond, (None, 0, 0))(leaves, sizes, gradients)
        # Gradients change scales, clocks and counters; the response to small signals is linear.
        after = [pair[0] for pair in both]
        linear = [both[i][1] / SMALL for i in signals]
        seen = [*linear, updates[1] / SMALL]
        for i, (old, new) in enumerate(zip(leaves, after, strict=True)):
            if i not in signals:
                seen.append((new - old if i in clocks else new).astype(float))
        table = jnp.stack([jnp.vdot(generic(leaf), leaf) for leaf in seen])
        starts_over = jnp.array([jnp.all(leaf == 0) for leaf in linear], bool)
        # After these steps the scales are held, and clocks are set to late steps.
        settling, last = step < LONGEST_PERIOD, step == LONGEST_PERIOD - 1
        for i in range(len(after)):
            if i in scales:
                after[i] = jnp.where(settling, after[i], leaves[i])
            if i in clocks:
                after[i] = after[i] + jnp.where(last, FAR, 0).astype(after[i].dtype)
            after[i] = jnp.where(stopped[i], leaves[i], after[i])
        return after, _Responses(table, starts_over)

    steps = jnp.arange(LONGEST_PERIOD + OBSERVED_STEPS)
    responses = jax.lax.scan(body, first, steps)[1]
    return jax.tree.map(lambda x: x[LONGEST_PERIOD:], responses)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _responses_at(anatomy, names, tx, params, gradient_rms, values):
    nothing = np.zeros(len(anatomy.kinds), bool)

    def at(row):
        own = set_hyperparameters(tx, dict(zip(names, row, strict=True)))
        return _responses(anatomy, own, params, gradient_rms, nothing)

    return jax.vmap(at)(values)
