"""Masks: which leaves of the parameters a transformation applies to."""

import re
from typing import Any

import jax

from gdlab.core.representation import represent
from gdlab.core.static import Static
from gdlab.core.structure import leaves_with_paths, require_matches, spread


class Mask:
    """A choice among the leaves of a tree, made when the tree is known.

    It is written as a tree of booleans (or a prefix of one), as a regular expression searched for
    in the dotted path of each leaf (or a list of several), or as a function from the parameters
    to a tree of booleans. ``None`` chooses all leaves.
    """

    __slots__ = ("_static",)

    def __init__(self, chosen: Any):
        self._static = Static({"chosen": chosen})

    @property
    def chosen(self) -> Any:
        """What the user wrote."""
        return self._static.values["chosen"]

    @classmethod
    def convert(cls, value: Any) -> "Mask":
        """What a user wrote, as a mask."""
        if isinstance(value, cls):
            return value
        for pattern in _patterns(value) or ():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        return cls(value)

    def spread(self, params: Any) -> list[bool]:
        """Whether each leaf of ``params`` is chosen, in order; ``None`` leaves count."""
        if (patterns := _patterns(self.chosen)) is not None:
            return _matches(patterns, [path for path, _ in leaves_with_paths(params)])
        chosen = self.chosen(params) if callable(self.chosen) else self.chosen
        flags = spread("mask", True if chosen is None else chosen, params)
        return [bool(flag) for flag in flags]

    def __bool__(self) -> bool:
        """Whether the leaf at hand is chosen."""
        if not isinstance(self.chosen, bool):
            raise TypeError("a Mask has a truth value only in a rule for one array")
        return self.chosen

    def __repr__(self) -> str:
        return represent(self.chosen)


jax.tree_util.register_pytree_node(
    Mask, lambda mask: ((), mask._static), lambda static, _: Mask(static.values["chosen"])
)


def _patterns(chosen: Any) -> list[str] | None:
    if isinstance(chosen, str):
        return [chosen]
    if isinstance(chosen, list | tuple) and chosen and all(isinstance(p, str) for p in chosen):
        return list(chosen)
    return None


def _matches(patterns: list[str], paths: list[str]) -> list[bool]:
    require_matches("mask", patterns, paths)
    return [any(re.search(pattern, path) for pattern in patterns) for path in paths]
