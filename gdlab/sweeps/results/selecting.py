"""Selection of a part of a result, by the labels of its dimensions and axes."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.sweeps.results.combining.by_label import dimensions_of, parts_at
from gdlab.training.models import open_model

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult

TOLERANCE = 1e-6
"""The relative tolerance with which a number matches a label, which is often a float32."""
LANE_ARRAYS = ("loss", "aux", "metrics", "curves", "status", "stopped_at", "evaluations")
"""The fields of a result that are arrays over its lanes, or dictionaries of such arrays."""
NO_PARENT = -1
"""The index for a parent that is not in the result any more."""


def selected(result: "SweepResult", conditions: dict[str, Any]) -> "SweepResult":
    """The lanes that meet all conditions; see :meth:`gdlab.SweepResult.select`."""
    positions: dict[str, list[int]] = {}
    dropped = set()
    for name, condition in conditions.items():
        dimension = result.axes.get(name, name)
        if dimension not in result.dims:
            known = dict.fromkeys([*result.dims, *result.axes])
            raise ValueError(
                f"there is no dimension or axis {name!r}; there are {', '.join(known)}"
            )
        found = _positions(name, result.coords[name], condition)
        before = positions.get(dimension)
        positions[dimension] = found if before is None else [i for i in before if i in found]
        if not positions[dimension]:
            raise ValueError(f"no {dimension} meets the conditions on {', '.join(conditions)}")
        if np.ndim(condition) == 0 and not isinstance(condition, slice) and name == dimension:
            dropped.add(dimension)
    dropped.discard("seed")
    return _at_positions(result, positions, dropped)


def model_of(result: "SweepResult") -> Any:
    """The only model of a result with a single lane; see :meth:`gdlab.SweepResult.model`."""
    if result.kept is None:
        raise ValueError(
            "the result has no parameters: give keep_params='all' or 'best' and, with 'best', no "
            "condition but seed; those of several problems are there only if their models are "
            "alike, and rerun(point, keep_params='all') has those of one point"
        )
    if several := sorted(dimensions_of(result.kept)):
        raise ValueError(
            f"models of several shapes are left: say which, such as model({several[0]}=…)"
        )
    shape = jax.tree.leaves(result.kept)[0].shape[: len(result.params_dims)]
    if left := [f"{n} {name}" for n, name in zip(shape, result.params_dims, strict=True) if n > 1]:
        raise ValueError(
            f"several models are left ({', '.join(left)}): say which, such as model(seed=0)"
        )
    first = (0,) * len(shape)
    return open_model(jax.tree.map(lambda leaf: jnp.asarray(leaf[first]), result.kept)).close()


def _positions(name: str, labels: np.ndarray, condition: Any) -> list[int]:
    """The positions of the labels that match a condition, in the order of the condition."""
    if isinstance(condition, slice):
        if condition.step is not None or labels.dtype.kind not in "iuf":
            raise ValueError(f"{name}: {condition} is no range; slice(low, high) is one of numbers")
        low = -np.inf if condition.start is None else condition.start
        high = np.inf if condition.stop is None else condition.stop
        at_end = matches(labels, np.asarray([low, high])).any(axis=1)
        return np.flatnonzero((labels >= low) & (labels <= high) | at_end).tolist()
    wanted = np.ravel(np.asarray(condition))
    found = matches(labels, wanted)
    missing = wanted[np.flatnonzero(~np.any(found, axis=0))]
    if missing.size:
        known = ", ".join(str(label) for label in np.unique(labels))
        raise ValueError(f"there is no {name} {missing[0]}; there are {known}")
    return list(dict.fromkeys(np.argwhere(found.T)[:, 1].tolist()))


def matches(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A boolean table of the labels that each value matches, of shape ``(labels, values)``.

    A number matches the labels that equal it in their dtype or, if there are none, those within the
    tolerance.
    """
    labels = labels[:, None]
    kinds = labels.dtype.kind + values.dtype.kind
    if "f" not in kinds or set(kinds) - set("iuf"):
        return labels == values
    floats = [array.dtype for array in (labels, values) if array.dtype.kind == "f"]
    coarse = min(floats, key=lambda dtype: dtype.itemsize)
    equal = labels.astype(coarse) == values.astype(coarse)
    close = np.isclose(labels, values, rtol=TOLERANCE, atol=0.0)
    return np.where(equal.any(axis=0), equal, close)


