"""Several results as one: stacked along a new dimension, or merged over all of their labels."""

import dataclasses
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.sweeps.results.labelled import lane_labels
from gdlab.sweeps.results.recorded import form_of
from gdlab.sweeps.results.selecting import LANE_ARRAYS, NO_PARENT, matches, renumbered

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult

AGREEMENT = 1e-3
"""The largest relative difference between the final losses of the same lane in two results."""
COMPLETE = 2
"""The value of :func:`_completeness` for a lane that has come to its end."""


def stacked(dimension: str, results: "Mapping[str, SweepResult]") -> "SweepResult | None":
    """One result with a new first dimension, whose labels are the names of ``results``.

    Parameters are kept if those of all results have the same structure and shapes.

    Returns:
        ``None`` if the results differ in their dimensions, so that they cannot be stacked.
    """
    first, *others = results.values()
    if any(not _has_same_lanes(first, other) for other in others):
        return None

    def stack(get: "Callable[[SweepResult], Any]", axis: int = 0) -> Any:
        trees = [get(result) for result in results.values()]
        return jax.tree.map(lambda *leaves: np.stack(leaves, axis), *trees)

    history = stack(lambda r: r.history, axis=1)  # rungs stay in front
    points = np.arange(len(results) * first.status[..., 0].size).reshape(len(results), -1)
    if "parent" in history:
        parents = zip(np.moveaxis(history["parent"], 1, 0), points, strict=True)
        history["parent"] = np.stack([renumbered(*parent) for parent in parents], axis=1)
    params_dims = ()
    if first.params_dims and all(_alike(first.kept, other.kept) for other in others):
        params_dims = (dimension, *first.params_dims)
    return dataclasses.replace(
        first,
        dims=(dimension, *first.dims),
        coords={dimension: np.asarray(list(results))} | first.coords,
        **{name: stack(operator.attrgetter(name)) for name in LANE_ARRAYS},
        history=history,
        optimizers=tuple(tx for result in results.values() for tx in result.optimizers)
        if dimension == "optimizer"
        else first.optimizers,
        kept=stack(lambda r: r.kept) if params_dims else None,
        params_dims=params_dims,
        recipe=None,
    )


def merged(results: "Sequence[SweepResult]") -> "SweepResult":
    """One result over the union of the labels; see :meth:`gdlab.SweepResult.merge`."""
    return functools.reduce(_merged, results)


class _Union(NamedTuple):
    """The union of the labels of two results along a dimension."""

    coords: dict[str, np.ndarray]
    """The values of the dimension and of the axes along it."""
    size: int
    mine: np.ndarray
    """The positions of the first result's labels in the union."""
    theirs: np.ndarray
    """The positions of the second result's labels in the union."""


class _Filling:
    """A function that merges an array over the lanes of one result with that of another.

    Args:
        mine: the status of the lanes of the first result.
        theirs: the status of the lanes of the second result.
        unions: the union of the labels along each dimension.
    """

    def __init__(self, mine: np.ndarray, theirs: np.ndarray, unions: list[_Union]):
        self.shape = tuple(union.size for union in unions)
        self.mine = np.ix_(*(union.mine for union in unions))
        self.theirs = np.ix_(*(union.theirs for union in unions))
        completeness = np.zeros(self.shape, int)
        completeness[self.mine] = _completeness(mine)
        filled = np.zeros(self.shape, bool)
        filled[self.mine] = filled[self.theirs] = True
        self.has_holes: bool = not filled.all()
        self.wins = _completeness(theirs) > completeness[self.theirs]

    def __call__(self, mine: Any, theirs: Any, hole: Any = np.nan) -> np.ndarray:
        """The merged array, with the values of the lane that ran further.

        Args:
            mine: the array of the first result, which is preferred where both ran equally far.
            theirs: the array of the second result.
            hole: the value of lanes that are in neither result.
        """
        mine, theirs = np.asarray(mine), np.asarray(theirs)
        dtype = self._dtype(mine.dtype, theirs.dtype, hole)
        whole = np.empty(self.shape + mine.shape[len(self.shape) :], dtype)
        if self.has_holes:
            whole[...] = hole
        whole[self.mine] = mine
        wins = self.wins.reshape(self.wins.shape + (1,) * (theirs.ndim - self.wins.ndim))
        whole[self.theirs] = np.where(wins, theirs, whole[self.theirs])
        return whole

    def _dtype(self, mine: np.dtype, theirs: np.dtype, hole: Any) -> np.dtype:
        """The dtype that holds the numbers of both results, and the hole if it is needed."""
        # NumPy cannot promote bfloat16 with other dtypes, nor even with itself.
        dtype = mine if mine == theirs else np.promote_types(mine, theirs)
        if not self.has_holes or jnp.issubdtype(dtype, jnp.inexact):
            return dtype
        is_nan = isinstance(hole, float) and np.isnan(hole)
        return np.promote_types(dtype, np.float32 if is_nan else np.asarray(hole).dtype)


