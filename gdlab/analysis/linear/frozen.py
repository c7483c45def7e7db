"""The state at which an optimizer is linearised: zero signals, and given scales and clocks.

The given scales are those *after* the step, because these divide its update. So the state before
the step is chosen such that a step without gradient produces them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from gdlab.analysis.linear.anatomy import FAR, Anatomy, Kind, one_step
from gdlab.analysis.linear.period import Period

ROUNDS = 8
"""The number of rounds that extrapolate the scales to their limit.

One round suffices for a linear recursion."""
SLOW = 1 - 3e-7
"""If successive changes of a scale have a ratio above this, its limit is millions of steps away."""


class Frozen(NamedTuple):
    """The states at which a method is linearised, and the errors of their scales."""

    states: Any
    """The state before each step of a period, with zero signals; of shape (period, …)."""
    endless: jax.Array
    """A mask of the scales that have no limit within millions of steps."""
    miss: jax.Array
    """The relative error of each scale after a step without gradient."""


def frozen(
    anatomy: Anatomy,
    period: Period,
    tx: Any,
    params: Any,
    gradient_rms: Any,
    step: Any = None,
    state: Any = None,
    clock: Any = FAR,
) -> Frozen:
    """The states of a period: from step ``step`` on, up to ``state``, or in the limit t → ∞.

    Args:
        anatomy: the anatomy of the state of ``tx``.
        period: the period of ``tx``.
        tx: the transformation.
        params: a tree of zeros.
        gradient_rms: the root mean square of the gradients, a number or a flat vector.
        step: t ≥ 1, for the scales after t gradients of this size; by default the limit t → ∞.
        state: a state whose scales are held at every step of the period instead.
        clock: the value of clocks in the limit, rounded down to whole periods.
    """
    advance = _advance(anatomy, tx, params, gradient_rms, period.restarting)
    silent = _advance(anatomy, tx, params, 0.0)
    scales = anatomy.positions("scale")
    no = jnp.zeros(len(scales), bool)
    first, treedef = jax.tree.flatten(tx.init(params))
    length = period.length
    if state is not None:
        leaves = jax.tree.leaves(state)
        before = _orbit(silent, _a_period_ago(silent, anatomy, length, leaves), length - 1)
        wanted = [jnp.broadcast_to(leaf, (length, *jnp.shape(leaf))) for leaf in leaves]
        endless = no
    elif step is not None:
        start = jax.lax.fori_loop(0, step - 1, lambda _, leaves: advance(leaves), first)
        orbit = _orbit(advance, start, length)
        before, wanted = [leaf[:-1] for leaf in orbit], [leaf[1:] for leaf in orbit]
        endless = no
    else:
        whole = clock - clock % length
        start = _with(first, anatomy, "clock", lambda leaf: jnp.full_like(leaf, whole))
        limit, endless = _extrapolated(advance, scales, period, start)
        before = _orbit(advance, limit, length - 1)
        # In the limit the scales after the last step of a period are those before the first.
        wanted = [jnp.roll(leaf, -1, 0) for leaf in before]
    before = _with(before, anatomy, "signal", jnp.zeros_like)

    def held(position):
        now, left = ([leaf[position] for leaf in leaves] for leaves in (before, wanted))
        if scales:
            now = _pre_image(silent, scales, now, left)
        return now, _miss(scales, silent(now), left, first)

    before, miss = jax.vmap(held)(jnp.arange(length))
    return Frozen(treedef.unflatten(before), endless, jnp.max(miss, 0))


def at_rest(anatomy: Anatomy, state: Any) -> Any:
    """A state with its signals at zero."""
    leaves, treedef = jax.tree.flatten(state)
    return treedef.unflatten(_with(leaves, anatomy, "signal", jnp.zeros_like))


def after_silence(anatomy: Anatomy, tx: Any, params: Any, state: Any) -> Any:
    """The state after a step with zero gradient, which advances clocks and corrections."""
    leaves, treedef = jax.tree.flatten(state)
    return treedef.unflatten(_advance(anatomy, tx, params, 0.0)(leaves))


def _advance(
    anatomy: Anatomy, tx: Any, params: Any, gradient_rms: Any, restarting: tuple[int, ...] = ()
) -> Callable[[list[Any]], list[Any]]:
    """A function: leaves of a state → leaves after a gradient of this size, with signals kept zero.

    Only the signals ``restarting`` are kept, so that sums over a period are complete at its end.
    """
    flat, unravel = ravel_pytree(params)
    treedef = jax.tree.structure(jax.eval_shape(tx.init, params))

    def advance(leaves):
        gradient = gradient_rms + 0 * flat
        _, state = one_step(tx, treedef.unflatten(leaves), params, lambda _: gradient, unravel)
        new = jax.tree.leaves(state)
        rested = _with(new, anatomy, "signal", jnp.zeros_like)
        return [new[i] if i in restarting else leaf for i, leaf in enumerate(rested)]

    return advance


def _orbit(advance: Callable[[list[Any]], list[Any]], leaves: list[Any], steps: int) -> list[Any]:
    """The leaves before the first and after each of several steps, of shape (steps + 1, …)."""
    if steps == 0:
        return [jnp.asarray(leaf)[None] for leaf in leaves]
    last, before = jax.lax.scan(lambda now, _: (advance(now), now), leaves, length=steps)
    return [jnp.concatenate([some, end[None]]) for some, end in zip(before, last, strict=True)]


def _a_period_ago(
    silent: Callable[[list[Any]], list[Any]], anatomy: Anatomy, length: int, leaves: list[Any]
) -> list[Any]:
    """A state with its clocks set back by one period, at which the counters were the same."""
    later = jax.lax.fori_loop(0, length, lambda _, leaves: silent(leaves), leaves)
    clocks = anatomy.positions("clock")
    return [
        jnp.maximum(2 * leaf - later[i], 0) if i in clocks else leaf
        for i, leaf in enumerate(leaves)
    ]


def _with(
    leaves: list[Any], anatomy: Anatomy, kind: Kind, change: Callable[[Any], Any]
) -> list[Any]:
    chosen = anatomy.positions(kind)
    return [change(leaf) if i in chosen else leaf for i, leaf in enumerate(leaves)]


def _extrapolated(
    advance: Callable[[list[Any]], list[Any]],
    scales: tuple[int, ...],
    period: Period,
    leaves: list[Any],
) -> tuple[list[Any], jax.Array]:
    """The limits of the scales, by Aitken's formula, and a mask of the scales without a limit."""

    def over_period(leaves):
        if period.length == 1:
            return advance(leaves)
        return jax.lax.fori_loop(0, period.length, lambda _, leaves: advance(leaves), leaves)

    def round_(count, carry):
        leaves, endless = carry
        twice, on_the_way = jax.lax.scan(
            lambda leaves, _: (over_period(leaves), leaves), leaves, length=2
        )
        new, slow = list(leaves), []
        for i in period.restarting:
            new[i] = twice[i]
        for i in scales:
            once, again = on_the_way[i]
            new[i], slowly = _aitken(once, again, twice[i])
            slow.append(jnp.any(slowly))
        # In the first rounds a scale may follow another one that has not converged.
        return new, endless | (jnp.array(slow, bool) & (count > 1))

    return jax.lax.fori_loop(0, ROUNDS, round_, (leaves, jnp.zeros(len(scales), bool)))


