"""Series and parallel wiring of transformations, as in a block diagram."""

from collections.abc import Sequence
from typing import Annotated, cast

import jax

from gdlab.checks.kinds import Size
from gdlab.core.annotations import Data
from gdlab.core.composition import (
    named_apart,
    parallel,
    parallel_trees,
    series,
    series_of_trees,
    stateless,
)
from gdlab.core.dispatch import as_tree_rule
from gdlab.core.joins import JoinLike
from gdlab.core.opening import OpenJoin
from gdlab.core.parametrized import NOTHING
from gdlab.core.rules import ArrayRule, Part, Reading, TreeRule
from gdlab.core.structure import Named, Value
from gdlab.core.transformation import (
    GradientTransformation,
    as_transformation,
    composition_of,
    wiring,
)

Rule = ArrayRule | TreeRule


@wiring
def chain(*transforms: GradientTransformation) -> Rule:
    """Transformations in series: the input of each is the output of the one before.

    u₀ = g, uᵢ = transformᵢ(uᵢ₋₁), and uₙ are the updates. The state has the entries of all of them;
    the position is appended to a name that several have: ``trace_0``, ``trace_2``.

    Args:
        *transforms: at least one transformation; those of other libraries are accepted too.

    Raises:
        ValueError: without transformations, or if a bus leads into a rule for a tree.

    >>> import jax.numpy as jnp
    >>> from gdlab import chain, clip, scale
    >>> tx = chain(clip(1.0), scale(-0.1))
    >>> tx.update(jnp.array([0.5, 7.0]), tx.init(jnp.zeros(2)))[0]
    Array([-0.05, -0.1 ], dtype=float32)
    """
    if not transforms:
        raise ValueError("chain needs at least one transformation; identity() changes nothing")
    return _series(_parts_named_apart(cast(Sequence[Part], transforms), [""] * len(transforms)))


def _parts_named_apart(parts: Sequence[Part], labels: Sequence[str]) -> list[Part]:
    rules = named_apart([part.rule for part in parts], labels)
    return [part._replace(rule=rule) for part, rule in zip(parts, rules, strict=True)]


def _series(parts: Sequence[Part]) -> Rule:
    """The rule of parts in series, in which neighbouring rules for one array are fused."""
    runs: list[list[Part]] = []
    for part in parts:
        if runs and isinstance(runs[-1][-1].rule, ArrayRule) and isinstance(part.rule, ArrayRule):
            runs[-1].append(part)
        else:
            runs.append([part])
    fused = [_fused(run) for run in runs]
    if len(fused) == 1 and isinstance(fused[0].rule, ArrayRule):
        return fused[0].rule
    return series_of_trees([as_tree_rule(part) for part in fused])


def _fused(run: list[Part]) -> Part:
    if len(run) == 1:
        return run[0]
    first, factory = run[0], chain.factory  # type: ignore[attr-defined]
    tx = GradientTransformation.build(factory, (tuple(part.tx for part in run),), NOTHING)
    return first._replace(tx=tx, rule=series([cast(ArrayRule, part.rule) for part in run]))


def _as_named(pairs: Value) -> Named[GradientTransformation]:
    """Pairs ``(name, transformation)``, checked."""
    links: dict[str, GradientTransformation] = {}
    for pair in pairs:
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)):
            raise TypeError(f"expected pairs (name, transformation), not {pair!r}")
        name, tx = pair
        if "." in name:
            raise ValueError(f"the name {name!r} becomes a part of dotted paths: leave out the dot")
        if not name:
            raise ValueError("a name becomes a part of dotted paths: it may not be empty, as '' is")
        if name in links:
            raise ValueError(f"the name {name!r} stands twice")
        links[name] = as_transformation(tx)
    return Named(links.items())


NamedLink = Annotated[
    tuple[str, GradientTransformation],
    Data(_as_named, together=True, name="tuple[str, GradientTransformation]"),
]


@wiring
def named_chain(*transforms: NamedLink) -> Rule:
    """Transformations in series, each with a name, which its entries in the state have.

    Args:
        *transforms: pairs ``(name, transformation)`` with different names.

    Raises:
        ValueError: without transformations, or if two names are equal.

    >>> import jax.numpy as jnp
    >>> from gdlab import clip, hyperparameters, named_chain, sgd
    >>> tx = named_chain(("clip", clip(1.0)), ("descend", sgd(0.1, momentum=0.9)))
    >>> hyperparameters(tx)["named_chain.descend.momentum"]
    0.9
    >>> tx.init(jnp.zeros(1))
    State(descend=Array([0.], dtype=float32))
    """
    if not transforms:
        raise ValueError("named_chain needs at least one pair (name, transformation)")
    names, parts = zip(*cast(Sequence[tuple[str, Part]], transforms), strict=True)
    return _series(_parts_named_apart(parts, names))


