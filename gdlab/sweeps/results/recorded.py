"""The source code of optimizers, as stored in files and as compared between sweeps."""

import dataclasses
from typing import Any

import jax

from gdlab.core.axis import is_axis
from gdlab.sweeps.results.combining.by_label import ByLabel


@dataclasses.dataclass(frozen=True, repr=False)
class RecordedOptimizer:
    """An optimizer of a result that was loaded: its source code, which is never evaluated."""

    source: str
    """The ``repr`` of the optimizer."""
    form: str
    """The source code with the name of each axis in place of its values."""

    def __repr__(self) -> str:
        return self.source


@dataclasses.dataclass(frozen=True, repr=False)
class _AnyAxis:
    name: str

    def __repr__(self) -> str:
        return f"Axis({self.name!r})"


def form_of(optimizer: Any) -> str:
    """The source code of an optimizer, with the name of each axis in place of its values."""
    if isinstance(optimizer, RecordedOptimizer):
        return optimizer.form
    if isinstance(optimizer, ByLabel):
        # A sweep with more labels along this dimension is still the same sweep.
        return f"one for each {optimizer.dimension}"
    named = jax.tree.map(
        lambda node: _AnyAxis(node.name) if is_axis(node) else node, optimizer, is_leaf=is_axis
    )
    return repr(named)
