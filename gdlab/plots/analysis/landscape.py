"""A loss on a plane through the parameters of a network, and the path of training."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple, cast

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, MaxNLocator

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax, Between
from gdlab.checks.values import real_numbers
from gdlab.plots.arguments import require_named
from gdlab.plots.figures import figure_of, panels_of
from gdlab.plots.scales import COLORMAP, DIVERGED, MISSING, label, norm_of, tick_within_decades

BANDS = 40
LINES = 10
"""The approximate number of contour lines."""
HALO = (withStroke(linewidth=3, foreground="white"),)
LEGEND = {
    "ncols": 4, "frameon": False, "fontsize": "small", "handletextpad": 0.5, "columnspacing": 1.5
}  # fmt: skip
START = {
    "marker": "o", "markersize": 9, "markerfacecolor": "none", "markeredgecolor": "black",
    "markeredgewidth": 1.6, "linestyle": "none", "label": "start",
}  # fmt: skip
NAMES = "direction 1", "direction 2"
TICKS = 5


@checked
def landscape(
    x: Any,
    y: Any,
    losses: Any,
    *,
    path: Any = None,
    plane_losses: Any = None,
    path_losses: Any = None,
    explained_variance: Annotated[float, Between(0, 1)] | None = None,
    names: tuple[str, str] = NAMES,
    ax: Axes | None = None,
) -> Axes:
    """The contours of a loss on a plane, and the path projected onto it.

    The colours are logarithmic where the loss spans a factor of ten, and grey where it is not
    finite. The parameters through which the plane goes are a star, the start of the path a ring. A
    title gives the path's explained variance, and the gap between its true loss and the plane's.

    Args:
        x: values along the first direction, rising, of shape ``(columns,)``.
        y: values along the second direction, rising, of shape ``(rows,)``.
        losses: the losses on the plane, of shape ``(rows, columns)``.
        path: the coordinates of the path on the plane, of shape ``(steps + 1, 2)``.
        plane_losses: the loss at these points of the plane, of shape ``(steps + 1,)``.
        path_losses: the true loss along the path, of shape ``(steps + 1,)``. Some markers are
            filled with the colour of the true loss, and stand out where it differs from the
            plane's.
        explained_variance: the share of the path's variance that lies in the plane.
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
    'explained variance of the path: 90 %'
    """
    seen = _Seen.of(
        x, y, losses, path=path, plane_losses=plane_losses, path_losses=path_losses,
        explained_variance=explained_variance, names=names,
    )  # fmt: skip
    ax = figure_of((6.0, 5.0)).subplots() if ax is None else ax
    norm = norm_of(seen.losses)
    _on_plane(ax, seen, norm)
    _color_bar(norm, [ax])
    ax.set_title("\n".join(seen.sentences), loc="left", fontsize=10)
    if path is not None:
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), **LEGEND)
    return ax


@checked
def landscape_surface(
    x: Any,
    y: Any,
    losses: Any,
    *,
    path: Any = None,
    plane_losses: Any = None,
    path_losses: Any = None,
    names: tuple[str, str] = NAMES,
    ax: Ax = None,
) -> Any:
    """Draw a loss over a plane as a surface, with the plane's and the true loss along a path.

    The heights are logarithmic where the loss spans a factor of ten.

    Args:
        x: as for :func:`landscape`.
        y: as for :func:`landscape`.
        losses: as for :func:`landscape`.
        path: as for :func:`landscape`.
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
    seen = _Seen.of(
        x, y, losses, path=path, plane_losses=plane_losses, path_losses=path_losses, names=names
    )
    ax = figure_of((6.4, 5.2)).add_subplot(projection="3d") if ax is None else ax
    norm = norm_of(seen.losses)
    _on_surface(ax, seen, norm, _heights(norm, [seen]), zoom=0.88)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False, fontsize="small", loc="upper left")
    return ax


