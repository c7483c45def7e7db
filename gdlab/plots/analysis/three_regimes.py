"""Runs that glide to the minimum, jump across it, or leave it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.checks.values import real_numbers
from gdlab.plots.arguments import require_named
from gdlab.plots.figures import panels_of
from gdlab.plots.scales import CURVE, DIVERGED, SECOND, label, tick_whole_steps

LOOKS = {
    "monotone": (CURVE, "o", "-"),
    "oscillating": (SECOND, "s", "-"),
    "diverging": (DIVERGED, "X", "--"),
}
MOST_MARKERS = 60


@checked
def three_regimes(paths: Mapping[str, Any], minimum: float = 0.0, ax: Ax = None) -> np.ndarray:
    r"""Draw the iterates of one weight, a panel for each run, with the factor of the first step.

    Gradient descent on a parabola multiplies the distance to the minimum by the same factor in
    every step: its sign says whether the iterates stay on one side, its size whether they arrive.

    Args:
        paths: name of a run, such as "η = 0.1" → its iterates w₀, w₁, …, of shape ``(steps + 1,)``.
        minimum: the weight at the minimum.
        ax: an array of matplotlib axes, one for each run; new ones unless given.

    Returns:
        The matplotlib axes, an array of them.

    Raises:
        ValueError: if a run starts at the minimum, or makes no step.

    >>> from gdlab import plots
    >>> factors = {"η = 0.1": 0.8, "η = 0.9": -0.8, "η = 1.1": -1.2}
    >>> paths = {name: [factor**k for k in range(12)] for name, factor in factors.items()}
    >>> panels = plots.three_regimes(paths)
    >>> panels[2].get_title()
    'diverging\nη = 1.1, factor −1.2'
    """
    require_named("paths", paths, "iterates")
    minimum = float(real_numbers("minimum", minimum, ndim=0))
    panels = panels_of(ax, (1, len(paths)), (2.55 * len(paths), 2.7))
    for panel, (name, path) in zip(panels, paths.items(), strict=True):
        path = real_numbers("paths", path, finite=False)
        if path.ndim != 1 or len(path) < 2 or path[0] == minimum:
            raise ValueError(
                f"paths: the run {name!r} must be the iterates of one weight that starts away from "
                f"the minimum, of shape (steps + 1,), not of shape {path.shape} from "
                f"{path.ravel()[:1]}"
            )
        factor = (path[1] - minimum) / (path[0] - minimum)
        stays = "monotone" if factor >= 0 else "oscillating"
        regime = stays if abs(factor) < 1 else "diverging"
        color, marker, linestyle = LOOKS[regime]
        panel.axhline(minimum, color="0.4", linewidth=1, linestyle=":")
        panel.plot(
            path, color=color, linestyle=linestyle, linewidth=1.2,
            marker=marker if len(path) <= MOST_MARKERS else None,
            markersize=5 if marker == "X" else 3.5, markeredgewidth=0,
        )  # fmt: skip
        panel.set(title=f"{regime}\n{name}, factor {label(factor)}", xlabel="step k")
        tick_whole_steps(panel.xaxis, 4)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("iterate wₖ")
    return panels
