"""Composition of rules in series and in parallel."""

import itertools
from collections.abc import Callable, Hashable, Sequence
from operator import attrgetter
from typing import TypeVar

import jax

from gdlab.core.rules import ArrayRule, Reading, TreeRule, like_before, output_like, reasons
from gdlab.core.state import refuse_narrow_within
from gdlab.core.structure import Function, Signal, Tree, Value

R = TypeVar("R", ArrayRule, TreeRule)
Join = Callable[..., Signal]


def named_apart(rules: Sequence[ArrayRule | TreeRule], labels: Sequence[str]) -> list[Value]:
    """Rename the entries of rules so that no two rules share a name.

    An only slot of a rule with a label is named after the label, and its other entries get names
    that begin with the label. Names that several rules still share are followed by the position of
    the rule.
    """
    renamed = [_labelled(rule, label) for rule, label in zip(rules, labels, strict=True)]
    every = [name for rule in renamed for name in entry_names(rule)]
    if len(set(every)) == len(every):
        return renamed
    return [
        _with_names(rule, [f"{n}_{i}" if every.count(n) > 1 else n for n in entry_names(rule)])
        for i, rule in enumerate(renamed)
    ]


def _labelled(rule: ArrayRule | TreeRule, label: str) -> ArrayRule | TreeRule:
    if not label:
        return rule
    kept = rule.slots if isinstance(rule, ArrayRule) else rule.names
    only = kept[0] if len(kept) == 1 else None
    is_so = lambda name: name == label or name.startswith(f"{label}_")  # noqa: E731
    return _with_names(
        rule,
        [
            label if name == only else name if is_so(name) else f"{label}_{name}"
            for name in entry_names(rule)
        ],
    )


def entry_names(rule: ArrayRule | TreeRule) -> tuple[str, ...]:
    """The names of all entries of a state that belong to a rule."""
    return (*rule.slots, *rule.shared) if isinstance(rule, ArrayRule) else rule.names


def _with_names(rule: ArrayRule | TreeRule, names: list[str]) -> ArrayRule | TreeRule:
    if isinstance(rule, TreeRule):
        return rule._replace(names=tuple(names))
    count = len(rule.slots)
    return rule._replace(slots=tuple(names[:count]), shared=tuple(names[count:]))


def split(values: Sequence[Tree], counts: Sequence[int]) -> list[tuple[Tree, ...]]:
    """Split a sequence into consecutive tuples of the given lengths."""
    parts, start = [], 0
    for count in counts:
        parts.append(tuple(values[start : start + count]))
        start += count
    return parts


def series(rules: Sequence[ArrayRule]) -> ArrayRule:
    """Rules for one array in series.

    Raises:
        ValueError: if a bus leads into a rule for one signal, or one signal into a rule for a bus.
    """
    if len(rules) == 1:
        return rules[0]
    for before, after in itertools.pairwise(rules):
        if before.gives_bus and not after.takes_bus:
            raise ValueError(
                "a bus leads into a transformation of one signal: read it with wire(i), or join "
                "its signals with on_wires"
            )
        if after.takes_bus and not before.gives_bus:
            raise ValueError("wire and on_wires follow a bus, as fork(bus(), …) makes one")
    counts = [len(rule.slots) for rule in rules]
    last_with_slots = max((i for i, count in enumerate(counts) if count), default=0)
    known: dict[Hashable, Signal] = {}

    def init(like, reading):
        slots: list[Tree] = []
        for position, rule in enumerate(rules):
            own = rule.init(like, reading)
            slots.extend(own)
            sign = rule.keeps_sign(reading.is_nonnegative)
            reading = reading._replace(is_nonnegative=sign)
            # A later link may get an input of another shape, such as a mean over rows.
            if position < last_with_slots:
                key = position, _kind(like), _kind(reading.param)
                if rule.by_leaf or key not in known:
                    known[key] = output_like(rule, like, own, reading)
                like = like_before(known[key], like)
        return tuple(slots)

    def update(u, slots, context, reading):
        new: list[Tree] = []
        for rule, own, known in zip(rules, split(slots, counts), context, strict=True):
            u, after = rule.update(u, own, known, reading)
            new.extend(after)
        return u, tuple(new)

    def keeps_sign(is_nonnegative):
        for rule in rules:
            is_nonnegative = rule.keeps_sign(is_nonnegative)
        return is_nonnegative

    return _together(rules, init, update)._replace(
        takes_bus=rules[0].takes_bus, gives_bus=rules[-1].gives_bus, keeps_sign=keeps_sign
    )


