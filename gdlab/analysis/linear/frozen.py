"""The state that an optimizer is linearised at: signals at rest, scales and clocks as wanted.

Scales are wanted as the step *leaves* them, since that is what divides its update. So the state
before the step is chosen such that a step without gradient lands on them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from gdlab.analysis.linear.anatomy import Anatomy, Kind, one_step

FAR = 2**30
"""What a clock shows in the limit t → ∞."""
ROUNDS = 8
"""How often scales are extrapolated to their limit; a linear recursion is there after one."""
SLOW = 1 - 3e-7
"""A scale whose steps shrink by less than this factor is millions of steps from its limit."""


class Frozen(NamedTuple):
    """A state to linearise at, and how well it is what was asked for."""

    state: Any
    """The state before the step, its signals zero."""
    endless: jax.Array
    """Whether each scale has no limit within millions of steps."""
    miss: jax.Array
    """By how much each scale after a step without gradient is off, relative to itself."""


def frozen(
    anatomy: Anatomy,
    tx: Any,
    params: Any,
    gradient_rms: Any,
    step: Any = None,
    state: Any = None,
    clock: Any = FAR,
) -> Frozen:
    """The state whose next step is step ``step``, or leaves ``state``, or is in the limit.

    Args:
        anatomy: of ``tx``.
        tx: the transformation.
        params: a tree of zeros.
        gradient_rms: the size of the gradients, a number or a flat vector.
        step: t ≥ 1, for the scales after t such gradients; the limit t → ∞ unless given.
        state: instead of those, a state whose scales are wanted.
        clock: what clocks show in the limit of the scales.
    """
    advance = _advance(anatomy, tx, params, gradient_rms)
    scales = anatomy.positions("scale")
    no = jnp.zeros(len(scales), bool)
    first, treedef = jax.tree.flatten(tx.init(params))
    if state is not None:
        leaves = jax.tree.leaves(state)
        before = _with(leaves, anatomy, "clock", lambda leaf: jnp.maximum(leaf - 1, 0))
        wanted, endless = leaves, no
    elif step is not None:
        before = jax.lax.fori_loop(0, step - 1, lambda t, leaves: advance(leaves, t), first)
        wanted, endless = advance(before, step - 1), no
    else:
        start = _with(first, anatomy, "clock", lambda leaf: jnp.full_like(leaf, clock))
        wanted, endless = _extrapolated(advance, scales, start)
        before = wanted
    silent = _advance(anatomy, tx, params, 0.0)
    if scales:
        before = _pre_image(silent, scales, before, wanted)
    before = _with(before, anatomy, "signal", jnp.zeros_like)
    return Frozen(
        treedef.unflatten(before), endless, _miss(scales, silent(before, 0), wanted, first)
    )


def at_rest(anatomy: Anatomy, state: Any) -> Any:
    """A state with its signals at zero."""
    leaves, treedef = jax.tree.flatten(state)
    return treedef.unflatten(_with(leaves, anatomy, "signal", jnp.zeros_like))


def after_silence(anatomy: Anatomy, tx: Any, params: Any, state: Any) -> Any:
    """The state after a step without gradient: clocks and corrections go on."""
    leaves, treedef = jax.tree.flatten(state)
    return treedef.unflatten(_advance(anatomy, tx, params, 0.0)(leaves, 0))


def _advance(anatomy: Anatomy, tx: Any, params: Any, gradient_rms: Any) -> Callable[..., list[Any]]:
    """The leaves of the state after a gradient of this size, signals at rest before and after."""
    flat, unravel = ravel_pytree(params)
    treedef = jax.tree.structure(jax.eval_shape(tx.init, params))

    def advance(leaves, step):
        gradient = jnp.where(step % 2 == 0, 1.0, -1.0) * (gradient_rms + 0 * flat)
        _, state = one_step(tx, treedef.unflatten(leaves), params, lambda _: gradient, unravel)
        return _with(jax.tree.leaves(state), anatomy, "signal", jnp.zeros_like)

    return advance


def _with(
    leaves: list[Any], anatomy: Anatomy, kind: Kind, change: Callable[[Any], Any]
) -> list[Any]:
    chosen = anatomy.positions(kind)
    return [change(leaf) if i in chosen else leaf for i, leaf in enumerate(leaves)]


def _extrapolated(
    advance: Callable[..., Any], scales: tuple[int, ...], leaves: list[Any]
) -> tuple[list[Any], jax.Array]:
    """The limit of the scales, each element by Aitken's formula, and which have none."""

    def round_(count, carry):
        leaves, endless = carry
        twice, on_the_way = jax.lax.scan(
            lambda leaves, t: (advance(leaves, t), leaves), leaves, jnp.arange(2)
        )
        new, slow = list(leaves), []
        for i in scales:
            once, again = on_the_way[i]
            new[i], slowly = _aitken(once, again, twice[i])
            slow.append(jnp.any(slowly))
        # At first a scale may follow another one that is itself on its way.
        return new, endless | (jnp.array(slow, bool) & (count > 1))

    return jax.lax.fori_loop(0, ROUNDS, round_, (leaves, jnp.zeros(len(scales), bool)))


def _aitken(x0: jax.Array, x1: jax.Array, x2: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The limit of a geometric sequence, and where its steps do not shrink."""
    first, second = x1 - x0, x2 - x1
    # Where only the last digits move there is nothing to extrapolate.
    moves = jnp.abs(first) > 1e-12 * jnp.abs(x2)
    slow = jnp.abs(second) > SLOW * jnp.abs(first)
    limit = x0 - first**2 / jnp.where(slow, 1, second - first)
    return jnp.where(moves & ~slow, limit, x2), moves & slow


def _pre_image(
    silent: Callable[..., Any], scales: tuple[int, ...], before: list[Any], wanted: list[Any]
) -> list[Any]:
    """Scales that a step without gradient takes to the wanted ones: secants, element by element."""

    def secant(_, leaves):
        reach = [
            jnp.maximum(jnp.abs(leaf), 1e-30) if i in scales else jnp.zeros_like(leaf)
            for i, leaf in enumerate(leaves)
        ]
        pair = [jnp.stack([leaf, leaf + by]) for leaf, by in zip(leaves, reach, strict=True)]
        landed = jax.vmap(silent, (0, None))(pair, 0)
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
    """The largest difference of each scale, relative to its largest element, now or at first."""

    def largest(leaf):
        return jnp.max(jnp.abs(leaf), initial=0)

    off = [
        largest(found[i] - wanted[i])
        / jnp.maximum(jnp.maximum(largest(wanted[i]), largest(first[i])), 1e-300)
        for i in scales
    ]
    return jnp.stack(off) if off else jnp.zeros(0)
