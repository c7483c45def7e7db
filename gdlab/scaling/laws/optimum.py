"""The best learning rate of one model, by a parabola in the logarithm of the rate."""

import dataclasses
import math
from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Between
from gdlab.checks.values import real_numbers
from gdlab.scaling.laws.fieller import EVERYWHERE, Confidence, Interval
from gdlab.scaling.laws.parabola import Parabola, fitted_parabola

Edge: TypeAlias = Literal["", "low", "high", "divergence"]
Transform: TypeAlias = Literal["log", "identity", "negation"]
"""The function of the metric that is fitted and minimised."""
Window: TypeAlias = Annotated[float, Between(1)]
"""The largest factor between the best rate and a fitted rate."""
LEAST_POINTS = 5
"""The number of rates that are fitted even if they lie outside of the window."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optimum:
    """The best learning rate of one cell of a sweep; made by :func:`fit_optimum`."""

    rate: float
    """The best learning rate: the vertex of the parabola, or the best tried rate if the vertex is
    meaningless."""
    interval: Interval
    """The confidence interval of the rate; 0 or ∞ at an end that the tried rates leave open."""
    best_tried: float
    """The rate with the best mean among those that were tried."""
    edge: Edge
    """The end of the range at which the best rate lies: "low" or "high" if the next rate was not
    tried, "divergence" if it diverged, "" if the rate is inside the range."""
    is_flat: bool
    """True if the curvature is not significantly positive, so that the interval is the whole
    range."""
    rates: np.ndarray
    """All rates at which every seed trained to its end, around the best one."""
    values: np.ndarray
    """The mean over the seeds of the transformed loss at ``rates``."""
    diverges_from: float
    """The lowest rate above ``rates`` at which a seed diverged, ∞ if there is none."""
    transform: Transform
    """The fitted function of the metric: "log" for positive losses, "identity" for others,
    "negation" if more is better."""
    parabola: Parabola | None
    """The fit, or None where there were too few rates."""
    confidence: float

    @property
    def is_reliable(self) -> bool:
        """True if the optimum lies within the range, or is bounded by divergence."""
        is_bounded = self.interval[0] > 0 and self.interval[1] < math.inf
        return is_bounded and not self.is_flat

    @property
    def best_value(self) -> float:
        """The metric at the best rate: the median of a log-normal loss, or else the mean."""
        value = self.value_at(self.rate)
        return {"log": math.exp(value), "identity": value, "negation": -value}[self.transform]

    @property
    def warning(self) -> str:
        """The reason why the optimum is unreliable, or "" if there is none."""
        if self.edge in ("low", "high"):
            end, beyond = ("lower", "smaller") if self.edge == "low" else ("upper", "larger")
            return (
                f"the best rate is at the {end} end of the range, {self.rate:.3g}: "
                f"try {beyond} rates"
            )
        if self.edge == "divergence":
            return f"training diverges right above the best rate {self.rate:.3g}"
        if self.is_flat:
            return "the loss is so flat or so noisy that no rate is better than the others"
        return ""

    @checked
    def value_at(self, rate: Annotated[float, Between(0, math.inf, True)]) -> float:
        """The mean value at a rate, interpolated between the tried rates.

        It is ∞ where training diverges, and NaN where no rate was tried.
        """
        if rate >= self.diverges_from:
            return math.inf
        at = math.log(rate)
        logs = np.log(self.rates)
        return float(np.interp(at, logs, self.values, left=math.nan, right=math.nan))

    def __repr__(self) -> str:
        low, high = self.interval
        found = f"<Optimum {self.rate:.3g} ({self.confidence:.0%}: {low:.3g} to {high:.3g})"
        return f"{found}; {self.warning}>" if self.warning else f"{found}>"


@checked
def fit_optimum(
    rates: ArrayLike,
    losses: ArrayLike,
    *,
    window: Window = 3.0,
    confidence: Confidence = 0.95,
    maximize: bool = False,
) -> Optimum:
    """The best learning rate, by a parabola through the losses near the best of those tried.

    log L(η) ≈ a + b·u + c·u², u = log₂ η, with the vertex at u = −b/(2c)

    A loss is a parabola in log η only near its minimum, so the fit takes the rates within a factor
    ``window`` of the best, and at least five. The interval is Fieller's interval of the vertex, the
    wider of two: one from the residuals of the fit, and one from the differences between the
    parabolas of single seeds, since errors at neighbouring rates of one seed are correlated. The
    second needs three seeds; with fewer the interval may be too narrow. Of fewer than three rates
    the best one is returned, its interval open, and the ``warning`` asks for more.

    Args:
        rates: the learning rates, of shape ``(n,)``, in any order.
        losses: the losses, of shape ``(n, seeds)`` or ``(n,)``; NaN where a run diverged. A rate at
            which any seed diverged is not fitted.
        window: the largest factor between the best rate and a fitted rate.
        confidence: the probability that the interval covers the best rate.
        maximize: whether more is better, as for an accuracy, which is fitted without a logarithm.

    Raises:
        ValueError: if shapes do not fit, a rate is not positive, or no rate trained every seed.

    >>> import numpy as np
    >>> from gdlab.scaling import fit_optimum
    >>> rates = 2.0 ** np.arange(-8, -2)
    >>> fit_optimum(rates, np.exp(0.1 * (np.log2(rates) + 5.25) ** 2)).rate == 2**-5.25
    True
    """
    log_rates, values, transform = _prepared(rates, losses, maximize)
    means = values.mean(axis=1)
    best, low, high = _stretch(means)
    near = _near(log_rates, best, low, high, math.log2(window))
    parabola = fitted_parabola(log_rates[near], values[near])
    edge = _edge(parabola, best, (low, high), log_rates)
    position, interval, is_flat = _placed(
        parabola, log_rates, best, (low, high), edge, confidence, log_rates[near]
    )
    return Optimum(
        rate=2.0**position,
        interval=(2.0 ** interval[0], 2.0 ** interval[1]),
        best_tried=2.0 ** float(log_rates[best]),
        edge=edge,
        is_flat=is_flat,
        rates=2.0 ** log_rates[low : high + 1],
        values=means[low : high + 1],
        diverges_from=2.0 ** float(log_rates[high + 1]) if high < len(means) - 1 else math.inf,
        transform=transform,
        parabola=parabola,
        confidence=confidence,
    )


def _prepared(
    rates: ArrayLike, losses: ArrayLike, maximize: bool
) -> tuple[np.ndarray, np.ndarray, Transform]:
    """Sorted logarithms of rates, transformed losses of shape ``(n, seeds)``, and the transform."""
    rates = real_numbers("rates", rates, ndim=1)
    losses = real_numbers("losses", losses, finite=False)
    losses = losses[:, None] if losses.ndim == 1 else losses
    if rates.ndim != 1 or losses.ndim != 2 or len(losses) != len(rates) or not losses.shape[1]:
        raise ValueError(
            f"losses must have the shape (rates, seeds), not {losses.shape} for {rates.shape} rates"
        )
    if not np.all(rates > 0) or len(np.unique(rates)) != len(rates):
        raise ValueError(f"rates must be positive and different from each other, not {rates}")
    order = np.argsort(rates)
    losses = np.where(np.isfinite(losses), losses, np.nan)[order]
    if maximize:
        return np.log2(rates[order]), -losses, "negation"
    if np.all(losses[~np.isnan(losses)] > 0):
        return np.log2(rates[order]), np.log(losses), "log"
    return np.log2(rates[order]), losses, "identity"


def _stretch(means: np.ndarray) -> tuple[int, int, int]:
    """The best position, and the ends of the contiguous range of finite means around it."""
    finite = np.isfinite(means)
    if not finite.any():
        raise ValueError("there is no learning rate at which every seed trained to its end")
    best = int(np.nanargmin(means))
    low = high = best
    while low > 0 and finite[low - 1]:
        low -= 1
    while high < len(means) - 1 and finite[high + 1]:
        high += 1
    return best, low, high


def _near(log_rates: np.ndarray, best: int, low: int, high: int, window: float) -> slice:
    """The positions that are fitted."""
    rounding = 1e-6
    first = last = best
    while True:
        left = log_rates[best] - log_rates[first - 1] if first > low else math.inf
        right = log_rates[last + 1] - log_rates[best] if last < high else math.inf
        nearest = min(left, right)
        is_needed = last - first + 1 < LEAST_POINTS
        if math.isinf(nearest) or (nearest > window + rounding and not is_needed):
            return slice(first, last + 1)
        first, last = (first - 1, last) if left <= right else (first, last + 1)


def _edge(
    parabola: Parabola | None, best: int, stretch: tuple[int, int], log_rates: np.ndarray
) -> Edge:
    """The end of the range at which the best rate or the vertex lies, if any."""
    low, high = stretch
    vertex = log_rates[best]
    if parabola is not None and parabola.square > 0:
        vertex = parabola.vertex
    if best == high or vertex > log_rates[high]:
        return "high" if high == len(log_rates) - 1 else "divergence"
    return "low" if best == low or vertex < log_rates[low] else ""


def _placed(
    parabola: Parabola | None,
    log_rates: np.ndarray,
    best: int,
    stretch: tuple[int, int],
    edge: Edge,
    confidence: float,
    fitted: np.ndarray,
) -> tuple[float, Interval, bool]:
    """The optimum and its interval, as logarithms, and whether the basin is flat."""
    low, high = stretch
    tried = float(log_rates[best])
    found = EVERYWHERE
    if parabola is not None and parabola.square > 0:
        found = parabola.vertex_interval(confidence)
    is_bounded = math.isfinite(found[0]) and math.isfinite(found[1])
    # Without noise the best rate lies between the neighbours of the best tried one.
    neighbours = [-math.inf, *log_rates, math.inf]
    below, above = float(neighbours[best]), float(neighbours[best + 2])
    if edge == "low":
        bound = max(above, found[1]) if is_bounded else above
        return float(log_rates[low]), (-math.inf, bound), False
    if edge:
        bound = min(below, found[0]) if is_bounded else below
        end = math.inf if edge == "high" else float(log_rates[high + 1])
        return float(log_rates[high]), (bound, end), False
    if parabola is None:
        return tried, (below, above), False
    if not is_bounded:
        return tried, (float(log_rates[low]), float(log_rates[high])), True
    vertex = min(max(parabola.vertex, float(fitted[0])), float(fitted[-1]))
    return vertex, (min(found[0], vertex), max(found[1], vertex)), False