def _kind(signal: Signal) -> Value:
    return tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(signal))


def parallel(
    rules: Sequence[ArrayRule], join: Callable[..., Signal], by_leaf: Sequence[Value], is_bus: bool
) -> ArrayRule:
    """Rules for one array in parallel; ``join(reading, *outputs)`` combines their outputs."""
    if any(rule.gives_bus for rule in rules):
        raise ValueError(
            "fork: a branch ends in a bus; join its signals with on_wires in the branch"
        )
    counts = [len(rule.slots) for rule in rules]

    def init(like, reading):
        return tuple(slot for rule in rules for slot in rule.init(like, reading))

    def update(u, slots, context, reading):
        outputs, new = [], []
        for rule, own, known in zip(rules, split(slots, counts), context, strict=True):
            output, after = rule.update(u, own, known, reading)
            outputs.append(output)
            new.extend(after)
        return join(reading, *outputs), tuple(new)

    rule = _together(rules, init, update)
    return rule._replace(
        by_leaf=(*rule.by_leaf, *by_leaf),
        takes_bus=any(rule.takes_bus for rule in rules),
        gives_bus=is_bus,
    )


def stateless(function: Callable[[Signal, Reading], Signal]) -> ArrayRule:
    """A rule for one array that has no state."""
    return ArrayRule((), lambda _, __: (), lambda u, _, __, reading: (function(u, reading), ()))


def _together(rules: Sequence[ArrayRule], init: Function, update: Function) -> ArrayRule:
    """A rule with the slots and shared scalars of all ``rules``."""
    counts = [len(rule.shared) for rule in rules]

    def advance(shared):
        advanced = [
            rule.advance(own) for rule, own in zip(rules, split(shared, counts), strict=True)
        ]
        values = tuple(value for own, _ in advanced for value in own)
        return values, tuple(context for _, context in advanced)

    return ArrayRule(
        slots=_all(rules, "slots"),
        init=init,
        update=update,
        shared=_all(rules, "shared"),
        start=lambda dtype: tuple(value for rule in rules for value in rule.start(dtype)),
        advance=advance,
        reads=reasons(rules),
        by_leaf=_all(rules, "by_leaf"),
        squares=any(map(attrgetter("squares"), rules)),
    )


def _all(rules: Sequence[ArrayRule], field: str) -> tuple[Value, ...]:
    """The entries of a field of all rules, concatenated into one tuple."""
    return tuple(itertools.chain.from_iterable(map(attrgetter(field), rules)))


def series_of_trees(rules: Sequence[TreeRule]) -> TreeRule:
    """Rules for trees in series."""
    counts = [len(rule.names) for rule in rules]

    def update(updates, values, params, extra):
        new: list[Tree] = []
        for rule, own in zip(rules, split(values, counts), strict=True):
            updates, after = rule.update(updates, own, params, extra)
            new.extend(after)
        return updates, tuple(new)

    return _trees_together(rules, update)


def parallel_trees(rules: Sequence[TreeRule], join: Callable[..., Signal]) -> TreeRule:
    """Rules for trees in parallel; ``join(*outputs)`` combines their outputs leaf by leaf."""
    counts = [len(rule.names) for rule in rules]

    def update(updates, values, params, extra):
        outputs, new = [], []
        for rule, own in zip(rules, split(values, counts), strict=True):
            output, after = rule.update(updates, own, params, extra)
            outputs.append(output)
            new.extend(after)
        return jax.tree.map(join, *outputs), tuple(new)

    rule = _trees_together(rules, update)

    def init(params):
        refuse_narrow_within("fork", rule.init, params)
        return rule.init(params)

    return rule._replace(init=init)


def _trees_together(rules: Sequence[TreeRule], update: Function) -> TreeRule:
    return TreeRule(
        names=tuple(name for rule in rules for name in rule.names),
        init=lambda params: tuple(value for rule in rules for value in rule.init(params)),
        update=update,
        reads=reasons(rules),
        goes_by_array=all(rule.goes_by_array for rule in rules) or len(rules) > 1,
    )
