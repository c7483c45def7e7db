"""The colour scale for the scores of a sweep: from the best at 0 to the worst at 1."""

from typing import Any, Literal, NamedTuple

import numpy as np

from gdlab.sweeps.results.spacing import spans_decades

NEGLIGIBLE = 1e-16
"""The fraction of the largest score below which all scores have the same colour."""
CROWDED = 0.15
"""Colours are spread out if the better quarter lies within this fraction of the range."""
LEAST_FLOOR = 1e-6
"""The lower bound on ``ColorScale.floor``."""
Kind = Literal["linear", "log", "gap"]


class ColorScale(NamedTuple):
    """A colour scale that shows differences among good scores above all.

    It is linear; logarithmic where scores span decades; or, where the better quarter would have
    nearly one colour, of the kind "gap": ln(1 + d/f)/ln(1 + 1/f), with d the distance from the best
    as a fraction of the range, and f such that the better quarter has half of the colours.
    """

    kind: Kind
    best: float
    worst: float
    floor: float = 1.0
    """The f of a scale of the kind "gap", a fraction of the range."""

    def places(self, scores: np.ndarray) -> np.ndarray:
        """The places of scores on the scale, 0 for the best and 1 for the worst."""
        if self.best == self.worst:
            return np.where(np.isfinite(scores), 0.0, np.nan)
        if self.kind == "log":
            best, worst = self._logarithms([self.best, self.worst])
            places = (self._logarithms(scores) - best) / (worst - best)
        else:
            places = (np.asarray(scores) - self.best) / (self.worst - self.best)
        if self.kind == "gap":
            places = np.log1p(np.maximum(places, 0.0) / self.floor) / np.log1p(1 / self.floor)
        return np.clip(places, 0.0, 1.0)

    def scores(self, places: np.ndarray) -> np.ndarray:
        """The scores at places on the scale."""
        places = np.asarray(places, float)
        if self.kind == "log":
            best, worst = self._logarithms([self.best, self.worst])
            return np.exp(best + places * (worst - best))
        if self.kind == "gap":
            places = np.expm1(places * np.log1p(1 / self.floor)) * self.floor
        return self.best + places * (self.worst - self.best)

    def _logarithms(self, scores: Any) -> np.ndarray:
        """The logarithms of scores, with negligible scores raised to the largest negligible one."""
        return np.log(np.maximum(scores, NEGLIGIBLE * max(self.best, self.worst)))


def color_scale(scores: np.ndarray, maximize: bool) -> ColorScale:
    """The colour scale for some scores; those that are not finite are ignored."""
    finite = np.sort(scores[np.isfinite(scores)])
    if not finite.size:
        return ColorScale("linear", 0.0, 1.0)
    ends = (finite[-1], finite[0]) if maximize else (finite[0], finite[-1])
    best, worst = map(float, ends)
    if not maximize and spans_decades(finite):
        return ColorScale("log", best, worst)
    if best == worst:
        return ColorScale("linear", best, worst)
    quarter = float((np.quantile(finite, 0.75 if maximize else 0.25) - best) / (worst - best))
    if quarter >= CROWDED:
        return ColorScale("linear", best, worst)
    # The better quarter ends at q, which gets the middle colour: (1 + q/f)² = 1 + 1/f.
    floor = max(quarter**2 / (1 - 2 * quarter), LEAST_FLOOR)
    return ColorScale("gap", best, worst, floor)
