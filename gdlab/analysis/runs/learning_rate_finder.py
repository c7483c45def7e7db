"""The learning rate finder: a range test that trains at all learning rates at once."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from gdlab.analysis.runs import range_test
from gdlab.analysis.runs.curvature_bound import CurvatureBound, curvature_bound
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Count, Key, Length
from gdlab.core.access import set_hyperparameters
from gdlab.core.axis import Axis, is_axis
from gdlab.core.schedule import Schedule
from gdlab.core.transformation import GradientTransformation, as_transformation
from gdlab.sweeps.results.ranges import Edge
from gdlab.sweeps.results.result import SweepResult
from gdlab.sweeps.sweep import sweep
from gdlab.training.problem import Problem

FROM_THE_EDGE = 2.0
"""The least factor between the largest stable rate and the suggestion."""
ROUNDING = 1e-6
"""The relative difference of losses below which they count as equal."""


@dataclasses.dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class LearningRates:
    """The outcome of a range test of the learning rate; made by :func:`find_learning_rate`."""

    suggestion: float
    """The suggested rate: ``minimum``, or half of the largest stable rate if that is less."""
    why: str
    """The reason for the suggestion, in a few sentences."""
    steepest: float
    """The rate at which the loss falls fastest with the logarithm of the rate."""
    valley: float
    """The middle, on the logarithmic scale, of the longest fall of the loss."""
    minimum: float
    """The rate of the smallest loss: the middle of the rates whose losses equal the best within
    noise."""
    edge: Edge
    """The largest stable rate, with its bracket. One or two neighbouring rates that diverged below
    it are ignored as accidents."""
    bound: float
    """The largest stable rate predicted from the initial curvature, 2/sharpness for gradient
    descent; NaN if there is no prediction, as for methods that take signs of gradients, or for data
    from an iterator."""
    curve: np.ndarray
    """The smoothed loss of each rate, of shape ``(rate,)``; ∞ where it diverged."""
    result: SweepResult
    """The sweep with all lanes of the range test."""

    @property
    def rates(self) -> np.ndarray:
        """The learning rates that were tried, from the lowest up."""
        return self.result.coords[self.result.dims[0]]

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss over the rate, the found rates and divergence; needs the extra ``lab``.

        Args:
            ax: the matplotlib axes to draw on; new ones unless given.

        Returns:
            The matplotlib axes.
        """
        from gdlab.plots.analysis.learning_rate import plot_learning_rates

        points = range_test.curve(self.result.loss, _accidents(self.result)).values
        marks = {name: getattr(self, name) for name in ("steepest", "valley", "minimum")}
        return plot_learning_rates(
            self.rates,
            points,
            self.curve,
            marks=marks,
            suggestion=self.suggestion,
            edge=self.edge.bracket,
            bound=self.bound,
            ax=ax,
        )

    def __repr__(self) -> str:
        names = ("suggestion", "steepest", "valley", "minimum", "bound")
        numbers = [f"{name}={getattr(self, name):.3g}" for name in names]
        below, above = self.edge.bracket
        numbers.insert(-1, f"edge={below:.3g} to {above:.3g}")
        return f"<LearningRates {', '.join(numbers)}>"


