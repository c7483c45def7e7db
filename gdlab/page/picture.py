"""The still picture beside a live page, for viewers that strip scripts."""

import base64
import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def picture_of(
    fun: Callable[..., Any], paths: Mapping[str, np.ndarray], view: np.ndarray
) -> str | None:
    """Contours and paths as a data address, None without matplotlib or any finite value."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    from gdlab.plots.trajectories.contours import contours

    figure = Figure(figsize=(5.6, 4.6), layout="constrained")
    try:
        ax = contours(fun, paths, figure.subplots(), bounds=view)
    except ValueError:  # there is nothing to draw, and the page says so by itself
        return None
    for text in ax.get_legend().get_texts():
        text.set_parse_math(False)  # a name is a name, as on the page
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
