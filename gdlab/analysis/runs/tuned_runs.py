"""Runs of several optimizers from one start, each at its own tuned hyperparameter."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from gdlab.analysis.runs.robust_choice import robust_order
from gdlab.core.access import hyperparameters, set_hyperparameters
from gdlab.core.axis import Axis
from gdlab.core.transformation import GradientTransformation
from gdlab.sweeps.results.result import SweepResult
from gdlab.sweeps.sweep import sweep
from gdlab.training.minimize import minimize
from gdlab.training.trajectory import Trajectory

RATES = np.geomspace(1e-4, 10, 51)
"""The default learning rates to try: ten per decade."""
LONGEST_STEP = 0.1
"""The longest allowed step, as a fraction of the window's diagonal, if there is no minimum."""


class Ground(NamedTuple):
    """The known properties of a function of two variables that affect the choice of a value."""

    minimum: float | None
    """The minimum; −∞ if there is none, None if it is not known."""
    floor: float | None = None
    """The lowest value within the window; needed if there is no minimum."""
    window: np.ndarray | None = None
    """((left, right), (bottom, top)); needed if there is no minimum."""


class TunedRuns(NamedTuple):
    """Optimizers at the values that were chosen for them, and their runs."""

    optimizers: dict[str, GradientTransformation]
    runs: dict[str, Trajectory]
    result: SweepResult | None
    """The sweep that tried the values; None if nothing was tuned."""


def tuned_runs(
    problem: Callable[..., Any],
    optimizers: Mapping[str, GradientTransformation],
    start: jax.Array,
    ground: Ground,
    *,
    values: np.ndarray | None,
    hyperparameter: str,
    steps: int,
    key: jax.Array,
    progress: bool,
) -> TunedRuns:
    """Run each optimizer at the most robust of the values that one sweep tries for all.

    Args:
        problem: a function of an array of shape ``(2,)``.
        optimizers: name → optimizer.
        start: the common start, of shape ``(2,)``.
        ground: the known properties of the function.
        values: the values to try, of shape ``(n,)``; None to run the optimizers unchanged.
        hyperparameter: the name of the hyperparameter, as in :func:`gdlab.set_hyperparameters`.
        steps: the number of steps.
        key: PRNG key.
        progress: whether to show the progress bar of the sweep.

    Raises:
        ValueError: if the hyperparameter follows a schedule, or an optimizer reaches the end at
            none of the values.
        KeyError: naming an optimizer that has no such hyperparameter, or several.
    """
    chosen, result = dict(optimizers), None
    if values is not None:
        axis = Axis(hyperparameter, values)
        result = sweep(
            _telling_where(problem),
            start,
            {name: _with_axis(name, tx, axis) for name, tx in chosen.items()},
            steps=steps,
            key=key,
            has_aux=True,
            progress=progress,
        )
        assert isinstance(result, SweepResult)  # all optimizers have the one axis
        best = _chosen_values(result, hyperparameter, ground)
        chosen = {
            name: set_hyperparameters(tx, {hyperparameter: best[name]})
            for name, tx in chosen.items()
        }
    runs = {name: minimize(problem, start, tx, steps, key=key) for name, tx in chosen.items()}
    return TunedRuns(chosen, runs, result)


def constant_value(tx: GradientTransformation, hyperparameter: str) -> float:
    """The value of a hyperparameter; NaN if it does not exist or is not a single number."""
    found = [
        value
        for path, value in hyperparameters(tx).items()
        if f".{path}".endswith(f".{hyperparameter}")
    ]
    constant = not _is_scheduled(tx, hyperparameter) and len(found) == 1
    return float(found[0]) if constant and np.ndim(found[0]) == 0 else np.nan


def _is_scheduled(tx: GradientTransformation, hyperparameter: str) -> bool:
    paths = hyperparameters(tx)
    ends = [path for path in paths if f".{path}".endswith(f".{hyperparameter}")]
    return any(path.startswith(f"{end}.") for end in ends for path in paths)


def _with_axis(name: str, tx: GradientTransformation, axis: Axis) -> GradientTransformation:
    if _is_scheduled(tx, axis.name):
        raise ValueError(
            f"{name}: its {axis.name} follows a schedule, which cannot be tuned as a number; "
            "give a number in its place, or tune=False"
        )
    try:
        return set_hyperparameters(tx, {axis.name: axis})
    except KeyError as error:
        raise KeyError(
            f"{name}: {error.args[0]}; name another hyperparameter=, or run all as they are with "
            "tune=False"
        ) from None


def _telling_where(problem: Callable[..., Any]) -> Callable[..., Any]:
    """The loss with the coordinates as auxiliary values, so that a sweep records the path."""

    def loss(w: jax.Array, **random: Any) -> Any:
        return problem(w, **random), {"w1": w[0], "w2": w[1]}

    loss.__signature__ = inspect.signature(problem)  # whether it takes a key
    return loss


def _chosen_values(result: SweepResult, hyperparameter: str, ground: Ground) -> dict[str, float]:
    """The most robust value of each optimizer.

    Raises:
        ValueError: if an optimizer reaches the end at none of the values.
    """
    _, along, _ = result.dims
    assert result.dims == ("optimizer", along, "seed")
    values, loss = result.coords[along], np.asarray(result.loss[:, :, 0], float)
    bottomless = ground.minimum == -np.inf
    floor = ground.floor if bottomless else ground.minimum
    if floor is None:
        floor = float(np.nanmin(loss, initial=np.inf, where=np.isfinite(loss)))
    leaps = _leaps(result, ground) if bottomless else np.zeros(loss.shape[:2], bool)
    best = {}
    for name, curves, leaping in zip(result.coords["optimizer"], loss, leaps, strict=True):
        curves = np.where(leaping[:, None], np.nan, curves)
        order = robust_order(hyperparameter, values, curves, floor)
        if not order.size:
            raise ValueError(
                f"{name} comes to its end at none of the rates from {values.min():.3g} to "
                f"{values.max():.3g}: give tune others"
            )
        best[str(name)] = float(values[order[0]])
    return best


def _leaps(result: SweepResult, ground: Ground) -> np.ndarray:
    """A mask of runs with too long a step inside the window, of shape ``(optimizer, value)``."""
    assert ground.window is not None
    low, high = np.transpose(ground.window)
    path = np.stack([result.aux[name][:, :, 0] for name in ("w1", "w2")], axis=-1)
    lengths = np.linalg.norm(np.diff(path, axis=-2), axis=-1)
    before = path[..., :-1, :]
    inside = np.all((before >= low) & (before <= high), axis=-1)
    longest = np.max(np.where(inside, lengths, 0), axis=-1, initial=0)
    return ~(longest <= LONGEST_STEP * np.linalg.norm(high - low))
