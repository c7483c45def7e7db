"""Series and parallel wiring of transformations, as in a block diagram."""

from collections.abc import Callable
from typing import Any

import jax

from gdlab.core.joins import Join
from gdlab.core.named_links import NamedLink
from gdlab.core.rules import LeafRule, TreeRule, rule_of
from gdlab.core.transformation import GradientTransformation, leafwise, transformation


@transformation
def chain(*transforms: GradientTransformation) -> Any:
    """Transformations in series: each gets what the one before it returned.

    u₀ = g, uᵢ = transformᵢ(uᵢ₋₁), and uₙ are the updates. The state is the tuple of the states.

    Args:
        *transforms: at least one transformation; those of other libraries are taken as well.

    Raises:
        ValueError: without transformations.

    >>> import jax.numpy as jnp
    >>> from gdlab import chain, clip, scale
    >>> tx = chain(clip(1.0), scale(-0.1))
    >>> tx.update(jnp.array([0.5, 7.0]), tx.init(jnp.zeros(2)))[0]
    Array([-0.05, -0.1 ], dtype=float32)
    """
    if not transforms:
        raise ValueError("chain needs at least one transformation; identity() changes nothing")
    return _series(transforms, tuple)


@transformation
def named_chain(*transforms: NamedLink) -> Any:
    """Transformations in series, each under a name: the state is a dictionary of their states.

    Args:
        *transforms: pairs ``(name, transformation)`` with different names.

    Raises:
        ValueError: without transformations, or if a name stands twice.

    >>> from gdlab import clip, hyperparameters, named_chain, sgd
    >>> hyperparameters(named_chain(("clip", clip(1.0)), ("descend", sgd(0.1))))
    {'named_chain.clip.max_delta': 1.0, 'named_chain.descend.learning_rate': 0.1}
    """
    if not transforms:
        raise ValueError("named_chain needs at least one pair (name, transformation)")
    names, links = zip(*transforms, strict=True)
    return _series(
        links,
        lambda states: dict(zip(names, states, strict=True)),
        lambda state: tuple(state[name] for name in names),
    )


@leafwise
def identity() -> Any:
    """Pass the updates on unchanged: the neutral link of a chain, and a plain branch of a fork.

    uₜ = gₜ

    >>> import jax.numpy as jnp
    >>> from gdlab import identity
    >>> tx = identity()
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)))[0]
    Array([3.], dtype=float32)
    """
    return lambda u: u


@transformation
def fork(join: Join, *branches: GradientTransformation) -> Any:
    """Transformations in parallel: all get the same input, and ``join`` combines their outputs.

    u = join(branch₁(g), branch₂(g), …), leaf by leaf. The state is the tuple of the states.

    Args:
        join: a function of one array from each branch; keep it at module level, since a new
            function compiles anew. With :func:`gdlab.join` it carries hyperparameters.
        *branches: at least one transformation.

    Raises:
        ValueError: without branches.

    >>> import operator
    >>> import jax.numpy as jnp
    >>> from gdlab import ema, fork, identity
    >>> tx = fork(operator.sub, identity(), ema(0.5))
    >>> tx.update(jnp.array([4.0]), tx.init(jnp.zeros(1)))[0]
    Array([2.], dtype=float32)
    """
    if not branches:
        raise ValueError("fork needs at least one branch; identity() is the plain one")
    rules = [rule_of(branch) for branch in branches]
    leaf_rules = [rule for rule in rules if isinstance(rule, LeafRule)]
    if len(leaf_rules) == len(rules):

        def update_leaf(u, slots, param, contexts):
            outputs, new = zip(
                *(
                    rule.update(u, slot, param, context)
                    for rule, slot, context in zip(leaf_rules, slots, contexts, strict=True)
                ),
                strict=True,
            )
            return join(*outputs), new

        return _side_by_side(leaf_rules, update_leaf)

    def init(params):
        return tuple(branch.init(params) for branch in branches)

    def update(updates, states, params, extra):
        outputs, new = zip(
            *(
                branch.update(updates, state, params, **extra)
                for branch, state in zip(branches, states, strict=True)
            ),
            strict=True,
        )
        return jax.tree.map(join, *outputs), new

    return TreeRule(init, update, _read_by_any(rules), delegates=True)


def _series(
    transforms: tuple[GradientTransformation, ...],
    named: Callable[[Any], Any],
    unnamed: Callable[[Any], Any] = lambda states: states,
) -> LeafRule | TreeRule:
    """The rule of links in series, whose states stand as ``named`` arranges them."""
    rules = [rule_of(tx) for tx in transforms]
    leaf_rules = [rule for rule in rules if isinstance(rule, LeafRule)]
    if len(leaf_rules) == len(rules):

        def update_leaf(u, slots, param, contexts):
            new = []
            for rule, slot, context in zip(leaf_rules, slots, contexts, strict=True):
                u, slot = rule.update(u, slot, param, context)
                new.append(slot)
            return u, tuple(new)

        rule = _side_by_side(leaf_rules, update_leaf)
        return rule._replace(
            pack=lambda slots, shared: named(rule.pack(slots, shared)),
            unpack=lambda state: rule.unpack(unnamed(state)),
        )

    runs = _runs(transforms, rules)

    def init(params):
        return named([tx.init(params) for tx in transforms])

    def update(updates, state, params, extra):
        states = unnamed(state)
        new: list[Any] = []
        for run in runs:
            old = states[len(new) : len(new) + len(run)]
            if len(run) == 1:
                updates, after = run[0].update(updates, old[0], params, **extra)
                new.append(after)
            else:
                updates, after = chain(*run).update(updates, tuple(old), params, **extra)
                new.extend(after)
        return updates, named(new)

    return TreeRule(init, update, _read_by_any(rules), delegates=True)


def _runs(transforms: Any, rules: Any) -> list[list[GradientTransformation]]:
    """Neighbouring leafwise links together, to be fused; every other link alone."""
    runs: list[list[GradientTransformation]] = []
    fusing = False
    for tx, rule in zip(transforms, rules, strict=True):
        leaf = isinstance(rule, LeafRule)
        if leaf and fusing:
            runs[-1].append(tx)
        else:
            runs.append([tx])
        fusing = leaf
    return runs


def _side_by_side(rules: list[LeafRule], update: Callable[..., Any]) -> LeafRule:
    """A leaf rule whose state is the tuple of those of ``rules``."""

    def advance(shared):
        advanced = [rule.advance(own) for rule, own in zip(rules, shared, strict=True)]
        return tuple(new for new, _ in advanced), tuple(context for _, context in advanced)

    def pack(slots, shared):
        return tuple(
            rule.pack(slot, own) for rule, slot, own in zip(rules, slots, shared, strict=True)
        )

    def unpack(states):
        parts = [rule.unpack(state) for rule, state in zip(rules, states, strict=True)]
        return tuple(slots for slots, _ in parts), tuple(shared for _, shared in parts)

    return LeafRule(
        init=lambda param: tuple(rule.init(param) for rule in rules),
        update=update,
        start=lambda dtype: tuple(rule.start(dtype) for rule in rules),
        advance=advance,
        pack=pack,
        unpack=unpack,
        needs_params=next(filter(None, (rule.needs_params for rule in rules)), None),
    )


def _read_by_any(rules: list[Any]) -> Callable[[str], bool]:
    return lambda name: any(isinstance(r, TreeRule) and r.reads(name) for r in rules)
