"""The colours of the scores of a sweep, and their bar."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import FuncNorm, LogNorm, Normalize

from gdlab.core.representation import in_words
from gdlab.plots.scales import COLORMAP
from gdlab.sweeps.results.color_scale import NEGLIGIBLE, ColorScale, color_scale


def norm_of_scores(scores: np.ndarray, maximize: bool) -> Normalize:
    """The norm that maps scores to colours, with most colours for the better scores."""
    scale = color_scale(scores, maximize)
    low, high = sorted((scale.best, scale.worst))
    if scale.kind == "log":
        return LogNorm(max(low, NEGLIGIBLE * high), high)
    if scale.kind == "gap":
        return _GapNorm(scale, maximize)
    return Normalize(low, high)


class _GapNorm(FuncNorm):
    """Logarithmic in the distance from the best score."""

    def __init__(self, scale: ColorScale, maximize: bool):
        def forward(scores: Any) -> Any:
            places = scale.places(np.asarray(scores, float))
            return 1 - places if maximize else places

        def inverse(places: Any) -> Any:
            places = np.asarray(places, float)
            return scale.scores(1 - places if maximize else places)

        low, high = sorted((scale.best, scale.worst))
        super().__init__((forward, inverse), low, high)
        self.ticks = inverse(np.linspace(0, 1, 5)).tolist()
        """Scores that are evenly spread over the colours."""


def color_bar(norm: Normalize, panels: Sequence[Axes], metric: str, **settings: Any) -> None:
    """Add the colour bar of a metric beside some panels."""
    bar = panels[0].figure.colorbar(
        ScalarMappable(norm, COLORMAP), ax=list(panels), label=in_words(metric), **settings
    )
    if isinstance(norm, _GapNorm):
        bar.set_ticks(norm.ticks, labels=[f"{tick:.3g}" for tick in norm.ticks], minor=False)
        bar.minorticks_off()