def _aitken(x0: jax.Array, x1: jax.Array, x2: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The limit of a geometric sequence, and a mask of where its steps do not shrink."""
    first, second = x1 - x0, x2 - x1
    # Changes within rounding need no extrapolation.
    moves = jnp.abs(first) > 1e-12 * jnp.abs(x2)
    slow = jnp.abs(second) > SLOW * jnp.abs(first)
    limit = x0 - first**2 / jnp.where(slow, 1, second - first)
    return jnp.where(moves & ~slow, limit, x2), moves & slow


def _pre_image(
    silent: Callable[..., Any], scales: tuple[int, ...], before: list[Any], wanted: list[Any]
) -> list[Any]:
    """Scales that a step without gradient maps to the given ones, by the secant method."""

    def secant(_, leaves):
        reach = [
            jnp.maximum(jnp.abs(leaf), 1e-30) if i in scales else jnp.zeros_like(leaf)
            for i, leaf in enumerate(leaves)
        ]
        pair = [jnp.stack([leaf, leaf + by]) for leaf, by in zip(leaves, reach, strict=True)]
        landed = jax.vmap(silent)(pair)
        new = list(leaves)
        for i in scales:
            here, there = landed[i]
            slope = (there - here) / reach[i]
            moved = leaves[i] + (wanted[i] - here) / jnp.where(slope == 0, 1, slope)
            new[i] = jnp.where((slope == 0) | ~jnp.isfinite(moved), leaves[i], moved)
        return new

    start = [wanted[i] if i in scales else leaf for i, leaf in enumerate(before)]
    return jax.lax.fori_loop(0, 3, secant, start)


def _miss(
    scales: tuple[int, ...], found: list[Any], wanted: list[Any], first: list[Any]
) -> jax.Array:
    """The largest error of each scale, relative to its largest element, found or initial."""

    def largest(leaf):
        return jnp.max(jnp.abs(leaf), initial=0)

    off = [
        largest(found[i] - wanted[i])
        / jnp.maximum(jnp.maximum(largest(wanted[i]), largest(first[i])), 1e-300)
        for i in scales
    ]
    return jnp.stack(off) if off else jnp.zeros(0)
