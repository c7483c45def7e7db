"""How points of a sweep are compared: one number for each, from those of its lanes."""

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult

Rule = Literal["median", "mean", "min", "max"]
RULES = {"median": np.nanmedian, "mean": np.nanmean, "min": np.nanmin, "max": np.nanmax}
FINISHED = ("ok", "converged")
"""What the status of a lane is that has a final value."""


def lane_values(result: "SweepResult", metric: str) -> np.ndarray:
    """The metric of each lane, NaN where it did not finish.

    Raises:
        ValueError: if there is no such metric.
    """
    known = {"final_loss": result.final_loss, **result.metrics}
    if metric not in known:
        raise ValueError(f"there is no metric {metric!r}; there are {', '.join(known)}")
    return np.where(np.isin(result.status, FINISHED), known[metric], np.nan)


def scores(
    result: "SweepResult",
    metric: str = "final_loss",
    *,
    over: str | tuple[str, ...] = "seed",
    rule: Rule = "median",
    maximize: bool = False,
) -> np.ndarray:
    """The metric with the dimensions ``over`` reduced; ±∞ is the worst.

    A lane without a value counts as the worst, but one that was not run does not count at all.

    Raises:
        ValueError: if there is no such metric, dimension or rule.
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, not {rule!r}")
    values = lane_values(result, metric)
    worst = -np.inf if maximize else np.inf
    values = np.where(np.isnan(values), worst, values)
    not_run = result.status == "not run"
    positions = tuple(map(result.dims.index, reduced_dims(result, over)))
    hole = not_run & ~np.all(not_run, axis=positions, keepdims=True)
    return RULES[rule](np.where(hole, np.nan, values), axis=positions)


def reduced_dims(result: "SweepResult", over: str | tuple[str, ...]) -> tuple[str, ...]:
    """The names in ``over``, each of which must be a dimension of a lane."""
    names = (over,) if isinstance(over, str) else tuple(over)
    for name in names:
        if name not in result.dims:
            raise ValueError(
                f"over: there is no dimension {name!r}; there are {', '.join(result.dims)}"
            )
    return names


def best_position(scores: np.ndarray, maximize: bool) -> tuple[int, ...] | None:
    """Where the best score stands, ``None`` if no score is finite."""
    if not np.any(np.isfinite(scores)):
        return None
    ordered = np.where(np.isfinite(scores), -scores if maximize else scores, np.inf)
    return tuple(int(i) for i in np.unravel_index(np.argmin(ordered), scores.shape))
