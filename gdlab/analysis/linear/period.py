"""The period of a method: after how many steps it does the same again.

Most methods do the same at every step. Some act on every k-th step only, told by a counter that
starts over or by a clock of which they take the remainder: gradient accumulation, look-ahead
optimizers, refreshed preconditioners. Such a method is linear, but with other matrices from step to
step; what counts is their product over a period.

The period is found by observation. With scales held as they are, the response to the same small
signals and to the same gradient is recorded step by step, far out where schedules have ended.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gdlab.analysis.linear.anatomy import FAR, Anatomy, one_step, reduced
from gdlab.core.access import set_hyperparameters

LONGEST_PERIOD = 64
"""The longest period over which a method is linearised."""
OBSERVED_STEPS = 1024
"""How many steps are compared: an action that is rarer than this is not seen."""
REPETITION_TOLERANCE = 1e-6
"""By how much a response may differ from that of a period before, relative to its largest value:
less than a power of the number of steps changes within a period, far out."""
PRECONDITIONER = "preconditioner that is the same at every step"
"""What a method with a period does not have."""
SMALL = 1e-130
"""The size of the signals whose linear response is recorded."""


class Period(NamedTuple):
    """How the steps of a method repeat."""

    length: int = 1
    """After how many steps: 1 for a method that does the same at every step."""
    restarting: tuple[int, ...] = ()
    """The leaves of the state that are signals and start over once in a period, such as the mean of
    the gradients that an accumulation waits for."""
    endless: tuple[str, ...] = ()
    """The clocks and counters through which the steps change without a period, if they do."""


EVERY_STEP = Period()
"""The period of a method that does the same at every step."""


def period_of(anatomy: Anatomy, tx: Any, params: Any, gradient_rms: Any) -> Period:
    """Find the period of ``tx``, whose anatomy on ``params`` is known."""
    moving = (*anatomy.positions("clock"), *anatomy.positions("counter"))
    if not moving:
        return EVERY_STEP
    small = reduced(tx, params)
    rms = jnp.ravel(jnp.asarray(gradient_rms))[0] if small is not params else gradient_rms

    def observed(held: tuple[int, ...]) -> _Responses:
        stopped = np.isin(np.arange(len(anatomy.kinds)), held)
        return jax.device_get(_responses(anatomy, tx, small, rms, stopped))

    responses = observed(())
    length = _repetition(responses)
    if length is None:
        # Those that make the steps repeat when they are stopped are what keeps them from it.
        guilty = [i for i in moving if _repetition(observed((i,))) is not None]
        return Period(endless=tuple(anatomy.paths[i] for i in guilty or moving))
    return Period(length, _restarting(anatomy, responses) if length > 1 else ())


def periods_at(
    anatomy: Anatomy,
    tx: Any,
    params: Any,
    gradient_rms: Any,
    names: tuple[str, ...],
    values: np.ndarray,
) -> set[int | None]:
    """The lengths of the periods at some settings of hyperparameters, ``None`` where there is none.

    Args:
        anatomy: of ``tx``.
        tx: the transformation.
        params: a tree of zeros.
        gradient_rms: the size of the gradients.
        names: the hyperparameters, as :func:`gdlab.set_hyperparameters` takes them.
        values: of shape (N, len(names)).
    """
    small = reduced(tx, params)
    rms = jnp.ravel(jnp.asarray(gradient_rms))[0] if small is not params else gradient_rms
    responses = jax.device_get(_responses_at(anatomy, names, tx, small, rms, values))
    return {
        _repetition(jax.tree.map(lambda x: x[row], responses))  # noqa: B023
        for row in range(len(values))
    }


def require_period(name: str, period: Period) -> None:
    """Refuse a method whose steps change for ever.

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
        name: of the method.
        period: of the method.
        what: cannot be had of it, with an article.

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
    """What a method does at each of some steps, leaf by leaf."""

    signals: list[Any]
    """The signals after the step and the update, to small signals and parameters."""
    scales: list[Any]
    """The scales after a gradient from rest."""
    counts: list[Any]
    """What counters show, and by how much clocks grow."""


def _repetition(responses: _Responses) -> int | None:
    """The smallest number of steps after which all responses are the same, if there is one."""
    rows = []
    for leaf in jax.tree.leaves(responses):
        values = np.nan_to_num(np.reshape(leaf, (len(leaf), -1)).astype(np.float64))
        largest = np.max(np.abs(values), initial=0)
        rows.append(values / (largest or 1.0))
    table = np.concatenate(rows, axis=1)
    for length in range(1, LONGEST_PERIOD + 1):
        if np.all(np.abs(table[length:] - table[:-length]) <= REPETITION_TOLERANCE):
            return length
    return None


def _restarting(anatomy: Anatomy, responses: _Responses) -> tuple[int, ...]:
    """The signals that are zero after some steps, whatever they were, and not after others."""
    found = []
    for position, leaf in zip(anatomy.positions("signal"), responses.signals, strict=False):
        is_zero = ~np.any(np.reshape(leaf, (len(leaf), -1)), axis=1)
        if is_zero.any() and not is_zero.all():
            found.append(position)
    return tuple(found)


@functools.partial(jax.jit, static_argnums=0)
def _responses(anatomy: Any, tx: Any, params: Any, gradient_rms: Any, stopped: Any) -> _Responses:
    """Responses from generic scales on, clocks far out; the leaves ``stopped`` do not move."""
    first, treedef = jax.tree.flatten(tx.init(params))
    flat, unravel = ravel_pytree(params)
    of_kind = {kind: anatomy.positions(kind) for kind in ("signal", "scale", "clock", "counter")}

    def generic(leaf):
        return jnp.cos(1.0 + jnp.arange(jnp.size(leaf))).reshape(jnp.shape(leaf)) + 0 * leaf

    def respond(leaves, size, gradient):
        """One step from signals and parameters of a size, with this gradient at the minimum."""
        leaves = [
            size * generic(leaf) if i in of_kind["signal"] else leaf
            for i, leaf in enumerate(leaves)
        ]
        updates, state = one_step(
            tx, treedef.unflatten(leaves), unravel(size * generic(flat)),
            lambda at: at + gradient, unravel,
        )  # fmt: skip
        return jax.tree.leaves(state), ravel_pytree(updates)[0]

    def body(leaves, step):
        sizes = jnp.array([0.0, SMALL])
        gradients = jnp.stack([gradient_rms + 0 * flat, SMALL * generic(flat)])
        both, updates = jax.vmap(respond, (None, 0, 0))(leaves, sizes, gradients)
        after = [leaf[0] for leaf in both]
        counts = [after[i] - leaves[i] for i in of_kind["clock"]]
        responses = _Responses(
            [both[i][1] / SMALL for i in of_kind["signal"]] + [updates[1] / SMALL],
            [after[i] for i in of_kind["scale"]],
            counts + [after[i] for i in of_kind["counter"]],
        )
        # Scales are taken after some steps, and held from there on.
        held = [
            jnp.where((i in of_kind["scale"]) & (step >= LONGEST_PERIOD), old, new)
            for i, (old, new) in enumerate(zip(leaves, after, strict=True))
        ]
        far = [
            new + jnp.where(step == LONGEST_PERIOD - 1, FAR, 0) if i in of_kind["clock"] else new
            for i, new in enumerate(held)
        ]
        return [
            jnp.where(stopped[i], old, new).astype(old.dtype)
            for i, (old, new) in enumerate(zip(leaves, far, strict=True))
        ], responses

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
