"""Trees of different structures along a dimension, which cannot be stacked."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True, repr=False)
class ByLabel:
    """One tree for each label along a dimension, such as parameters whose shapes differ."""

    dimension: str
    axes: tuple[str, ...]
    """The names of the axes along the dimension, whose values make up a label."""
    parts: Mapping[Any, Any]
    """Label → tree. Where several axes lie along the dimension, a label is a tuple."""

    def at(self, point: Mapping[str, Any]) -> Any:
        """The tree at a point.

        Raises:
            ValueError: if the point lacks the value of an axis along the dimension, or has an
                unknown one.
        """
        if missing := [name for name in self.axes if name not in point]:
            raise ValueError(f"the point has no value for the axis {missing[0]!r}")
        label = label_of([point[name] for name in self.axes])
        if label not in self.parts:
            raise ValueError(f"there is no {self.dimension} {label}; there are {list(self.parts)}")
        return self.parts[label]

    def map(self, function: Callable[[Any], Any]) -> dict[Any, Any]:
        """A dictionary from each label to ``function(tree)``, nested like the trees."""
        return {
            label: part.map(function) if isinstance(part, ByLabel) else function(part)
            for label, part in self.parts.items()
        }

    def tree_flatten_with_keys(self) -> tuple[Any, Any]:
        """The trees with their labels as keys."""
        children = [(jax.tree_util.DictKey(label), part) for label, part in self.parts.items()]
        return children, (self.dimension, self.axes, tuple(self.parts))

    @classmethod
    def tree_unflatten(cls, aux: Any, children: Iterable[Any]) -> "ByLabel":
        """The inverse of :meth:`tree_flatten_with_keys`."""
        dimension, axes, labels = aux
        return cls(dimension, axes, dict(zip(labels, children, strict=True)))

    def __repr__(self) -> str:
        return repr(self.map(lambda part: part))


def label_of(values: list[Any]) -> Any:
    """The label of the values of all axes along a dimension: one value, or a tuple of several."""
    plain = [value.item() if hasattr(value, "item") else value for value in values]
    return plain[0] if len(plain) == 1 else tuple(plain)


def parts_at(tree: Any, dimension: str, positions: list[int], drop: bool) -> Any:
    """The parts of a :class:`ByLabel` at some positions along a dimension; other trees unchanged.

    Args:
        tree: a :class:`ByLabel`, or any other tree.
        dimension: the name of the dimension.
        positions: the positions that are left.
        drop: whether the dimension is dropped, which leaves the tree at the only position.
    """
    if not isinstance(tree, ByLabel):
        return tree
    if tree.dimension != dimension:
        parts = {
            label: parts_at(part, dimension, positions, drop) for label, part in tree.parts.items()
        }
        return dataclasses.replace(tree, parts=parts)
    labels = list(tree.parts)
    if drop:
        return tree.parts[labels[positions[0]]]
    return dataclasses.replace(tree, parts={labels[i]: tree.parts[labels[i]] for i in positions})


def dimensions_of(tree: Any) -> set[str]:
    """The dimensions along which a tree differs in structure."""
    if not isinstance(tree, ByLabel):
        return set()
    return {tree.dimension}.union(*map(dimensions_of, tree.parts.values()))
