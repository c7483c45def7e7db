"""Sweeps that are run again from their results, for some points or with further values."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from gdlab.core.axis import is_axis
from gdlab.core.representation import as_written
from gdlab.sweeps.results.combining.by_label import ByLabel
from gdlab.sweeps.results.recorded import RecordedOptimizer
from gdlab.sweeps.results.scoring import SO_FAR
from gdlab.sweeps.results.selecting import matches

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult


def optimizer_at(result: "SweepResult", point: Mapping[str, Any]) -> Any:
    """The optimizer at a point; see :meth:`gdlab.SweepResult.optimizer_at`."""
    tx = result.optimizers[_optimizer_number(result, point)]
    while isinstance(tx, ByLabel):
        tx = tx.at(point)
    if isinstance(tx, RecordedOptimizer):
        raise ValueError(f"the result was loaded, so the optimizer is known as text alone: {tx}")

    def value(node: Any) -> Any:
        if not is_axis(node):
            return node
        if node.name not in point:
            raise ValueError(
                f"the point has no value for the axis {node.name!r}; it has some for {[*point]}"
            )
        return float(as_written(np.asarray(point[node.name], node.values.dtype)))

    return jax.tree.map(value, tx, is_leaf=is_axis)


def _optimizer_number(result: "SweepResult", point: Mapping[str, Any]) -> int:
    """The position of the optimizer of a point among those of the result."""
    if len(result.optimizers) == 1:
        return 0
    names = result.coords["optimizer"].tolist()
    if point.get("optimizer") not in names:
        raise ValueError(f"say which optimizer, one of {', '.join(names)}, as 'optimizer'")
    return names.index(point["optimizer"])


def rerun(result: "SweepResult", point: Mapping[str, Any], changes: Mapping[str, Any]) -> Any:
    """The sweep of some points alone; see :meth:`gdlab.SweepResult.rerun`."""
    _recipe_of(result, "rerun")
    scores = {"final_loss", SO_FAR, *result.metrics} - {*result.axes, *result.dims}
    labels = {name: [value] for name, value in point.items() if name not in scores}
    return result.select(**labels).recipe.changed(**{"checkpoint": None} | dict(changes)).run()


def extended(result: "SweepResult", axis: str, values: Sequence[float]) -> "SweepResult":
    """The result with more values of an axis; see :meth:`gdlab.SweepResult.extend`."""
    recipe = _recipe_of(result, "extend")
    along = list(result.axes.values())
    alone = [name for name in result.axes if result.axes[name] == name and along.count(name) == 1]
    if axis not in alone:
        raise ValueError(
            f"extend: {axis!r} is not an axis that is a dimension by itself; there are {alone}"
        )
    known, wanted = result.coords[axis], np.asarray(list(dict.fromkeys(values)))
    missing = wanted[~matches(known, wanted).any(axis=0)].tolist() if wanted.size else []
    if not missing:
        return result
    added = recipe.at({axis: missing}).changed(checkpoint=None).run()
    # Dimensions that were dropped from this result have one label in its call.
    dropped = {name: added.coords[name][0] for name in added.dims if name not in result.dims}
    whole = recipe.at({axis: np.union1d(known, missing)})
    return dataclasses.replace(result.merge(added.select(**dropped)), recipe=whole)


def _recipe_of(result: "SweepResult", method: str) -> Any:
    """The call that made the result.

    Raises:
        ValueError: if the result does not know its call, naming the method that needs it.
    """
    if result.recipe is None:
        raise ValueError(
            f"{method}: the loss is not known of a result that was loaded or put together; call "
            "sweep for the other values, and merge what it returns"
        )
    return result.recipe
