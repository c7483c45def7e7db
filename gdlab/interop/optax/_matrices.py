"""Methods for matrices, with optax's specification of the matrix axes."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, TypeAlias

import jax

import gdlab
from gdlab.core.annotations import Data
from gdlab.core.by_leaf import ByLeaf
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.static import Static
from gdlab.core.structure import Params, Tree
from gdlab.core.transformation import GradientTransformation
from gdlab.interop.optax._adapting import adapted
from gdlab.transforms.matrices.matrix_axes import as_axes_by_leaf

OptaxAxes: TypeAlias = Annotated[Tree, Data(as_axes_by_leaf, name="Structure")]
"""Annotation of an argument that specifies matrix axes by optax's dimension numbers."""


class MuonDimensionNumbers(NamedTuple):
    """The input and output axes of a matrix; other axes are batch axes.

    >>> from gdlab.interop.optax import contrib
    >>> heads = contrib.MuonDimensionNumbers(reduction_axis=0, output_axis=(1, 2))
    >>> tx = contrib.muon(0.02, muon_weight_dimension_numbers={"attention": heads, "bias": None})
    """

    reduction_axis: Sequence[int] | int = 0
    """The axis or axes of the inputs."""
    output_axis: Sequence[int] | int = 1
    """The axis or axes of the outputs."""


class GaLoreDimensionNumbers(NamedTuple):
    """The input and output axes of a matrix."""

    reduction_axis: Sequence[int] | int = 0
    """The axis or axes of the inputs."""
    output_axis: Sequence[int] | int = 1
    """The axis or axes of the outputs."""


class _Letters:
    """A function of the parameters that converts optax's dimension numbers to gdlab's letters."""

    def __init__(self, numbers: Tree):
        self.numbers = Static({"numbers": numbers})

    def __call__(self, params: Params) -> Tree:
        numbers = self.numbers.values["numbers"]
        if callable(numbers):
            numbers = numbers(params)

        def below(own: Any, part: Params) -> Tree:
            return jax.tree.map(lambda leaf: _letters(own, leaf.ndim), part)

        return jax.tree.map(below, numbers, params, is_leaf=lambda x: x is None or _is_numbers(x))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Letters) and self.numbers == other.numbers

    def __hash__(self) -> int:
        return hash(self.numbers)

    def __repr__(self) -> str:
        return repr(self.numbers.values["numbers"])


def _is_numbers(node: object) -> bool:
    return hasattr(node, "reduction_axis") and hasattr(node, "output_axis")


def _letters(numbers: Any, ndim: int) -> str | None:
    if numbers is None or isinstance(numbers, str):
        return numbers

    def axes(given: Sequence[int] | int) -> set[int]:
        return {axis % ndim for axis in ((given,) if isinstance(given, int) else given)}

    inputs, outputs = axes(numbers.reduction_axis), axes(numbers.output_axis)
    return "".join("i" if k in inputs else "o" if k in outputs else "b" for k in range(ndim))


def _in_letters(axes: ByLeaf) -> ByLeaf:
    """Convert optax's dimension numbers to letters; letters and path patterns stay unchanged."""
    is_letters = axes.patterns is not None or isinstance(axes.values, str)
    return axes if is_letters else ByLeaf(_Letters(axes.values), name=axes.name)


def _no_axes(numbers: Tree) -> None:
    if numbers is not None:
        raise ValueError(
            "weight_dimension_numbers: GaLore takes what has two axes as a matrix, and nothing "
            "else; reshape the array before the optimizer"
        )


muon = adapted(
    gdlab.muon,
    __name__,
    converted={"muon_weight_dimension_numbers": _in_letters},
    annotations={"muon_weight_dimension_numbers": OptaxAxes},
    adam_eps_root=0.0,
)
scale_by_muon = adapted(
    gdlab.scale_by_muon,
    __name__,
    converted={"weight_dimension_numbers": _in_letters},
    annotations={"weight_dimension_numbers": OptaxAxes},
)
galore = adapted(
    gdlab.galore,
    __name__,
    ignored={"weight_dimension_numbers": None},
    converted={"weight_dimension_numbers": _no_axes},
    scale=1.0,
)


def scale_by_galore(
    rank: int = 128,
    update_proj_gap: Hyperparameter = 200,
    scale: Hyperparameter = 1.0,
    base_optimizer: GradientTransformation | None = None,
    weight_dimension_numbers: Tree = None,
) -> GradientTransformation:
    """GaLore: a method in the span of a few singular vectors of each matrix's gradient.

    Args:
        rank: the number of singular vectors.
        update_proj_gap: the number of steps between new singular vectors.
        scale: a factor of the projected steps.
        base_optimizer: the method in the subspace; by default Adam's direction.
        weight_dimension_numbers: must be None; arrays with two axes are matrices.

    Raises:
        ValueError: if ``weight_dimension_numbers`` are given.

    >>> from gdlab.interop.optax import contrib
    >>> tx = contrib.scale_by_galore(rank=4)
    """
    _no_axes(weight_dimension_numbers)
    base = gdlab.scale_by_adam() if base_optimizer is None else base_optimizer
    return gdlab.in_subspace(base, rank, update_proj_gap, scale)
