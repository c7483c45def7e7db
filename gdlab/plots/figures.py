"""The figure of a picture: a new one, or one that is drawn anew."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure


def figure_of(size: tuple[float, float], figure: Figure | None = None) -> Figure:
    """A figure of at least this size in inches: the one that is given, or a new one."""
    if figure is None:
        return plt.figure(figsize=size, layout="constrained")
    width, height = np.maximum(size, figure.get_size_inches())
    figure.set_size_inches(width, height)
    return figure
