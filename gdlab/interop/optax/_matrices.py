"""Methods for matrices, under optax's way of saying which axes are one."""

from collections.abc import Sequence
from typing import NamedTuple

import gdlab
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.structure import Tree
from gdlab.core.transformation import GradientTransformation
from gdlab.interop.optax._adapting import adapted


class MuonDimensionNumbers(NamedTuple):
    """The axes that are the inputs and the outputs of a matrix; the others number matrices."""

    reduction_axis: Sequence[int] | int = 0
    """The inputs."""
    output_axis: Sequence[int] | int = 1
    """The outputs."""


class GaLoreDimensionNumbers(NamedTuple):
    """The axes of an array that are the inputs and the outputs of a matrix."""

    reduction_axis: Sequence[int] | int = 0
    """The inputs."""
    output_axis: Sequence[int] | int = 1
    """The outputs."""


def _without_axes(weight_dimension_numbers: Tree) -> None:
    if weight_dimension_numbers is not None:
        raise ValueError(
            "weight_dimension_numbers: GaLore takes arrays with two axes as matrices, and no other; "
            "reshape the array before the optimizer, or leave it to the base optimizer"
        )


muon = adapted(gdlab.muon, __name__, adam_eps_root=0.0)
scale_by_def _without_axes(weight_dimension_numbers: Tree) -> None:
    if weight_dimension_numbers is not None:
        raise ValueError(
            "weight_dimension_numbers: GaLore takes arrays with two axes as matrices, and no other; "
            "reshape the array before the optimizer, or leave it to the base optimizer"
        )


muon = adapted(gdlab.scale_by_muon, __name__)
galore = adapted(gdlab.galore, __name__, scale=1.0)


def scale_by_galore(
    rank: int = 128,
    update_proj_gap: int = 200,
    scale: Hyperparameter = 1.0,
    base_optimizer: GradientTransformation | None = None,
    weight_dimension_numbers: Tree = None,
) -> GradientTransformation:
    """A method within the span of a few singular vectors of each matrix."""
    _without_axes(weight_dimension_numbers)
    base = gdlab.scale_by_adam() if base_optimizer is None else base_optimizer
    return gdlab.in_subspace(base, rank, update_proj_gap, scale)