@checked
def landscapes(landscapes: Mapping[str, Any], ax: Ax = None, *, surface: bool = False) -> Any:
    """Draw several landscapes side by side, on one colour scale.

    The same colour or contour line means the same loss in all landscapes, so that contour lines
    closer together mean a steeper slope.

    Args:
        landscapes: name → landscape, as :func:`gdlab.analysis.landscape` returns it.
        ax: as many matplotlib axes as there are landscapes, three-dimensional ones for surfaces;
            new ones unless given.
        surface: whether to draw surfaces in three dimensions.

    Returns:
        The array of matplotlib axes.

    Raises:
        ValueError: if there are no landscapes, or not as many axes.

    >>> import jax.numpy as jnp
    >>> from gdlab import plots
    >>> from gdlab.analysis import landscape
    >>> losses = {"round": lambda w: jnp.sum(w**2), "flatter": lambda w: jnp.sum(w**4)}
    >>> bowls = {
    ...     name: landscape(loss, jnp.zeros(2), directions="random", points=5)
    ...     for name, loss in losses.items()
    ... }
    >>> [ax.get_title(loc="left") for ax in plots.landscapes(bowls)]
    ['round', 'flatter']
    """
    require_named("landscapes", landscapes, "landscape")
    count = len(landscapes)
    settings = {"subplot_kw": {"projection": "3d"}} if surface else {}
    panels = panels_of(ax, (1, count), (3.6 * count, 3.6), **settings)
    for name, each in landscapes.items():
        if not all(hasattr(each, of) for of in _Seen._fields):
            raise TypeError(
                f"landscapes: {name!r} must be a landscape of gdlab.analysis, not {each!r}"
            )
    all_seen = [
        _Seen.of(**{of: getattr(each, of) for of in _Seen._fields}) for each in landscapes.values()
    ]
    norm = norm_of(np.concatenate([seen.losses.ravel() for seen in all_seen]))
    heights = _heights(norm, all_seen)
    for panel, name, seen in zip(panels, landscapes, all_seen, strict=True):
        if surface:
            _on_surface(panel, seen, norm, heights, zoom=0.78)
        else:
            _on_plane(panel, seen, norm)
        lines = [name] if surface else [name, *seen.sentences]
        # There is spare room above a surface.
        pad = -12.0 if surface else None
        panel.set_title("\n".join(lines), loc="left", fontsize="small", pad=pad)
    if not surface:
        for panel, seen in zip(panels[1:], all_seen[1:], strict=True):
            if seen.names[1] == all_seen[0].names[1]:
                panel.set_ylabel("")
        _color_bar(norm, panels)
    with_path = [
        panel for panel, seen in zip(panels, all_seen, strict=True) if seen.path is not None
    ]
    if with_path:
        where = "outside upper center" if surface else "outside lower center"
        handles = with_path[0].get_legend_handles_labels()
        with_path[0].figure.legend(*handles, loc=where, **LEGEND)
    return panels


class _Seen(NamedTuple):
    """The arrays of a landscape and of the path across it."""

    x: np.ndarray
    y: np.ndarray
    losses: np.ndarray
    path: np.ndarray | None
    plane_losses: np.ndarray | None
    path_losses: np.ndarray | None
    explained_variance: float | None
    names: tuple[str, str]

    @classmethod
    def of(
        cls,
        x: Any,
        y: Any,
        losses: Any,
        *,
        path: Any,
        plane_losses: Any,
        path_losses: Any,
        names: tuple[str, str],
        explained_variance: float | None = None,
    ) -> "_Seen":
        x, y = (real_numbers(*axis, ndim=1, rising=True) for axis in (("x", x), ("y", y)))
        for name, side in (("x", x), ("y", y)):
            if len(side) < 2:
                raise ValueError(f"{name} must be two numbers at least, not {side}")
        losses = real_numbers("losses", losses, finite=False)
        if losses.shape != (len(y), len(x)):
            raise ValueError(
                f"losses need the shape (rows, columns) = {(len(y), len(x))}, not {losses.shape}"
            )
        path, plane_losses, path_losses = (
            None if values is None else real_numbers(name, values, finite=False)
            for name, values in (
                ("path", path),
                ("plane_losses", plane_losses),
                ("path_losses", path_losses),
            )
        )
        if path is not None and (path.ndim != 2 or path.shape[1] != 2):
            raise ValueError(f"path must have the shape (steps + 1, 2), not {path.shape}")
        for name, along in (("plane_losses", plane_losses), ("path_losses", path_losses)):
            if along is None:
                continue
            if path is None:
                raise ValueError(f"{name} are those along a path: give it as path=")
            if along.shape != path.shape[:1]:
                raise ValueError(
                    f"{name} must have a value for each of the {len(path)} points of the path, not "
                    f"the shape {along.shape}"
                )
        return cls(x, y, losses, path, plane_losses, path_losses, explained_variance, names)

    @property
    def sentences(self) -> list[str]:
        """The explained variance of the path, and the gap between its true loss and the plane's."""
        lines = []
        if self.explained_variance is not None:
            share = label(100 * self.explained_variance)
            lines.append(f"explained variance of the path: {share} %")
        if self.plane_losses is not None and self.path_losses is not None:
            gap = self.path_losses - self.plane_losses
            if np.isfinite(gap).any():
                widest = gap[np.nanargmax(np.abs(gap))]
                side = "below" if widest < 0 else "above"
                lines.append(f"true loss up to {label(abs(widest))} {side} the plane's")
        return lines


def _on_plane(ax: Axes, seen: _Seen, norm: Normalize) -> None:
    ax.grid(visible=False)
    ax.set_facecolor(MISSING)
    low, high = _ends(norm)
    if np.isfinite(seen.losses).any() and low < high:
        _fill(ax, seen, norm)
    path = seen.path
    if path is not None:
        ax.plot(*path.T, color=DIVERGED, linewidth=1.6, path_effects=HALO, zorder=3, label="path")
        if seen.path_losses is not None:
            marked = _evenly_spaced(path)
            ax.scatter(
                *path[marked].T, c=seen.path_losses[marked], norm=norm,
                cmap=COLORMAP, s=28, edgecolors=DIVERGED, linewidths=1.2, zorder=4,
                label="filled with the true loss",
            )  # fmt: skip
        ax.plot(*path[0], **START, zorder=4.5)
    ax.plot(
        0, 0, "*", color="white", markeredgecolor="black", markersize=11, zorder=5,
        linestyle="none", label="parameters",
    )  # fmt: skip
    first, second = seen.names
    ax.set(xlabel=first, ylabel=second, xlim=seen.x[[0, -1]], ylim=seen.y[[0, -1]])


