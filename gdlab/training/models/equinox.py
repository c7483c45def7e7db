"""Equinox modules: inexact arrays, other arrays, and everything else."""

import dataclasses
from collections.abc import Hashable
from typing import Any

import jax
import numpy as np

from gdlab.core.numerics import is_inexact
from gdlab.core.structure import TreeDef
from gdlab.training.models.form import Form, Held, OpenedModel


def open_equinox(model: Any, wrt: Any) -> OpenedModel | None:
    """Split an Equinox module, or a tree with such modules, into arrays and structure; else None.

    Raises:
        ValueError: if no leaf is to be trained, or the filter does not fit.
    """
    import equinox

    is_module = lambda node: isinstance(node, equinox.Module)  # noqa: E731
    if not any(map(is_module, jax.tree.leaves(model, is_leaf=is_module))):
        return None
    leaves, treedef = jax.tree.flatten(model)
    chosen = treedef.flatten_up_to(_filtered(model, _is_array if wrt is None else wrt))
    is_trained = [
        _is_array(leaf) and is_inexact(leaf) and kept is not None
        for leaf, kept in zip(leaves, chosen, strict=True)
    ]
    if not any(is_trained):
        raise ValueError(
            "the model has no inexact array"
            + ("" if wrt is None else " that the filter chooses")
            + ", so nothing of it is trained"
        )
    pairs = list(zip(leaves, is_trained, strict=True))
    return OpenedModel(
        params=treedef.unflatten([leaf if trained else None for leaf, trained in pairs]),
        held=Held(fixed=tuple(leaf for leaf, trained in pairs if _is_array(leaf) and not trained)),
        form=EquinoxForm(
            treedef,
            tuple(_HELD if _is_array(leaf) else _Constant(leaf) for leaf, _ in pairs),
        ),
    )


def _filtered(model: Any, wrt: Any) -> Any:
    """The leaves that the filter chooses, and ``None`` for the rest."""
    import equinox

    try:
        return equinox.filter(model, wrt)
    except ValueError as error:
        raise ValueError(
            "wrt is no filter of the model: it takes a function of a leaf, or a tree of booleans "
            f"whose structure is that of the model, or begins like it ({error})"
        ) from None


@dataclasses.dataclass(frozen=True)
class EquinoxForm(Form):
    """The tree structure of an Equinox module, and those of its leaves that are not arrays."""

    treedef: TreeDef
    leaves: tuple[Hashable, ...]

    def close(self, params: Any, held: Held) -> Any:
        """Return the module with these arrays."""
        others = iter(held.fixed)
        made = []
        for array, leaf in zip(self.treedef.flatten_up_to(params), self.leaves, strict=True):
            if isinstance(leaf, _Constant):
                made.append(leaf.value)
            else:
                made.append(next(others) if array is None else array)
        return self.treedef.unflatten(made)


_HELD = "an array"


class _Constant:
    """A leaf that is not an array, compared by value, or by identity if it cannot be hashed."""

    __slots__ = ("_identity", "value")

    def __init__(self, value: Any):
        self.value = value
        try:
            hash(value)
        except TypeError:
            self._identity: Hashable = id(value)
        else:
            self._identity = value

    def __hash__(self) -> int:
        return hash((type(self.value), self._identity))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Constant)
            and type(self.value) is type(other.value)
            and self._identity == other._identity
        )


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray | np.generic | jax.ShapeDtypeStruct)
