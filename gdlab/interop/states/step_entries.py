"""The entries of a state that the number of steps determines, and their inverse.

Other libraries store a count of steps; gdlab stores the weights of its bias corrections, which stay
right if a decay follows a schedule. Both directions run the recursion of the weights.
"""

import functools
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.composition import stateless
from gdlab.core.numerics import cast_like, numbers_as
from gdlab.core.opening import FLOAT32, Opening, open_rule
from gdlab.core.parametrized import at_step
from gdlab.core.rules import ArrayRule
from gdlab.core.state import State
from gdlab.core.structure import Leaf, Tree, Value
from gdlab.core.transformation import COUNT, GradientTransformation
from gdlab.interop.states.following import Followed, Following, in_force
from gdlab.interop.states.places import Place, opened, place_of, rule_of
from gdlab.transforms.averages.debiasing import Weight

LONGEST = 2**31 - 1
"""The number of steps after which counts stand still."""


def entries_after(tx: Followed, count: int, dtype: np.dtype = FLOAT32) -> dict[str, Tree]:
    """The entries that the number of steps determines, after ``count`` updates.

    Args:
        tx: a transformation, or one that follows the schedules of a method around it.
        count: the number of updates, also of the method around it.
        dtype: the real dtype in which the parameters are computed.

    Returns:
        Name of the entry → value. ``count`` is included if the state has it. The separate states of
        wrapped transformations are not.

    >>> from gdlab import adam
    >>> from gdlab.interop.states.step_entries import entries_after
    >>> {name: value.round(4).tolist() for name, value in entries_after(adam(0.1), 2).items()}
    {'mu_weight': [0.19, 0.81, 1.0], 'nu_weight': [0.002, 0.998, 1.0]}
    """
    stop = jnp.asarray(min(count, LONGEST), jnp.int32)
    entries = _run(tx, stop, np.dtype(dtype))
    return entries | ({COUNT: stop} if counts(tx) else {})


def determined_by_count(tx: Followed) -> set[str]:
    """The names of the entries that the number of steps determines."""
    return {*_start(tx, FLOAT32), *([COUNT] if counts(tx) else [])}


def counts(tx: Followed) -> bool:
    """Tell whether the state of a transformation keeps a count of its own."""
    opening = Opening()
    open_rule(in_force(tx, 0), opening)
    return opening.counted


def follow_schedules(tx: Followed) -> bool:
    """Tell whether entries are determined by schedules of a method around the transformation."""

    def advanced(step: jax.Array) -> dict[str, Tree]:
        now = in_force(tx, step)
        return _advanced(now, 0, _start(now, FLOAT32), FLOAT32)

    if not isinstance(tx, Following):
        return False
    jaxpr = jax.make_jaxpr(advanced)(jnp.zeros((), jnp.int32)).jaxpr
    reached = {*jaxpr.invars}
    for equation in jaxpr.eqns:
        if any(not hasattr(x, "val") and x in reached for x in equation.invars):
            reached.update(equation.outvars)
    return any(not hasattr(x, "val") and x in reached for x in jaxpr.outvars)


def count_of(tx: Followed, state: State) -> int | None:
    """The number of updates behind a state, or None if its entries do not determine it.

    Weights determine it until they stop changing: the weight of Adam's average of squares, with
    decay 0.999 in float32, changes for the first eighty thousand steps.

    >>> import jax.numpy as jnp
    >>> from gdlab import adam, sgd
    >>> from gdlab.interop.states.step_entries import count_of, entries_after
    >>> tx = adam(0.1)
    >>> state = tx.init(jnp.zeros(2)).replace(**entries_after(tx, 123))
    >>> count_of(tx, state), count_of(sgd(0.1), sgd(0.1).init(jnp.zeros(2)))
    (123, None)
    """
    if COUNT in state:
        return int(state[COUNT])
    leaves = jax.tree.leaves({name: state[name] for name in _start(tx, FLOAT32)})
    if not leaves:
        return None
    dtype = np.result_type(*(leaf.dtype for leaf in leaves))
    # A float dtype, since waiting is counted in integers.
    dtype = dtype if np.issubdtype(dtype, np.floating) else FLOAT32
    kept = {name: state[name] for name in _start(tx, dtype)}
    return _search(tx, kept, dtype)


def _search(tx: Followed, kept: dict[str, Tree], dtype: np.dtype) -> int | None:
    """The step whose entries are the nearest, if its neighbours are clearly farther away."""
    best, distance = _nearest(tx, kept, dtype)
    around = [int(best) + shift for shift in (-1, 1) if best + shift >= 0]
    gaps = [_distance(_run(tx, jnp.int32(step), dtype), kept) for step in around]
    return int(best) if distance < min(gaps) / 4 else None