def _on_surface(
    ax: Any, seen: _Seen, norm: Normalize, heights: tuple[float, float], zoom: float
) -> None:
    logarithmic = isinstance(norm, LogNorm)
    height = np.log10 if logarithmic else np.asarray
    # mplot3d draws later objects in front, wherever they are, so that valleys do not hide the path.
    ax.computed_zorder = False
    shown = np.where(np.isfinite(seen.losses), seen.losses, np.nan)
    ax.plot_surface(
        *np.meshgrid(seen.x, seen.y), height(shown), facecolors=colormaps[COLORMAP](norm(shown)),
        rstride=1, cstride=1, linewidth=0.15, edgecolor=(0, 0, 0, 0.25), antialiased=True,
        shade=False, zorder=1,
    )  # fmt: skip
    if seen.path is not None:
        for values, style, color, name in (
            (seen.plane_losses, "-", DIVERGED, "the plane's loss"),
            (seen.path_losses, "--", "black", "true loss along the path"),
        ):
            if values is not None:
                ax.plot(
                    *seen.path.T, height(values), style, color=color, linewidth=1.8, zorder=3,
                    path_effects=[withStroke(linewidth=3.4, foreground="white")], label=name,
                )  # fmt: skip
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_major_locator(MaxNLocator(TICKS))
        axis.set_tick_params(labelsize="small")
    low, high = heights
    if low < high:
        ax.set_zlim(height(low), height(high))
    if logarithmic:
        is_wide = high > 300 * low
        locator = LogLocator(subs=(1,) if is_wide else (1, 2, 5))
        at = np.asarray(locator.tick_values(low, high))
        at = at[(at >= low) & (at <= high)]
        is_long = is_wide and (at[0] < 0.01 or at[-1] > 100)
        ax.set_zticks(np.log10(at), [_power(value) if is_long else label(value) for value in at])
    # A long label would run into the other axis.
    first, second = (name.replace(" (", "\n(") for name in seen.names)
    ax.set_xlabel(first, fontsize="small", labelpad=6 + 4 * first.count("\n"))
    ax.set_ylabel(second, fontsize="small", labelpad=6 + 4 * second.count("\n"))
    ax.set_zlabel("loss", fontsize="small", labelpad=6)
    ax.view_init(elev=35, azim=-60)
    # The layout ignores labels outside the box, which need relatively more room in a small figure.
    ax.set_box_aspect(None, zoom=zoom)


def _fill(ax: Axes, seen: _Seen, norm: Normalize) -> None:
    spaced = np.geomspace if isinstance(norm, LogNorm) else np.linspace
    shown = np.ma.masked_invalid(seen.losses)
    bands = spaced(*_ends(norm), BANDS)
    # Rounding must not exclude the extremes.
    bands[[0, -1]] = _ends(norm)
    filled = ax.contourf(seen.x, seen.y, shown, levels=bands, norm=norm, cmap=COLORMAP)
    # Otherwise gaps between the bands are visible in vector files.
    filled.set_edgecolor("face")
    every = bands[1 : -1 : BANDS // LINES]
    every = every[(every > shown.min()) & (every < shown.max())]
    if every.size:
        ax.contour(seen.x, seen.y, shown, levels=every, colors="black", linewidths=0.6, alpha=0.55)


def _ends(norm: Normalize) -> tuple[float, float]:
    return cast(tuple[float, float], (norm.vmin, norm.vmax))


def _heights(norm: Normalize, all_seen: Sequence[_Seen]) -> tuple[float, float]:
    """The lowest and the highest value of all surfaces and of the lines along their paths."""
    low, high = _ends(norm)
    for seen in all_seen:
        for values in (seen.plane_losses, seen.path_losses):
            if values is not None:
                has_height = np.isfinite(values) & ((values > 0) | (not isinstance(norm, LogNorm)))
                low = np.min(values[has_height], initial=low)
                high = np.max(values[has_height], initial=high)
    return low, high


def _color_bar(norm: Normalize, panels: Any) -> None:
    low, high = _ends(norm)
    if low < high:
        mappable = ScalarMappable(norm, COLORMAP)
        bar = panels[0].figure.colorbar(mappable, ax=[*panels], label="loss")
        if isinstance(norm, LogNorm):
            tick_within_decades(bar.ax.yaxis)


def _power(value: float) -> str:
    return f"$10^{{{round(np.log10(value))}}}$"


def _evenly_spaced(path: np.ndarray, most: int = 12) -> np.ndarray:
    """Points of a path that are about evenly spaced along it, the ends among them."""
    lengths = np.append(0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1)))
    marks = np.linspace(0, lengths[-1], most)
    return np.unique(np.append(np.searchsorted(lengths, marks).clip(max=len(path) - 1), 0))
