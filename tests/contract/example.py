"""One use of a public transformation, and where the contract makes an exception for it."""

from typing import NamedTuple

from gdlab import GradientTransformation


class Example(NamedTuple):
    tx: GradientTransformation
    rests: bool = True
    """Whether zero gradients leave the parameters alone; weight decay, say, does not."""
    on_complex: str | None = "direction"
    """Whether a phase of the gradients is a phase of the updates, which then are a "direction", or
    is lost in them, so that they are a "size". None: it is not for complex numbers."""
    source: bool = True
    """Whether its repr is its source and it can be pickled."""
    counts_calls: bool = True
    """Whether its schedules advance at every call."""
    keeps_nan: bool = True
    """Whether a NaN stays where it was in the gradient, and shows there and nowhere else."""
    bears_extremes: bool = True
    """Whether updates and state stay finite under gradients of 1e30 and of 1e-30, and of 1e3 and of
    6e-8 in float16, which does not hold the squares of the former."""
    derivatives: bool = True
    """Whether derivatives by its numbers exist where the directions of equal gradients do not."""
    by_element: bool = True
    """Whether the updates of an array cut into many are those of the whole."""
    keeps_dtypes: bool = True
    """Whether updates have the dtypes of gradients and parameters, and are not wider."""
    random: bool = False
    """Whether the updates depend on the key, so that two beside each other differ."""
