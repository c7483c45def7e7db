"""Arrays as matrices: input axes, output axes and batch axes."""

import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple, TypeAlias

import jax

from gdlab.core.annotations import Data
from gdlab.core.by_leaf import ByLeaf, as_structure
from gdlab.core.placement import gathered, placed_like
from gdlab.core.structure import Params, Tree, Value, flatten

BY_RANK = "by rank"
"""The default for a leaf without letters: a matrix if it has two axes."""


def as_axes_by_leaf(value: Value) -> ByLeaf:
    """Convert a user's value to one for each leaf; leaves without a value go by their rank."""
    name = "weight_dimension_numbers"
    if isinstance(value, ByLeaf):
        return value
    if value is None:
        return ByLeaf(BY_RANK, name=name)
    own = as_structure(value, name)
    return own if own.patterns is None else ByLeaf(own.values, own.patterns, BY_RANK, name)


def as_matrix_axes(value: Value) -> ByLeaf:
    """Convert a user's letters to letters for each leaf.

    Raises:
        ValueError: if letters that are known at once are invalid.
    """
    own = as_axes_by_leaf(value)
    for letters in own.known_values():
        _require_letters(letters)
    return own


MatrixAxes: TypeAlias = Annotated[Tree, Data(as_matrix_axes, name="Structure")]
"""Annotation of an argument that says which axes of a leaf are those of a matrix.

The value of a leaf is a letter for each of its axes, "i" for inputs, "o" for outputs and "b" for a
batch of matrices, or None if the leaf is no matrix. A dense kernel of JAX is "io", one of torch
"oi", the kernel of a convolution "iiio", a stack of layers "bio", and a projection (in, heads, out)
is "ioo" as a whole and "ibo" head by head.

Given are the letters for all leaves, a tree of them (or a prefix of one), a function from the
parameters to such a tree, or a list of pairs ``(pattern, letters)``: the first regular expression
found in the dotted path of a leaf decides, and a leaf with no match goes by its rank. Without an
argument all do: what has two axes is an "io", and nothing else is a matrix.
"""


class MatrixView(NamedTuple):
    """An array seen as a batch of matrices."""

    batch: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    shape: tuple[int, ...]
    """The shape of the array."""

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes of a matrix."""
        return self.inputs + self.outputs

    @property
    def fan_in(self) -> int:
        """The number of inputs of a matrix."""
        return math.prod(self.shape[axis] for axis in self.inputs)

    @property
    def fan_out(self) -> int:
        """The number of outputs of a matrix."""
        return math.prod(self.shape[axis] for axis in self.outputs)

    def matrices(self, x: jax.Array) -> jax.Array:
        """The array as matrices of shape (…, inputs, outputs), none of them split over devices."""
        batch = tuple(x.shape[axis] for axis in self.batch)
        x = gathered(x, self.axes)
        return x.transpose(self._order).reshape(*batch, self.fan_in, self.fan_out)

    def restored(self, matrices: jax.Array, like: jax.Array) -> jax.Array:
        """The inverse of :meth:`matrices`: the array of these matrices, sharded like ``like``."""
        order = self._order
        moved = matrices.reshape([self.shape[axis] for axis in order])
        back = moved.transpose([order.index(axis) for axis in range(len(order))])
        # If it were sharded here, XLA would also shard the products before.
        return placed_like(gathered(back, self.axes), like)

    @property
    def _order(self) -> tuple[int, ...]:
        return self.batch + self.axes


def matrix_view(letters: str | None, shape: tuple[int, ...]) -> MatrixView | None:
    """The view of an array as matrices by its letters; None if it is no matrix.

    Raises:
        ValueError: if the letters do not fit the array.
    """
    if letters == BY_RANK:
        letters = "io" if len(shape) == 2 else None
    if letters is None:
        return None
    _require_letters(letters)
    if len(letters) != len(shape):
        raise ValueError(
            f"weight_dimension_numbers: {letters!r} names {len(letters)} axes, but the array has "
            f"the shape {shape}"
        )
    axes = {name: tuple(k for k, own in enumerate(letters) if own == name) for name in "bio"}
    return MatrixView(axes["b"], axes["i"], axes["o"], shape)


def _require_letters(letters: object) -> None:
    if letters is None or letters == BY_RANK:
        return
    if not isinstance(letters, str) or not set("io") <= set(letters) <= set("iob"):
        raise ValueError(
            "weight_dimension_numbers: the axes of a matrix are written with a letter for each, "
            f'such as "io" or "iiio" (i for inputs, o for outputs, b for a batch), not {letters!r}'
        )


@dataclass(frozen=True)
class MatrixLabels:
    """A function of the parameters: one label for matrices, and one for other leaves."""

    axes: ByLeaf
    matrix: str
    other: str

    def __call__(self, params: Params) -> Tree:
        """Return the tree of labels."""
        leaves, treedef = flatten(params)
        # In a tree without leaves no pattern could match.
        letters = self.axes.at_leaves(params) if leaves else []
        pairs = zip(letters, leaves, strict=True)
        return treedef.unflatten([None if w is None else self._label(own, w) for own, w in pairs])

    def _label(self, letters: str | None, leaf: jax.Array) -> str:
        return self.other if matrix_view(letters, leaf.shape) is None else self.matrix
