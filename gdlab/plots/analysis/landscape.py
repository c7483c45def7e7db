"""A loss on a plane through the parameters of a network, and the path of training."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, MaxNLocator

from gdlab.plots.figures import figure_of
from gdlab.plots.scales import COLORMAP, DIVERGED, MISSING, label, norm_of, tick_within_decades

BANDS = 40
LINES = 10
"""About so many contours are lines."""
HALO = (withStroke(linewidth=4, foreground="white"),)
NAMES = "direction 1", "direction 2"
TICKS = 5


def landscape(
    x: Any,
    y: Any,
    losses: Any,
    *,
    path: Any = None,
    plane_losses: Any = None,
    path_losses: Any = None,
    explained_variance: float | None = None,
    names: tuple[str, str] = NAMES,
    ax: Axes | None = None,
) -> Axes:
    """The contours of a loss on a plane, and the path projected onto it.

    The colours are logarithmic where the loss spans a factor of ten, and grey where it is not
    finite. The parameters through which the plane goes are a star. A title says how much of the
    path is seen, and how far its true loss is from that of the plane.

    Args:
        x: values along the first direction, rising, of shape ``(columns,)``.
        y: values along the second direction, rising, of shape ``(rows,)``.
        losses: of shape ``(rows, columns)``.
        path: the coordinates of points, of shape ``(steps + 1, 2)``.
        plane_losses: the loss at these points of the plane.
        path_losses: the true loss along the path. Some points are marked and filled in its colour,
            so that a mark stands out from its surroundings where the plane does not show the truth.
        explained_variance: the share of the path's variance that is along the plane.
        names: of the directions.
        ax: the matplotlib axes to draw on; new ones unless given.

    Returns:
        The matplotlib axes.

    >>> import numpy as np
    >>> from gdlab import plots
    >>> x = y = np.linspace(-1, 1, 21)
    >>> losses = x**2 + 10 * y[:, None] ** 2
    >>> ax = plots.landscape(x, y, losses, path=[[0.9, 0.3], [0.5, 0.0]], explained_variance=0.9)
    >>> ax.get_title(loc="left")
    'of the variance of the path, 90 % is along the plane'
    """
    x, y, losses = _grid(x, y, losses)
    ax = figure_of((6.0, 5.0)).subplots() if ax is None else ax
    norm = norm_of(losses)
    ax.grid(visible=False)
    ax.set_facecolor(MISSING)
    finite = losses[np.isfinite(losses)]
    if finite.size and np.min(finite) < np.max(finite):
        _fill(ax, x, y, losses, norm)
    if path is not None:
        path = np.asarray(path, float)
        ax.plot(*path.T, color=DIVERGED, linewidth=1.6, path_effects=HALO, zorder=3, label="path")
        if path_losses is not None:
            marked = _evenly_spaced(path)
            ax.scatter(
                *path[marked].T, c=np.asarray(path_losses, float)[marked], norm=norm,
                cmap=COLORMAP, s=28, edgecolors=DIVERGED, linewidths=1.2, zorder=4,
                label="filled with the true loss",
            )  # fmt: skip
    ax.plot(
        0, 0, "*", color="white", markeredgecolor="black", markersize=13, zorder=5,
        linestyle="none", label="parameters",
    )  # fmt: skip
    ax.set_title(_title(plane_losses, path_losses, explained_variance), loc="left", fontsize=10)
    ax.set(xlabel=names[0], ylabel=names[1], xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    if path is not None:
        ax.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, frameon=False,
            fontsize="small", handletextpad=0.5, columnspacing=1.5,
        )  # fmt: skip
    return ax


def landscape_surface(
    x: Any,
    y: Any,
    losses: Any,
    *,
    path: Any = None,
    plane_losses: Any = None,
    path_losses: Any = None,
    names: tuple[str, str] = NAMES,
    ax: Any = None,
) -> Any:
    """The surface of a loss over a plane, with the loss of the plane and the true one on a path.

    The heights are logarithmic where the loss spans a factor of ten.

    Args:
        x: as for :func:`landscape`.
        y: the same.
        losses: the same.
        path: the same.
        plane_losses: the loss at these points of the plane, a line on the surface.
        path_losses: the true loss along the path, a line above or below it.
        names: of the directions.
        ax: matplotlib axes with the projection "3d"; new ones unless given.

    Returns:
        The matplotlib axes.

    >>> import numpy as np
    >>> from gdlab import plots
    >>> x = y = np.linspace(-1, 1, 21)
    >>> losses = x**2 + 10 * y[:, None] ** 2
    >>> path = {"path": [[0.9, 0.3], [0.5, 0.0]], "plane_losses": [1.7, 0.2]}
    >>> ax = plots.landscape_surface(x, y, losses, **path)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ["the plane's loss"]
    """
    x, y, losses = _grid(x, y, losses)
    ax = figure_of((6.4, 5.2)).add_subplot(projection="3d") if ax is None else ax
    norm = norm_of(losses)
    logarithmic = isinstance(norm, LogNorm)
    height = np.log10 if logarithmic else np.asarray
    # What mplot3d draws last is in front, wherever it is: a path shall not vanish in a valley.
    ax.computed_zorder = False
    shown = np.where(np.isfinite(losses), losses, np.nan)
    ax.plot_surface(
        *np.meshgrid(x, y), height(shown), facecolors=colormaps[COLORMAP](norm(shown)),
        rstride=1, cstride=1, linewidth=0.15, edgecolor=(0, 0, 0, 0.25), antialiased=True,
        shade=False, zorder=1,
    )  # fmt: skip
    if path is not None:
        path = np.asarray(path, float)
        for values, style, color, name in (
            (plane_losses, "-", DIVERGED, "the plane's loss"),
            (path_losses, "--", "black", "true loss along the path"),
        ):
            if values is not None:
                ax.plot(
                    *path.T, height(np.asarray(values, float)), style, color=color, linewidth=1.8,
                    path_effects=[withStroke(linewidth=3.4, foreground="white")], label=name,
                    zorder=3,
                )  # fmt: skip
        if plane_losses is not None or path_losses is not None:
            ax.legend(frameon=False, fontsize="small", loc="upper left")
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_major_locator(MaxNLocator(TICKS))
        axis.set_tick_params(labelsize="small")
    if logarithmic:
        low, high = np.nanmin(shown), np.nanmax(shown)
        at = LogLocator(subs=(1,) if high > 300 * low else (1, 2, 5)).tick_values(low, high)
        at = at[(at >= low) & (at <= high)]
        ax.set_zticks(np.log10(at), [_power(value) for value in at])
    ax.set_xlabel(names[0], fontsize="small")
    ax.set_ylabel(names[1], fontsize="small")
    ax.set_zlabel("loss", fontsize="small", labelpad=6)
    ax.view_init(elev=35, azim=-60)
    # Labels are beyond the box, where the layout does not see them.
    ax.set_box_aspect(None, zoom=0.88)
    return ax


def _fill(ax: Axes, x: np.ndarray, y: np.ndarray, losses: np.ndarray, norm: Normalize) -> None:
    spaced = np.geomspace if isinstance(norm, LogNorm) else np.linspace
    shown = np.ma.masked_invalid(losses)
    ends = float(shown.min()), float(shown.max())
    bands = spaced(*ends, BANDS)
    # Rounding must not leave the extremes out.
    bands[[0, -1]] = ends
    filled = ax.contourf(x, y, shown, levels=bands, norm=norm, cmap=COLORMAP)
    # Without it, gaps between the bands shine through in a vector file.
    filled.set_edgecolor("face")
    every = bands[1 : -1 : BANDS // LINES]
    ax.contour(x, y, shown, levels=every, colors="black", linewidths=0.6, alpha=0.55)
    bar = ax.figure.colorbar(ScalarMappable(norm, COLORMAP), ax=ax, label="loss")
    if isinstance(norm, LogNorm):
        tick_within_decades(bar.ax.yaxis)


def _title(plane_losses: Any, path_losses: Any, explained_variance: float | None) -> str:
    lines = []
    if explained_variance is not None:
        lines.append(
            f"of the variance of the path, {label(100 * explained_variance)} % is along the plane"
        )
    if plane_losses is not None and path_losses is not None:
        gap = np.asarray(path_losses, float) - np.asarray(plane_losses, float)
        if np.isfinite(gap).any():
            widest = gap[np.nanargmax(np.abs(gap))]
            side = "below" if widest < 0 else "above"
            lines.append(f"its true loss is up to {label(abs(widest))} {side} that of the plane")
    return "\n".join(lines)


def _grid(x: Any, y: Any, losses: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y, losses = (np.asarray(values, float) for values in (x, y, losses))
    if losses.shape != (len(y), len(x)):
        raise ValueError(
            f"losses need the shape (rows, columns) = {(len(y), len(x))}, not {losses.shape}"
        )
    return x, y, losses


def _power(value: float) -> str:
    """A number, or a power of ten that would be long."""
    return label(value) if 1e-3 < value < 1e3 else f"$10^{{{round(np.log10(value))}}}$"


def _evenly_spaced(path: np.ndarray, most: int = 12) -> np.ndarray:
    """Points of a path that are about evenly spaced along it, the ends among them."""
    lengths = np.append(0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1)))
    marks = np.linspace(0, lengths[-1], most)
    return np.unique(np.append(np.searchsorted(lengths, marks).clip(max=len(path) - 1), 0))