@checked
def find_learning_rate(
    loss: Callable[..., Any],
    params: Any,
    tx: GradientTransformation,
    data: Any = None,
    *,
    hyperparameter: str = "learning_rate",
    low: float = 1e-6,
    high: float = 1e2,
    number: Length = 64,
    steps: Count = 100,
    batch_size: int | None = None,
    seeds: Length | Sequence[int] = 1,
    key: Key | None = None,
    has_aux: bool = False,
    model_state: Any = None,
    progress: bool = True,
) -> LearningRates:
    """Train for a few steps at many learning rates at once, and suggest a learning rate.

    Each lane starts from the initial parameters and keeps its rate, so that its final loss belongs
    to this rate alone. In the usual range test a single run passes through all rates, so that its
    loss at one rate depends on the lower ones, and a spike distorts the rest of the curve. Here the
    loss of a rate is the median over the last quarter of its steps and over its seeds, smoothed by
    the median of five neighbouring rates, so that neither a spike nor one or two accidental lanes
    matter.

    The best rate depends on the length of training. For long training with batches, let a schedule
    decay from the suggestion.

    Args:
        loss: ``loss(params, batch)``, or ``loss(params)`` without data, as in :func:`gdlab.sweep`.
        params: the initial parameters: a tree of arrays, or a model as in :func:`gdlab.minimize`;
            or a function ``init(key)`` that returns them, so that they differ between seeds.
        tx: an optimizer; its present learning rate does not matter.
        data: a tree of arrays whose leading axis counts the examples, or a loader: an iterable of
            batches, as in :func:`gdlab.sweep`. Its first batches are read a second time, for
            ``bound``.
        hyperparameter: the path of the learning rate in ``tx``, or the end of the path, as in
            :func:`gdlab.set_hyperparameters`.
        low: the lowest rate.
        high: the highest rate; some should diverge, or the edge is not found.
        number: the number of rates, spaced geometrically.
        steps: the number of training steps at each rate.
        batch_size: the number of examples in a batch; ``None`` for all examples.
        seeds: the number of seeds, or a sequence of seeds.
        key: the PRNG key from which the seeds' keys are derived; by default ``jax.random.key(0)``.
        has_aux: whether ``loss`` returns ``(loss, aux)``.
        model_state: a state that the loss carries beside the parameters, as in
            :func:`gdlab.minimize`.
        progress: whether to show a progress bar, in a terminal or a notebook.

    Raises:
        ValueError: if the learning rate follows a schedule, the arguments contain axes, the range
            is empty, or no rate can be suggested: all rates diverge, the loss is smallest at the
            lowest rate, or it does not fall. The last three messages say which range to try next.
        TypeError: if ``loss`` is not a function.
        KeyError: if ``hyperparameter`` matches no number in ``tx``, or several.

    >>> from gdlab import sgd
    >>> from gdlab.analysis import find_learning_rate
    >>> found = find_learning_rate(lambda w: 2.0 * w**2, 1.0, sgd(0.1))
    >>> below, above = found.edge.bracket
    >>> below < 2 / 4.0 < above
    True
    >>> 0.15 < found.suggestion < 0.3
    True
    """
    for what, tree in (("tx", tx), ("params", params)):
        if any(map(is_axis, jax.tree.leaves(tree, is_leaf=is_axis))):
            raise ValueError(f"{what} has axes: find the learning rate at one of their points")
    if number < 2 * range_test.WINDOW:
        raise ValueError(f"number: a curve needs {2 * range_test.WINDOW} rates, not {number}")
    if not 0 < low < high < np.inf:
        raise ValueError(f"low and high must be positive, finite and rise, not {low}, {high}")
    rates = Axis(hyperparameter, np.geomspace(low, high, number))
    tx = as_transformation(tx)
    swept = _with_axis(tx, hyperparameter, rates)
    key = jax.random.key(0) if key is None else key
    result = sweep(
        loss,
        params,
        swept,
        data,
        steps=steps,
        batch_size=batch_size,
        seeds=seeds,
        key=key,
        has_aux=has_aux,
        model_state=model_state,
        progress=progress,
    )
    assert isinstance(result, SweepResult)  # of one optimizer on one problem
    bound = curvature_bound(
        Problem(loss, params, data),
        tx,
        hyperparameter,
        key=key,
        seed=result.coords["seed"][0],
        batch_size=batch_size,
        has_aux=has_aux,
        model_state=model_state,
    )
    return _read(result, bound)


def _with_axis(
    tx: GradientTransformation, hyperparameter: str, rates: Axis
) -> GradientTransformation:
    """The optimizer with an axis in place of its learning rate."""
    swept = set_hyperparameters(tx, {hyperparameter: rates})
    nodes = jax.tree.leaves(swept, is_leaf=lambda node: isinstance(node, Schedule))
    for node in nodes:
        if isinstance(node, Schedule) and any(map(is_axis, jax.tree.leaves(node, is_leaf=is_axis))):
            raise ValueError(
                f"{hyperparameter} follows a schedule, but a range test trains at constant rates: "
                "give tx with a number in its place, whichever, and let the schedule begin or peak "
                "at what is found"
            )
    return swept