def _at_positions(
    result: "SweepResult", positions: dict[str, list[int]], dropped: set[str]
) -> "SweepResult":
    """The part of a result at some positions along its dimensions.

    Args:
        result: the result.
        positions: dimension → the positions that are kept.
        dropped: the dimensions that are dropped, each of which keeps a single position.
    """

    def take(array: Any, dims: tuple[str, ...]) -> Any:
        """The part of an array that has these dimensions in front."""
        for axis in reversed(range(len(dims))):
            if dims[axis] in dropped:
                array = array[(slice(None),) * axis + (positions[dims[axis]][0],)]
            elif dims[axis] in positions:
                array = array[(slice(None),) * axis + (_index(positions[dims[axis]]),)]
        return array

    dims, point_dims = result.dims, result.dims[:-1]
    coords = {
        name: np.asarray(take(values, (result.axes.get(name, name),)))
        for name, values in result.coords.items()
    }
    # The best point, whose parameters alone are kept, need not be among the selected lanes.
    remain = set(positions) <= {*result.params_dims, *dimensions_of(result.kept)}
    kept, optimizers = result.kept, _optimizers(result, positions.get("optimizer"))
    for name, found in positions.items():
        kept = parts_at(kept, name, found, name in dropped)
        optimizers = tuple(parts_at(tx, name, found, name in dropped) for tx in optimizers)
    cut = [name for name in coords if result.axes.get(name, name) in positions]
    labels = {name: np.ravel(coords[name]).tolist() for name in cut}
    return dataclasses.replace(
        result,
        dims=tuple(name for name in dims if name not in dropped),
        coords=coords,
        axes={name: along for name, along in result.axes.items() if along not in dropped},
        **{
            name: jax.tree.map(lambda values: take(values, dims), getattr(result, name))
            for name in LANE_ARRAYS
        },
        history=_history(result, lambda values: take(values, ("rung", *point_dims))),
        optimizers=optimizers,
        kept=jax.tree.map(lambda leaf: take(leaf, result.params_dims), kept) if remain else None,
        params_dims=tuple(name for name in result.params_dims if name not in dropped)
        if remain
        else (),
        recipe=result.recipe and result.recipe.at(labels),
    )


def _index(positions: list[int]) -> Any:
    """The index for some positions: a slice for a single one, which needs no copy."""
    if len(positions) == 1:
        return slice(positions[0], positions[0] + 1)
    return np.asarray(positions)


def _history(
    result: "SweepResult", take: Callable[[np.ndarray], np.ndarray]
) -> dict[str, np.ndarray]:
    """The history of the selected points, with parents as indices among them."""
    history = {name: take(values) for name, values in result.history.items()}
    if "parent" in history:
        points = result.status[..., 0]
        left = take(np.arange(points.size).reshape(1, *points.shape)).ravel()
        places = np.full(points.size, NO_PARENT)
        places[left] = np.arange(left.size)
        history["parent"] = renumbered(history["parent"], places)
    return history


def renumbered(parent: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The indices of parents after a selection.

    Args:
        parent: the old indices of parents, or ``NO_PARENT``.
        places: the new index for each old index.
    """
    return np.where(parent == NO_PARENT, NO_PARENT, places[parent])


def _optimizers(result: "SweepResult", positions: list[int] | None) -> tuple[Any, ...]:
    """The optimizers at some positions, or all of them."""
    if positions is None:
        return result.optimizers
    return tuple(result.optimizers[position] for position in positions)