def _merged(one: "SweepResult", other: "SweepResult") -> "SweepResult":
    _require_mergeable(one, other)
    unions = [_union(one, other, dimension) for dimension in one.dims]
    fill = _Filling(one.status, other.status, unions)
    _require_agreement(one, other, fill)
    kept, params_dims = None, ()
    both_all = one.params_dims == other.params_dims == one.dims
    if both_all and _alike(one.kept, other.kept, len(one.dims)):
        kept = jax.tree.map(lambda a, b: fill(a, b, _hole(a)), one.kept, other.kept)
        params_dims = one.dims
    return dataclasses.replace(
        one,
        coords=one.coords | {name: v for union in unions for name, v in union.coords.items()},
        loss=fill(one.loss, other.loss),
        aux={name: fill(one.aux[name], other.aux[name]) for name in one.aux},
        curves={name: fill(one.curves[name], other.curves[name]) for name in one.curves},
        metrics={name: fill(one.metrics[name], other.metrics[name]) for name in one.metrics},
        status=fill(one.status, other.status, "not run"),
        stopped_at=fill(one.stopped_at, other.stopped_at, -1),
        evaluations=fill(one.evaluations, other.evaluations, 0),
        history=_merged_history(one, other, unions[:-1]),
        optimizers=_merged_optimizers(one, other),
        provenance=_merged_provenance(one.provenance, other.provenance),
        kept=kept,
        params_dims=params_dims,
        recipe=None,
    )


def _require_mergeable(one: "SweepResult", other: "SweepResult") -> None:
    """Refuse results of different sweeps.

    Raises:
        ValueError: naming the first difference.
    """
    ours, theirs = _facts(one), _facts(other)
    for name in ours | theirs:
        # An optimizer that only one of them has is a new label.
        if ours.get(name) != theirs.get(name) and not (
            name.startswith("optimizer ") and (name not in ours or name not in theirs)
        ):
            raise ValueError(
                f"results of different sweeps do not merge: {name}: {ours.get(name)} and "
                f"{theirs.get(name)}"
            )


def _facts(result: "SweepResult") -> dict[str, Any]:
    """The properties that must be the same in results that merge."""
    names = result.coords["optimizer"].tolist() if "optimizer" in result.dims else [None]
    fixed = result.coords.keys() - set(result.dims) - set(result.axes)
    return {
        "dimensions": result.dims,
        "axes": result.axes,
        "metrics": sorted(result.metrics),
        "metrics on the way": sorted(result.curves),
        "auxiliary values": sorted(result.aux),
        "history": sorted(result.history),
        **{f"setting {name!r}": value for name, value in result.settings.items()},
        **{f"values of {name!r}": result.coords[name].tolist() for name in sorted(fixed)},
        **{
            "optimizer" if name is None else f"optimizer {name!r}": form_of(tx)
            for name, tx in zip(names, result.optimizers, strict=True)
        },
    }


def _union(one: "SweepResult", other: "SweepResult", dimension: str) -> _Union:
    """The union of the labels of two results along a dimension.

    Two labels are the same if the values of all axes along the dimension agree. If the labels of
    both results are sorted, so is the union; otherwise the second result's new labels are appended.
    Labels of a dimension without an axis of its own, such as ``sample``, are numbered anew.
    """
    names = [name for name, along in one.axes.items() if along == dimension] or [dimension]
    same = np.all([matches(one.coords[name], other.coords[name]) for name in names], axis=0)
    new = ~same.any(axis=0)
    count = len(same)
    mine = np.arange(count)
    theirs = np.where(new, count - 1 + np.cumsum(new), np.argmax(same, axis=0))
    coords = {name: np.concatenate([one.coords[name], other.coords[name][new]]) for name in names}
    if dimension not in coords:
        coords[dimension] = np.arange(count + new.sum())
    elif _is_sorted(one.coords[dimension]) and _is_sorted(other.coords[dimension]):
        order = np.argsort(coords[dimension], kind="stable")
        rank = np.argsort(order)
        coords = {name: values[order] for name, values in coords.items()}
        mine, theirs = rank[mine], rank[theirs]
    return _Union(coords, len(coords[dimension]), mine, theirs)