def _accidents(result: SweepResult) -> np.ndarray:
    """A mask of the rates that are ignored because they diverged by accident."""
    return range_test.accidents(np.any(result.status == "diverged", axis=-1))


def _read(result: SweepResult, bound: CurvatureBound) -> LearningRates:
    """Read the learning rates off the lanes.

    Raises:
        ValueError: if the lanes suggest no learning rate.
    """
    passed_over = _accidents(result)
    name = result.dims[0]
    rates = result.coords[name]
    edge = result.select(**{name: rates[~passed_over]}).edge(name)
    curve = range_test.curve(result.loss, passed_over)
    if np.all((result.status == "diverged") & (result.stopped_at == 0)):
        raise ValueError(
            "the loss is not finite at the start, before the learning rate has had any part in it: "
            "look at the loss, the data and the parameters that it starts from"
        )
    if np.isnan(edge.value) or np.isinf(curve.smooth[0]):
        raise ValueError(
            f"all learning rates from {rates[0]:.3g} up diverged, but for a few at most: try lower "
            f"ones, such as low={rates[0] / 1e4:.1g}"
        )
    stable = curve.smooth[rates <= edge.value]
    best = int(np.argmin(stable))
    noise = curve.noise[best] + ROUNDING * abs(stable[best])
    fall = np.max(stable[: best + 1]) - stable[best]
    if fall <= noise:
        raise ValueError(_nothing_falls(rates, stable, noise, result.settings["steps"]))
    first, last = range_test.minimum(stable, noise)
    falling = stable[: last + 1]
    positions = {
        "steepest": range_test.steepest(falling),
        "valley": range_test.valley(falling, max(range_test.MIN_RELATIVE_FALL * fall, noise)),
        "minimum": (first + last) // 2,
    }
    found = {what: float(rates[position]) for what, position in positions.items()}
    half = edge.value / FROM_THE_EDGE if np.isfinite(edge.bracket[1]) else np.inf
    sentences = [
        f"After {result.settings['steps']} steps the loss is smallest around "
        f"{found['minimum']:.3g}: {stable[best]:.3g}, against {stable[best] + fall:.3g} at lower "
        "rates.",
        f"None from {rates[first]:.3g} to {rates[last]:.3g} can be told from the best."
        if first < last
        else "",
        "Stability ends between {:.3g} and {:.3g}.".format(*edge.bracket)
        if np.isfinite(edge.bracket[1])
        else f"Nothing diverged up to {rates[-1]:.3g}, so the end of stability is not known.",
        "The minimum is close to it, so half of the largest stable rate is suggested."
        if half < found["minimum"]
        else "",
        "The loss still falls at the highest rate, so a higher one may do better: raise high."
        if last == len(rates) - 1
        else "",
        bound.why,
        f"That {_listed(rates[passed_over])} diverged as well is taken for an accident."
        if passed_over.any()
        else "",
    ]
    return LearningRates(
        **found,
        suggestion=min(found["minimum"], half),
        why=" ".join(filter(None, sentences)),
        edge=edge,
        bound=bound.value,
        curve=curve.smooth,
        result=result,
    )


def _listed(rates: np.ndarray) -> str:
    return ", ".join(f"{rate:.3g}" for rate in rates)


def _nothing_falls(rates: np.ndarray, stable: np.ndarray, noise: float, steps: int) -> str:
    """The error message if the loss at no rate is below that at the lowest rate."""
    if len(stable) < len(rates) or np.any(stable > stable[0] + noise):
        return (
            f"the loss after {steps} steps is smallest at the lowest learning rate, "
            f"{rates[0]:.3g}: try lower ones, such as low={rates[0] / 1e4:.1g}"
        )
    return (
        f"the loss does not fall in {steps} steps at learning rates up to {rates[-1]:.3g}: try "
        f"higher ones, such as high={rates[-1] * 1e4:.1g}, or more steps"
    )
