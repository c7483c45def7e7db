"""The figure and the panels of a picture: new ones or given ones."""

import math
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure


def figure_of(size: tuple[float, float], figure: Figure | None = None) -> Figure:
    """The given figure or a new one, of at least this size in inches."""
    if figure is None:
        return plt.figure(figsize=size, layout="constrained")
    width, height = np.maximum(size, figure.get_size_inches())
    figure.set_size_inches(width, height)
    return figure


def panels_of(
    ax: Any, shape: tuple[int, int], size: tuple[float, float], **settings: Any
) -> np.ndarray:
    """The panels of a picture as a flat array: the given matplotlib axes, or new ones.

    Raises:
        ValueError: if the number of given axes is not that of the panels.
    """
    if ax is None:
        return figure_of(size).subplots(*shape, squeeze=False, **settings).ravel()
    panels = np.ravel(ax)
    if len(panels) != math.prod(shape):
        raise ValueError(f"ax: {math.prod(shape)} panels need as many axes, not {len(panels)}")
    return panels
