"""Labels: which group each leaf of the parameters belongs to."""

import re
from collections.abc import Collection
from typing import Any

import jax

from gdlab.core.representation import represent
from gdlab.core.static import Static
from gdlab.core.structure import leaves_with_paths, require_matches, spread


class Labels:
    """A label for each leaf of a tree, given when the tree is known.

    They are written as a tree of labels (or a prefix of one), as a function from the parameters to
    such a tree, or as a list of pairs ``(pattern, label)``: the first pattern found in the dotted
    path of a leaf decides.
    """

    __slots__ = ("_static",)

    def __init__(self, labels: Any):
        self._static = Static({"labels": labels})

    @classmethod
    def convert(cls, value: Any) -> "Labels":
        """What a user wrote, as labels."""
        return value if isinstance(value, cls) else cls(value)

    def spread(self, params: Any, known: Collection[str]) -> list[str]:
        """The label of each leaf of ``params``, in order; ``None`` leaves count."""
        labels = self._static.values["labels"]
        paths = [path for path, _ in leaves_with_paths(params)]
        if _are_patterns(labels):
            found = _first_matches(labels, paths)
        else:
            found = spread("param_labels", labels(params) if callable(labels) else labels, params)
        for path, label in zip(paths, found, strict=True):
            if label not in known:
                raise ValueError(
                    f"param_labels: the leaf at {path!r} has the label {label!r}, for which there "
                    f"is no transformation; there are {sorted(known)}"
                )
        return found

    def __repr__(self) -> str:
        return represent(self._static.values["labels"])


jax.tree_util.register_pytree_node(
    Labels, lambda labels: ((), labels._static), lambda static, _: Labels(static.values["labels"])
)


def _are_patterns(labels: Any) -> bool:
    return (
        isinstance(labels, list | tuple)
        and len(labels) > 0
        and all(isinstance(pair, tuple) and len(pair) == 2 for pair in labels)
        and all(isinstance(text, str) for pair in labels for text in pair)
    )


def _first_matches(pairs: Any, paths: list[str]) -> list[str]:
    require_matches("param_labels", (pattern for pattern, _ in pairs), paths)
    found = []
    for path in paths:
        label = next((label for pattern, label in pairs if re.search(pattern, path)), None)
        if label is None:
            raise ValueError(f"param_labels: no pattern matches the leaf at {path!r}")
        found.append(label)
    return found