@functools.partial(jax.jit, static_argnames=("tx", "dtype"))
def _nearest(tx: Followed, kept: dict[str, Tree], dtype: np.dtype) -> tuple[jax.Array, jax.Array]:
    def goes_on(carry):
        step, entries, _, _ = carry
        after = _advanced(tx, step, entries, dtype)
        return (step == 0) | ~_equal(*map(_fractions, (entries, after)))

    def nearer(carry):
        step, entries, best, distance = carry
        entries = _advanced(tx, step, entries, dtype)
        here = _distance(entries, kept)
        is_nearer = here < distance
        return (
            step + 1,
            entries,
            jnp.where(is_nearer, step + 1, best),
            jnp.where(is_nearer, here, distance),
        )

    zero, start = jnp.zeros((), jnp.int32), _start(tx, dtype)
    carry = (zero, start, zero, _distance(start, kept))
    return jax.lax.while_loop(goes_on, nearer, carry)[2:]


def _fractions(entries: Tree) -> list[jax.Array]:
    return [x for x in jax.tree.leaves(entries) if jnp.issubdtype(x.dtype, jnp.floating)]


def _distance(one: dict[str, Tree], other: dict[str, Tree]) -> jax.Array:
    """The largest relative difference of two numbers that correspond."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return jnp.max(jnp.concatenate([_relative(a, b).ravel() for a, b in pairs]))


def _relative(one: Leaf, other: Leaf) -> jax.Array:
    largest = jnp.maximum(jnp.abs(one), jnp.abs(other))
    return jnp.where(largest > 0, jnp.abs(one - other) / jnp.where(largest > 0, largest, 1), 0)


@functools.partial(jax.jit, static_argnames=("tx", "dtype"))
def _run(tx: Followed, stop: jax.Array, dtype: np.dtype) -> dict[str, Tree]:
    """The recursion from the first step on, until ``stop`` or until nothing changes any more."""
    is_scheduled = counts(tx) or isinstance(tx, Following)

    def goes_on(carry):
        step, is_still, _ = carry
        return (step < stop) & ~is_still

    def advance(carry):
        step, _, entries = carry
        after = _advanced(tx, step, entries, dtype)
        # With a schedule, the entries may stop changing for a while and then change again.
        return step + 1, _equal(entries, after) & (not is_scheduled), after

    carry = (jnp.zeros((), jnp.int32), jnp.zeros((), bool), _start(tx, dtype))
    return jax.lax.while_loop(goes_on, advance, carry)[2]


def _equal(one: Tree, other: Tree) -> jax.Array:
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return jnp.all(jnp.array([jnp.all(a == b) for a, b in pairs], bool))


def _start(tx: Followed, dtype: np.dtype) -> dict[str, Tree]:
    entries: dict[str, Tree] = {}
    for names, rule in _rules(place_of(in_force(tx, 0)), 0, dtype):
        entries |= zip(names, rule.start(dtype), strict=True)
    return entries


def _advanced(
    tx: Followed, step: Leaf, entries: dict[str, Tree], dtype: np.dtype
) -> dict[str, Tree]:
    after = dict(entries)
    for names, rule in _rules(place_of(in_force(tx, step)), step, dtype):
        values, _ = rule.advance(tuple(entries[name] for name in names))
        after |= zip(names, values, strict=True)
    return after


def _rules(
    place: Place, step: Leaf, dtype: np.dtype
) -> Iterator[tuple[tuple[str, ...], ArrayRule]]:
    """The rules for one array within a composition, and the entries of their shared scalars."""
    rule = rule_of(place.tx, step, dtype)
    if isinstance(rule, ArrayRule):
        yield tuple(map(place.entry, rule.shared)), rule
        return
    tx = at_step(place.tx, step)
    if decays := DECAYS_OF_WEIGHTS.get(tx.factory.name, lambda _: ())(tx):
        yield (place.entry("weights"),), _rule_of_weights(numbers_as(decays, dtype))
    for inner in opened(place._replace(tx=tx)):
        yield from _rules(inner, step, dtype)


def _of_betas(tx: GradientTransformation) -> tuple[Value, ...]:
    return tuple(tx.betas) if tx.bias_correction else ()


DECAYS_OF_WEIGHTS: dict[str, Callable[[GradientTransformation], tuple[Value, ...]]] = {
    "dadapt_adamw": _of_betas,
    "prodigy": _of_betas,
    "momo_adam": lambda tx: (tx.b1, tx.b2),
}
"""The decays of the methods for whole trees that keep ``weights`` of their averages."""


def _rule_of_weights(decays: tuple[Value, ...]) -> ArrayRule:
    """A rule that keeps the weights of averages, and nothing else."""

    def start(dtype):
        at_start = jax.tree.map(lambda x: jnp.asarray(x, dtype), Weight.at_start())
        return (tuple(at_start for _ in decays),)

    def advance(shared):
        (weights,) = shared
        after = (weight.after(decay) for weight, decay in zip(weights, decays, strict=True))
        return (cast_like(tuple(after), weights),), ()

    rule = stateless(lambda u, _: u)
    return rule._replace(shared=("weights",), start=start, advance=advance)
