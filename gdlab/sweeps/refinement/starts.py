"""The points of a sweep from which a refinement starts, and the runs that belong to them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gdlab.axes.grid import Points, axes_with_paths
from gdlab.core.access import hyperparameters, only_match, set_hyperparameters
from gdlab.core.axis import Axis, is_axis
from gdlab.core.decays import is_decay
from gdlab.core.representation import as_written
from gdlab.sweeps.plan.axis_arguments import AxisArguments
from gdlab.sweeps.plan.sweep_call import SweepCall
from gdlab.sweeps.refinement.coordinates import Coordinate
from gdlab.sweeps.results.result import SweepResult
from gdlab.sweeps.results.scoring import scores

START = "start"
"""The dimension along which the starts lie."""
Bounds = tuple[float | None, float | None]


class Starts(NamedTuple):
    """Several points, with axes in place of all hyperparameters that differ or are refined."""

    recipe: SweepCall
    """The call of the sweep, of one optimizer on one problem."""
    places: AxisArguments
    """The arguments in which axes stand, with axes along the starts."""
    points: Points
    """The value of each axis at each start."""
    paths: dict[str, str]
    """The path at which each axis stands among the arguments."""

    def name_of(self, name: str) -> str:
        """The axis that a name means: the name of the axis, or the end of its path."""
        return _leaf(self.places.tx, name, self.points)[0]


def starts_of(
    result: SweepResult, extra: Sequence[str], *, metric: str, maximize: bool, count: int
) -> Starts:
    """The best points of a result, and those leaves of its optimizer that are refined as well.

    Args:
        result: the result of a sweep.
        extra: names of hyperparameters to refine; those that are not axes become axes.
        metric: the metric that ranks the points.
        maximize: whether more of it is better.
        count: the number of points at most.

    Raises:
        ValueError: if the result was loaded or merged, has several optimizers or problems or no
            point that trained to its end, or a hyperparameter is a schedule or an array.
        KeyError: if there is no such hyperparameter.
    """
    recipe = _recipe_of_one(result)
    places = recipe.axis_arguments
    points = _best_points(result, places, metric, maximize, count)
    size = len(next(iter(points.values()))) if points else 1
    tx = places.tx
    for name in extra:
        path, value = _leaf(tx, name, points)
        if path not in points:
            tx = set_hyperparameters(tx, {path: Axis(path, [value], START)})
            points[path] = np.full(size, value)
    places = places._replace(tx=tx).with_values(points, START)
    paths = {axis.name: path for path, axis in reversed(axes_with_paths(places))}
    return Starts(recipe, places, points, paths)


def coordinates_of(
    starts: Starts, names: Sequence[str], bounds: Mapping[str, Bounds]
) -> list[Coordinate]:
    """The coordinate of each refined hyperparameter.

    By default a decay lies between 0 and 1, and any other number that is not negative above 0.

    Raises:
        ValueError: if there are bounds for a name that is not refined, or a start lies out of
            bounds.
    """
    for name in bounds:
        if name not in names:
            raise ValueError(f"bounds: {name!r} is not refined; that is {', '.join(names)}")
    found = []
    for name in names:
        values = starts.points[name]
        low, high = _bounds(bounds[name]) if name in bounds else _usual_bounds(starts, name)
        if not low < high or np.any(values < low) or np.any(values > high):
            raise ValueError(
                f"bounds: {name!r} starts from {values.tolist()}, which must lie between bounds "
                f"that rise, not {low} and {high}"
            )
        found.append(Coordinate(name, low, high, float(np.max(np.abs(values))) or 1.0))
    return found


def _bounds(bounds: Bounds) -> tuple[float, float]:
    low, high = bounds
    return (-np.inf if low is None else float(low), np.inf if high is None else float(high))


def _usual_bounds(starts: Starts, name: str) -> tuple[float, float]:
    values = starts.points[name]
    if all(is_decay(starts.paths[name], value) for value in values):
        return 0.0, 1.0
    return (0.0 if np.min(values) >= 0 else -np.inf), np.inf


def _recipe_of_one(result: SweepResult) -> SweepCall:
    recipe = result.recipe
    if recipe is None:
        raise ValueError(
            "refine: the loss is not known of a result that was loaded or put together; call "
            "sweep again, for its best points alone"
        )
    for kind, argument in (("problem", "loss"), ("optimizer", "tx")):
        given = recipe.arguments[argument]
        if isinstance(given, Mapping):
            if len(given) > 1:
                name = next(iter(given))
                raise ValueError(
                    f"refine takes one {kind}, and the result has {', '.join(given)}: select "
                    f"one, as by result.select({kind}={name!r})"
                )
            recipe = recipe.only(**{kind: next(iter(given))})
    return recipe


def _best_points(
    result: SweepResult, places: AxisArguments, metric: str, maximize: bool, count: int
) -> Points:
    """The values of all axes at the best points, the best first."""
    ranked = scores(result, metric, maximize=maximize)
    ranked = -ranked if maximize else ranked
    order = np.argsort(ranked, axis=None, kind="stable")
    cells = order[np.isfinite(ranked.ravel()[order])][:count]
    if not cells.size:
        raise ValueError(f"no point has a finite {metric}: there is none to start from")
    position = dict(zip(result.dims[:-1], np.unravel_index(cells, ranked.shape), strict=True))
    points: Points = {}
    for _, axis in axes_with_paths(places):
        if axis.name in result.axes:
            values = result.coords[axis.name][position[result.axes[axis.name]]]
        else:
            # A dimension that ``select`` dropped has a single label.
            values = np.repeat(np.asarray(axis.values), len(cells))
        points[axis.name] = as_written(values)
    return points


def _leaf(tx: Any, name: str, points: Points) -> tuple[str, float]:
    """The name of an axis, or else the path and value of the one number that a name fits."""
    if name in points:
        return name, 0.0
    values = hyperparameters(tx)
    path = only_match(name, list(values))
    value = values[path]
    if is_axis(value):
        return value.name, 0.0
    knots = [other for other in values if other.startswith(f"{path}.")]
    if knots:
        raise ValueError(
            f"over: {path!r} is a schedule; refine its numbers, which are {', '.join(knots)}"
        )
    if np.ndim(value):
        raise ValueError(
            f"over: {path!r} is an array of shape {np.shape(value)}, and only numbers are refined"
        )
    return path, float(value)