def _require_agreement(one: "SweepResult", other: "SweepResult", fill: _Filling) -> None:
    """Refuse two results whose runs of the same lane differ in their final loss.

    Raises:
        ValueError: naming the first such lane.
    """
    done, end = np.zeros(fill.shape, bool), np.full(fill.shape, np.nan)
    done[fill.mine] = _completeness(one.status) == COMPLETE
    end[fill.mine] = one.final_loss
    both = done[fill.theirs] & (_completeness(other.status) == COMPLETE)
    ours, theirs = end[fill.theirs], other.final_loss
    apart = both & ~np.isclose(ours, theirs, rtol=AGREEMENT, atol=0.0, equal_nan=True)
    if apart.any():
        lane = tuple(np.argwhere(apart)[0])
        labels = {name: values[lane].item() for name, values in lane_labels(other).items()}
        raise ValueError(
            f"two results have the lane {labels} with different final losses, {ours[lane]:.6g} and "
            f"{theirs[lane]:.6g}: they are not of the same sweep"
        )


def _completeness(status: np.ndarray) -> np.ndarray:
    """The progress of each lane: 0 if not run, 1 if stopped before its end, 2 if complete."""
    ended = np.isin(status, ["ok", "converged", "diverged"])
    return np.select([status == "not run", ended], [0, COMPLETE], 1)


def _merged_history(
    one: "SweepResult", other: "SweepResult", unions: list[_Union]
) -> dict[str, np.ndarray]:
    """The histories of all points.

    Raises:
        ValueError: if both have the history of one point, since seeds train together.
    """
    if not one.history:
        return {}
    mine, theirs = (
        np.where(np.all(result.status == "not run", axis=-1), "not run", "ok")
        for result in (one, other)
    )
    fill = _Filling(mine, theirs, unions)
    run = np.zeros(fill.shape, bool)
    run[fill.mine] = mine == "ok"
    if np.any(run[fill.theirs] & (theirs == "ok")):
        raise ValueError("results with the history of the same population do not merge")
    positions = np.arange(np.prod(fill.shape, dtype=int)).reshape(fill.shape)
    histories = [dict(one.history), dict(other.history)]
    for history, places in zip(histories, (fill.mine, fill.theirs), strict=True):
        if "parent" in history:
            history["parent"] = renumbered(history["parent"], positions[places].ravel())
    filled = {}
    for name in one.history:
        ours, theirs = (np.moveaxis(history[name], 0, -1) for history in histories)
        hole = NO_PARENT if name == "parent" else np.nan
        filled[name] = np.moveaxis(fill(ours, theirs, hole), -1, 0)
    return filled


def _merged_optimizers(one: "SweepResult", other: "SweepResult") -> tuple[Any, ...]:
    """The optimizers of both, those of the first result in front."""
    if "optimizer" not in one.dims:
        return one.optimizers
    ours, theirs = (
        dict(zip(result.coords["optimizer"].tolist(), result.optimizers, strict=True))
        for result in (one, other)
    )
    return tuple((theirs | ours)[name] for name in (ours | theirs))


def _merged_provenance(one: dict[str, str], other: dict[str, str]) -> dict[str, str]:
    """The provenance of both results, with both values of a fact that differs."""
    return {
        name: "; ".join(
            dict.fromkeys(
                part for facts in (one, other) for part in facts.get(name, "").split("; ") if part
            )
        )
        for name in one | other
    }


def _alike(one: Any, other: Any, leading: int = 0) -> bool:
    """Tell whether trees agree in structure and in shapes after ``leading`` dimensions."""
    shapes = [[np.shape(leaf)[leading:] for leaf in jax.tree.leaves(tree)] for tree in (one, other)]
    return jax.tree.structure(one) == jax.tree.structure(other) and shapes[0] == shapes[1]


def _hole(leaf: Any) -> Any:
    """The number that fills the holes of an array: NaN, or 0 in integers."""
    dtype = np.asarray(leaf).dtype
    return np.nan if jax.numpy.issubdtype(dtype, np.inexact) else dtype.type(0)


def _is_sorted(labels: np.ndarray) -> bool:
    return labels.dtype.kind in "iuf" and bool(np.all(np.diff(labels) > 0))


def _has_same_lanes(one: "SweepResult", other: "SweepResult") -> bool:
    return one.dims == other.dims and all(
        np.array_equal(values, other.coords[name]) for name, values in one.coords.items()
    )