def last_link(tx: GradientTransformation) -> GradientTransformation:
    """The part that acts last in nested chains, including those of named methods.

    >>> from gdlab import adam
    >>> from gdlab.core.wiring import last_link
    >>> last_link(adam(0.1))
    scale_by_learning_rate(0.1)
    """
    series_of = {chain.factory, named_chain.factory}  # type: ignore[attr-defined]
    while True:
        tx = composition_of(tx) or tx
        if tx.factory not in series_of:
            return tx
        *_, tx = jax.tree.leaves(tx.children, is_leaf=_is_transformation)


def _is_transformation(node: object) -> bool:
    return isinstance(node, GradientTransformation)


@wiring
def fork(
    join: JoinLike, *transforms: GradientTransformation, **named: GradientTransformation
) -> Rule:
    """Transformations in parallel: all have the same input, and ``join`` combines their outputs.

    u = join(branch₁(g), branch₂(g), …), leaf by leaf. The state has the entries of all branches;
    those of a named branch have the name of the branch.

    Args:
        join: a function of one array from each branch. Define it at module level, since each new
            function object is compiled anew. With :func:`gdlab.join` it can have hyperparameters.
        *transforms: the branches without a name, the first arguments of ``join``.
        **named: the branches with a name, the further arguments of ``join``.

    Raises:
        ValueError: without branches.

    >>> import operator
    >>> import jax.numpy as jnp
    >>> from gdlab import ema, fork, identity
    >>> tx = fork(operator.sub, identity(), mean=ema(0.5))
    >>> tx.update(jnp.array([4.0]), tx.init(jnp.zeros(1)))
    (Array([2.], dtype=float32), State(mean=Array([2.], dtype=float32)))
    """
    if not transforms and not named:
        raise ValueError("fork needs at least one branch; identity() is the plain one")
    labels = [*([""] * len(transforms)), *named]
    parts = _parts_named_apart(cast(list[Part], [*transforms, *named.values()]), labels)
    opened = cast(OpenJoin, join)
    rules = [part.rule for part in parts]
    if all(isinstance(rule, ArrayRule) for rule in rules):
        return parallel(cast(list[ArrayRule], rules), opened.signal, opened.by_leaf, opened.is_bus)
    if opened.is_bus or opened.by_leaf:
        what = "a bus" if opened.is_bus else "a join with values by leaf"
        raise ValueError(
            f"fork: {what} joins rules for one array, but a branch is a rule for trees"
        )
    join_arrays = lambda *outputs: opened.signal(Reading(), *outputs)  # noqa: E731
    return parallel_trees([as_tree_rule(part) for part in parts], join_arrays)


@wiring
def identity() -> Rule:
    """Return the updates unchanged: the neutral link of a chain, and a plain branch of a fork.

    uₜ = gₜ

    >>> import jax.numpy as jnp
    >>> from gdlab import identity
    >>> tx = identity()
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)))[0]
    Array([3.], dtype=float32)
    """
    return stateless(lambda u, _: u)._replace(keeps_sign=lambda is_nonnegative: is_nonnegative)


@wiring
def wire(index: Size) -> Rule:
    """One signal of a bus.

    Args:
        index: the position of the signal among the branches of the fork that makes the bus.

    >>> import jax.numpy as jnp
    >>> from gdlab import bus, chain, fork, identity, scale, wire
    >>> tx = chain(fork(bus(), identity(), scale(2.0)), wire(1))
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)))[0]
    Array([6.], dtype=float32)
    """
    return stateless(lambda signals, _: signals[index])._replace(takes_bus=True)


@wiring
def on_wires(join: JoinLike) -> Rule:
    """Join the signals of a bus.

    Args:
        join: a function of one array from each wire.

    >>> import operator
    >>> import jax.numpy as jnp
    >>> from gdlab import bus, chain, fork, identity, on_wires, scale
    >>> tx = chain(fork(bus(), identity(), scale(2.0)), on_wires(operator.add))
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)))[0]
    Array([9.], dtype=float32)
    """
    opened = cast(OpenJoin, join)
    rule = stateless(lambda signals, reading: opened.signal(reading, *signals))
    return rule._replace(by_leaf=tuple(opened.by_leaf), takes_bus=True)
