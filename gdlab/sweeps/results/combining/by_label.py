"""Things that differ in structure from label to label along a dimension, and cannot be stacked."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True, repr=False)
class ByLabel:
    """One thing for each label along a dimension: parameters of other shapes, other optimizers."""

    dimension: str
    axes: tuple[str, ...]
    """The names of the axes along it, of whose values a label consists."""
    parts: Mapping[Any, Any]
    """Label → thing; of several axes, the labels are tuples."""

    def at(self, point: Mapping[str, Any]) -> Any:
        """The thing at a point.

        Raises:
            ValueError: if the point does not say where along the dimension it is.
        """
        if missing := [name for name in self.axes if name not in point]:
            raise ValueError(f"the point has no value for the axis {missing[0]!r}")
        label = label_of([point[name] for name in self.axes])
        if label not in self.parts:
            raise ValueError(f"there is no {self.dimension} {label}; there are {list(self.parts)}")
        return self.parts[label]

    def map(self, function: Callable[[Any], Any]) -> dict[Any, Any]:
        """A dictionary from labels to what a function makes of the things, nested like them."""
        return {
            label: part.map(function) if isinstance(part, ByLabel) else function(part)
            for label, part in self.parts.items()
        }

    def tree_flatten_with_keys(self) -> tuple[Any, Any]:
        """The things with their labels as keys."""
        children = [(jax.tree_util.DictKey(label), part) for label, part in self.parts.items()]
        return children, (self.dimension, self.axes, tuple(self.parts))

    @classmethod
    def tree_unflatten(cls, aux: Any, children: Iterable[Any]) -> "ByLabel":
        """The things in their structure."""
        dimension, axes, labels = aux
        return cls(dimension, axes, dict(zip(labels, children, strict=True)))

    def __repr__(self) -> str:
        return repr(self.map(lambda part: part))


def label_of(values: list[Any]) -> Any:
    """The label that the values of the axes along a dimension make together."""
    plain = [value.item() if hasattr(value, "item") else value for value in values]
    return plain[0] if len(plain) == 1 else tuple(plain)


def taken(thing: Any, dimension: str, positions: list[int], drop: bool) -> Any:
    """A thing at some positions along a dimension; what does not differ along it stays whole.

    Args:
        thing: a :class:`ByLabel`, or anything else.
        dimension: the name of the dimension.
        positions: the positions that are left.
        drop: whether the dimension itself goes, so that one position is left.
    """
    if not isinstance(thing, ByLabel):
        return thing
    if thing.dimension != dimension:
        parts = {k: taken(part, dimension, positions, drop) for k, part in thing.parts.items()}
        return dataclasses.replace(thing, parts=parts)
    labels = list(thing.parts)
    if drop:
        return thing.parts[labels[positions[0]]]
    return dataclasses.replace(thing, parts={labels[i]: thing.parts[labels[i]] for i in positions})


def dimensions_of(thing: Any) -> set[str]:
    """The dimensions along which a thing differs in structure."""
    if not isinstance(thing, ByLabel):
        return set()
    return {thing.dimension}.union(*map(dimensions_of, thing.parts.values()))
