"""The best learning rate of each cell of a sweep over sizes, and the power law through them."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gdlab.checks.checked import checked
from gdlab.scaling.laws.cells import Cell, cells_of
from gdlab.scaling.laws.fieller import Confidence
from gdlab.scaling.laws.optimum import Optimum, Window, fit_optimum
from gdlab.scaling.laws.power_law import PowerLaw, Prediction, fit_power_law
from gdlab.scaling.laws.transfer import Tolerance, Transfer, transfer_between
from gdlab.sweeps.results.result import SweepResult


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class LearningRateLaw:
    """The best learning rates over sizes; made by :func:`learning_rate_law`."""

    sizes: tuple[str, ...]
    """The names of the sizes."""
    cells: tuple[Cell, ...]
    """The curves that were fitted."""
    optima: tuple[Optimum, ...]
    """The best rate of each cell."""
    law: PowerLaw | None
    """The power law through the reliable optima; None if there are too few."""
    step: float
    """The factor between neighbouring rates."""
    confidence: float

    @property
    def warnings(self) -> tuple[str, ...]:
        """A warning for each cell whose optimum is unreliable."""
        return tuple(
            f"at {_named(cell.sizes)} {optimum.warning}"
            for cell, optimum in zip(self.cells, self.optima, strict=True)
            if optimum.warning
        )

    def predict(self, **sizes: float) -> Prediction:
        """The best learning rate at some sizes by the power law, with a mark if extrapolated.

        Args:
            **sizes: a value for each size of the law.

        Raises:
            ValueError: if there is no law, or a size is missing or unknown.
        """
        if self.law is None:
            raise ValueError(f"there is no law: too few reliable optima ({self.warnings})")
        return self.law.predict(**sizes)

    @checked
    def transfer(
        self, size: str | None = None, *, tolerance: Tolerance = 1.0
    ) -> tuple[Transfer, ...]:
        """Judge whether the best rate shifts between the smallest and the largest value of a size.

        Args:
            size: the name of the size; not needed if there is only one.
            tolerance: the largest shift that counts as none, in steps of the grid of rates.

        Returns:
            A judgement for each combination of the other sizes.

        Raises:
            ValueError: if there is no such size, or no two cells differ in it alone.
        """
        name = self.sizes[0] if size is None and len(self.sizes) == 1 else str(size)
        if name not in self.sizes:
            raise ValueError(f"size must be one of {', '.join(self.sizes)}, not {name!r}")
        found = [
            self._between(first, last, name, tolerance)
            for first, last in self._ends_along(name)
            if first != last
        ]
        if not found:
            raise ValueError(f"no two cells differ in {name!r} alone")
        return tuple(found)

    def _ends_along(self, size: str) -> list[tuple[int, int]]:
        """Pairs of cells with the smallest and largest value of a size, and equal other sizes."""
        others = lambda i: tuple(v for n, v in self.cells[i].sizes.items() if n != size)  # noqa: E731
        order = sorted(range(len(self.cells)), key=lambda i: (others(i), self.cells[i].sizes[size]))
        groups = [list(group) for _, group in itertools.groupby(order, others)]
        return [(group[0], group[-1]) for group in groups]

    def _between(self, first: int, last: int, size: str, tolerance: float) -> Transfer:
        sizes = self.cells[first].sizes
        return transfer_between(
            self.optima[first],
            self.optima[last],
            size=size,
            between=(sizes[size], self.cells[last].sizes[size]),
            elsewhere={name: value for name, value in sizes.items() if name != size},
            step=self.step,
            tolerance=tolerance,
        )

    @checked
    def verdict(self, size: str | None = None, *, tolerance: Tolerance = 1.0) -> str:
        """The judgements of :meth:`transfer` as sentences, one a line."""
        return "\n".join(each.sentence for each in self.transfer(size, tolerance=tolerance))

    def table(self) -> str:
        """A table of the optima: sizes, best rate with interval, best loss, and warnings."""
        head = [*(f"{name:>8}" for name in self.sizes), f"{'best rate':>10}", f"{'interval':>21}"]
        lines = ["  ".join([*head, f"{'loss':>9}", "warning"])]
        for cell, optimum in zip(self.cells, self.optima, strict=True):
            low, high = optimum.interval
            row = [
                *(f"{cell.sizes[name]:8g}" for name in self.sizes),
                f"{optimum.rate:10.3g}",
                f"{low:9.3g} to {high:8.3g}",
                f"{optimum.best_value:9.3g}",
                optimum.warning,
            ]
            lines.append("  ".join(row).rstrip())
        return "\n".join(lines)

    def plot(self, ax: Any = None) -> Any:
        """Draw the curves with their optima, and the optima over size with the law; needs ``lab``.

        Args:
            ax: two matplotlib axes to draw on; new ones unless given.

        Returns:
            The two matplotlib axes.

        Raises:
            ValueError: if there is more than one size.
        """
        from gdlab.plots.scaling.learning_rate_law import plot_learning_rate_law

        return plot_learning_rate_law(self, ax)

    def __repr__(self) -> str:
        return f"<LearningRateLaw of {len(self.cells)} cells over {', '.join(self.sizes)}>"


@checked
def learning_rate_law(
    results: SweepResult | Mapping[Any, SweepResult],
    sizes: Sequence[str] | None = None,
    *,
    axis: str = "learning_rate",
    metric: str = "final_loss",
    window: Window = 3.0,
    confidence: Confidence = 0.95,
    maximize: bool = False,
) -> LearningRateLaw:
    """Fit the best learning rate at each size, and a power law through the best rates.

    Each cell, a combination of sizes such as width and tokens, is fitted by :func:`fit_optimum`.
    The optima that lie within the tried rates are fitted by :func:`fit_power_law`, weighted by the
    widths of their intervals.

    Args:
        results: a sweep with a dimension for each size, or a mapping size → sweep, or tuple of
            sizes → sweep.
        sizes: the names of the sizes, by default all dimensions but the axis and the seeds; for a
            mapping, the names of the entries of its keys.
        axis: the name of the axis of learning rates.
        metric: "final_loss", or the name of an evaluation metric.
        window: as for :func:`fit_optimum`.
        confidence: the confidence of all intervals.
        maximize: whether more of the metric is better.

    Raises:
        ValueError: if the result has other dimensions, or no rate of a cell trained all seeds.

    >>> from gdlab import Axis, sgd, sweep
    >>> from gdlab.scaling import learning_rate_law
    >>> rates = Axis("learning_rate", [2.0**k for k in range(-6, 3)])
    >>> def trained(curvature):  # the best rate is 1/curvature
    ...     loss = lambda w: 1 + curvature * w**2
    ...     return sweep(loss, 1.0, sgd(rates), steps=1, seeds=3, progress=False)
    >>> law = learning_rate_law({n: trained(n) for n in (1, 2, 4, 8)}, ["curvature"])
    >>> print(round(law.law.exponents["curvature"], 2))
    -1.0
    """
    cells = cells_of(results, sizes, axis, metric)
    optima = []
    for cell in cells:
        try:
            optima.append(
                fit_optimum(
                    cell.rates,
                    cell.losses,
                    window=window,
                    confidence=confidence,
                    maximize=maximize,
                )
            )
        except ValueError as error:
            raise ValueError(f"at {_named(cell.sizes)}: {error}") from None
    names = tuple(cells[0].sizes)
    return LearningRateLaw(
        sizes=names,
        cells=tuple(cells),
        optima=tuple(optima),
        law=_law(names, cells, optima, confidence),
        step=min(_step(cell.rates) for cell in cells),
        confidence=confidence,
    )


def _law(
    names: tuple[str, ...], cells: list[Cell], optima: list[Optimum], confidence: float
) -> PowerLaw | None:
    """The law of the reliable optima, if there are enough and they vary in all sizes."""
    from scipy.stats import norm

    kept = [(cell, one) for cell, one in zip(cells, optima, strict=True) if one.is_reliable]
    if not kept:
        return None
    sizes = {name: [cell.sizes[name] for cell, _ in kept] for name in names}
    wide = 2 * norm.ppf((1 + confidence) / 2)
    errors = [math.log2(one.interval[1] / one.interval[0]) / wide for _, one in kept]
    # Without noise the intervals have no width, and all optima get the same weight.
    weights = errors if min(errors) > 1e-9 else None
    try:
        return fit_power_law(sizes, [one.rate for _, one in kept], weights, confidence=confidence)
    except ValueError:
        return None


def _step(rates: np.ndarray) -> float:
    """The usual factor between neighbouring rates."""
    return float(np.exp(np.median(np.diff(np.log(np.sort(rates)))))) if len(rates) > 1 else 2.0


def _named(sizes: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {size:g}" for name, size in sizes.items())
