"""Refinement of the best points of a sweep by derivatives of whole runs."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Count, Length
from gdlab.core.axis import is_axis
from gdlab.core.ranges import widest_float
from gdlab.core.transformation import GradientTransformation
from gdlab.sweeps.direction import is_maximized
from gdlab.sweeps.refinement.descent import Descent, descend_together, perturbed
from gdlab.sweeps.refinement.outcome import CHAOTIC, Refinement, best_of
from gdlab.sweeps.refinement.runs import value_along
from gdlab.sweeps.refinement.starts import Bounds, Starts, coordinates_of, starts_of
from gdlab.sweeps.refinement.surface import NotPositiveError, Scale, Surface
from gdlab.sweeps.refinement.trust import LARGEST_DISAGREEMENT, disagreement
from gdlab.sweeps.refinement.values import RunValues, ValueOf
from gdlab.sweeps.results.result import SweepResult


@checked
def refine(
    result: SweepResult,
    over: Sequence[str] | None = None,
    *,
    metric: str = "final_loss",
    maximize: bool | None = None,
    objective: Callable[[GradientTransformation], jax.Array] | None = None,
    starts: Length = 1,
    steps: Count = 100,
    bounds: Mapping[str, Bounds] | None = None,
) -> Refinement:
    """Descend from the best points of a sweep by gradients through whole training runs.

    The runs are those of the sweep, with its seeds and batches. Their mean final loss is
    differentiated with respect to the hyperparameters, by forward mode through all steps, and
    minimised by BFGS from each start::

        x ← x − α B ∂log L/∂x,    θ = eˣ, or 1/(1 + e⁻ˣ) for a decay

    Hyperparameters without bounds are not transformed, and a loss that is not positive is minimised
    without the logarithm. No step leaves the bounds. A hyperparameter that starts on its bound,
    such as a momentum of 0, stays there.

    At each start, and again at each end, the gradient is compared with central differences over
    changes of 1 % to 0.01 %. Where they contradict each other, as in training that is chaotic, the
    status says so, and nothing is descended from that start.

    Args:
        result: the result of :func:`gdlab.sweep`, for one optimizer on one problem.
        over: the hyperparameters to refine: names of axes, or the ends of paths to numbers in the
            optimizer, such as ``"b1"`` or ``"learning_rate.peak_value"``; by default all axes.
        metric: "final_loss", or the name of a differentiable evaluation metric. It chooses the
            starts, and is minimised unless there is an ``objective``.
        maximize: whether more of it is better, unless its name tells.
        objective: ``objective(tx)``, a real scalar to be minimised in place of the metric, such as
            a rate of convergence.
        starts: the number of descents, which start from the best points of the sweep.
        steps: the largest number of BFGS steps of a descent; each costs a few evaluations.
        bounds: name → ``(low, high)``, with None for no bound; by default (0, 1) for decays and (0,
            None) for other hyperparameters that are not negative.

    Returns:
        A :class:`Refinement`, which prints as a table. No descent ends worse than it started.

    Raises:
        ValueError: if the result was loaded or merged, has several optimizers or problems, or no
            point that trained to its end; if a loader gives its batches; or a start is out of
            bounds.
        KeyError: if a name in ``over`` fits no hyperparameter.
        TypeError: if the objective returns anything but a real scalar.

    >>> import jax.numpy as jnp
    >>> from gdlab import Axis, refine, sgd, sweep
    >>> curvature, start = jnp.array([1.0, 3.0]), jnp.array([3.0, 1.0])
    >>> rates = Axis("learning_rate", [0.1, 0.3, 0.6])
    >>> result = sweep(lambda w: jnp.sum(curvature * w**2) / 2, start, sgd(rates), steps=5)
    >>> refined = refine(result)
    >>> round(refined.best()["learning_rate"], 3)  # 2/(L + μ)
    0.5
    >>> tx = refined.optimizer
    """
    maximize = is_maximized(metric, maximize)
    begin = starts_of(result, over or (), metric=metric, maximize=maximize, count=starts)
    surface = _surface(
        begin, _names(begin, over), bounds or {}, value_along(begin, metric, objective)
    )
    maximize = maximize and objective is None
    # A NaN of a run that diverges is a result, and no error.
    with jax.debug_nans(False), jax.debug_infs(False):
        first = surface.values(surface.start)
        try:
            surface = surface.scaled(Scale.of(first, maximize=maximize, logarithmic=True))
            descended = _descended(surface, steps)
        except NotPositiveError:
            surface = surface.scaled(Scale.of(first, maximize=maximize, logarithmic=False))
            descended = _descended(surface, steps)
    named = metric if objective is None else getattr(objective, "__name__", "objective")
    return _outcome(begin, surface, descended, metric=named, maximize=maximize)


def _names(begin: Starts, over: Sequence[str] | None) -> list[str]:
    """The names of the refined hyperparameters, as ``begin`` spells them."""
    if over is not None and len(set(over)) < len(over):
        raise ValueError(f"over must name each hyperparameter once, unlike {list(over)}")
    names = list(begin.points) if over is None else [begin.name_of(name) for name in over]
    if not names:
        raise ValueError(
            "over: there is nothing to refine: the sweep has no axis, so name hyperparameters of "
            "the optimizer, as by over=['learning_rate']"
        )
    return list(dict.fromkeys(names))


def _surface(
    begin: Starts, names: list[str], bounds: Mapping[str, Bounds], value_of: ValueOf
) -> Surface:
    """The function to descend, not yet scaled."""
    coordinates = coordinates_of(begin, names, bounds)
    given = np.stack([begin.points[name] for name in names], axis=1)
    return Surface(
        run_values=RunValues(value_of, names),
        coordinates=coordinates,
        held={name: values for name, values in begin.points.items() if name not in names},
        given=given,
        free=np.stack([one.contains(v) for one, v in zip(coordinates, given.T, strict=True)], 1),
        scale=Scale(1.0),
    )


class Descended(NamedTuple):
    """The descents from all starts, and how far their gradients can be trusted."""

    descents: list[Descent]
    trusted: np.ndarray
    """True where the gradient at a start tells how the value changes, of shape ``(starts,)``."""
    disagreement: np.ndarray
    """The disagreement at each start and at its end, of shape ``(starts, 2)``."""


def _descended(surface: Surface, steps: int) -> Descended:
    """Descend from all starts whose gradients can be trusted."""
    rounding = float(np.finfo(widest_float()).eps)
    start = surface.start

    def doubt(points: np.ndarray, gradients: np.ndarray) -> np.ndarray:
        # Rounding errors of the differences are larger than a nearly zero gradient.
        small = np.max(np.abs(gradients), axis=1) <= 10 * np.sqrt(rounding)
        if np.all(small):
            return np.full(len(points), np.nan)
        return np.where(small, np.nan, disagreement(surface.values, points, gradients))

    values, gradients = surface.with_gradients(start)
    before = doubt(start, gradients)
    if np.any(before > LARGEST_DISAGREEMENT):
        # A kink is left behind by a small move, chaos is not.
        aside = perturbed(start)
        before = np.fmin(before, doubt(aside, surface.with_gradients(aside)[1]))
    trusted = ~(before > LARGEST_DISAGREEMENT) | ~np.isfinite(values)
    moving = dataclasses.replace(surface, free=surface.free & trusted[:, None])
    descents = descend_together(start, moving.with_gradients, steps=steps, rounding=rounding)
    ends = np.stack([descent.points[-1] for descent in descents])
    after = doubt(ends, np.stack([descent.gradient for descent in descents]))
    apart = np.stack([before, np.where(trusted, after, before)], axis=1)
    return Descended(descents, trusted, apart)


def _outcome(
    begin: Starts, surface: Surface, descended: Descended, *, metric: str, maximize: bool
) -> Refinement:
    descents, trusted, apart = descended
    names = [coordinate.name for coordinate in surface.coordinates]
    paths = [surface.hyperparameters(one.points, i) for i, one in enumerate(descents)]
    values = tuple(surface.scale.measured(one.values) for one in descents)
    best = best_of(values, maximize)
    point = {name: float(given[best]) for name, given in begin.points.items()}
    point |= dict(zip(names, paths[best][-1].tolist(), strict=True))

    def at_best(node: Any) -> Any:
        return point[node.name] if is_axis(node) else node

    return Refinement(
        names=tuple(names),
        metric=metric,
        maximize=maximize,
        paths=tuple(paths),
        values=values,
        status=tuple(
            one.ending if is_trusted else CHAOTIC
            for one, is_trusted in zip(descents, trusted, strict=True)
        ),
        disagreement=apart,
        evaluations=surface.run_values.evaluations,
        optimizer=jax.tree.map(at_best, begin.places.tx, is_leaf=is_axis),
        hyperparameters=jax.tree.map(at_best, begin.places.hyperparameters, is_leaf=is_axis),
    )
