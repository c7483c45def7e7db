"""The places of each part's entries in the one state of a composition."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from gdlab.core.composition import entry_names, named_apart
from gdlab.core.opening import FLOAT32, Opening, open_rule
from gdlab.core.rules import ArrayRule, TreeRule
from gdlab.core.structure import Leaf
from gdlab.core.transformation import GradientTransformation, composition_of
from gdlab.core.wiring import chain, fork, named_chain


class Place(NamedTuple):
    """A transformation within a composition, and its entries in the state."""

    tx: GradientTransformation
    entries: Mapping[str, str]
    """The names that the transformation gives by itself → those in the state of the whole."""

    def entry(self, name: str) -> str:
        """The name, in the state of the whole, of the entry ``name`` of the transformation."""
        return self.entries[name]


def rule_of(
    tx: GradientTransformation, step: Leaf = 0, dtype: np.dtype = FLOAT32
) -> ArrayRule | TreeRule:
    """The rule of a transformation at a step."""
    return open_rule(tx, Opening(step, dtype))


def place_of(tx: GradientTransformation) -> Place:
    """The place of a transformation that is not part of a composition."""
    return Place(tx, {name: name for name in entry_names(rule_of(tx))})


def opened(place: Place) -> list[Place]:
    """The places of the parts of a composition; empty for other transformations.

    >>> from gdlab import chain, ema, trace
    >>> from gdlab.interop.states.places import opened, place_of
    >>> [dict(place.entries) for place in opened(place_of(chain(trace(0.9), ema(0.9), trace(0.5))))]
    [{'trace': 'trace_0'}, {'ema': 'ema'}, {'trace': 'trace_2'}]
    """
    made = composition_of(place.tx)
    if made is not None:
        return [Place(made, place.entries)]
    labelled = links(place.tx)
    rules = [rule_of(part) for _, part in labelled]
    renamed = named_apart(rules, [label for label, _ in labelled])
    return [
        Place(
            part,
            {
                own: place.entries[name]
                for own, name in zip(entry_names(rule), entry_names(apart), strict=True)
            },
        )
        for (_, part), rule, apart in zip(labelled, rules, renamed, strict=True)
    ]


def links(tx: GradientTransformation) -> list[tuple[str, GradientTransformation]]:
    """The transformations that a chain or a fork puts together, with their names or ``""``."""
    if tx.factory == chain.factory:  # type: ignore[attr-defined]
        return [("", part) for part in tx.children[0]]
    if tx.factory == named_chain.factory:  # type: ignore[attr-defined]
        return list(tx.children[0])
    if tx.factory == fork.factory:  # type: ignore[attr-defined]
        _, plain, named = tx.children
        return [*(("", part) for part in plain), *named]
    return []
