"""A network as it reads one image, layer by layer."""

import dataclasses
import itertools
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Polygon, Rectangle

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.plots.figures import figure_of
from gdlab.plots.networks.arguments import image_of, network_of, parameters_of
from gdlab.plots.networks.columns import Column, columns_of
from gdlab.plots.networks.maps import Maps, places
from gdlab.plots.scales import CURVE, DIVERGED, PALETTE, SECOND
from gdlab.problems.measures import probabilities
from gdlab.problems.problem import Problem

# Lengths in the picture are in inches.
PAGE_WIDTH, MAX_GRID_HEIGHT, MIN_FIGURE_HEIGHT = 7.2, 2.3, 1.5
"""The width of a page, the largest height of a grid, and the smallest height without captions."""
LARGEST_PIXEL, SMALLEST_PIXEL = 0.1, 0.04
GAP = 0.36
"""The horizontal gap between grids, in which connections are drawn."""
MIN_COLUMN_WIDTH = 0.54
"""The smallest width of a column, whose captions also extend into the gap."""
BARS_WIDTH, CLASS_NAME_WIDTH, SHARE_WIDTH = 1.1, 0.14, 0.38
"""The widths of the column of probabilities, of the class names and of the percentages in it."""
SKIP_HEIGHT = 0.25
"""The height of a skip connection."""
LINE_HEIGHT, FONT_SIZE = 0.125, 7.5
"""The distance between lines of text, in inches, and the font size, in points."""
LETTERS_PER_INCH = 72 / (0.56 * FONT_SIZE)
"""The mean number of characters in one inch of text."""
QUIET, FRAME = "0.4", "0.6"
KERNELS = DIVERGED, CURVE, SECOND, PALETTE[3], PALETTE[6]
"""A colour for the kernel of each convolution."""
INK = colormaps["Greys"].with_extremes(bad=(0, 0, 0, 0))


@dataclasses.dataclass(frozen=True, eq=False)
class Grid:
    """Maps at their horizontal position in the picture, centred vertically at zero."""

    maps: Maps
    middle: float
    pixel: float

    @property
    def left(self) -> float:
        """The x coordinate of the left edge."""
        return self.middle - self.maps.size[0] * self.pixel / 2

    @property
    def right(self) -> float:
        """The x coordinate of the right edge."""
        return self.middle + self.maps.size[0] * self.pixel / 2

    @property
    def bottom(self) -> float:
        """The y coordinate of the bottom edge; the y axis points down and is zero in the middle."""
        return self.maps.size[1] * self.pixel / 2

    @property
    def top(self) -> float:
        """The y coordinate of the top edge."""
        return -self.bottom

    def square(self, channel: int, row: float, column: float, side: int = 1) -> Rectangle:
        """A square outline around ``side`` × ``side`` pixels of a map."""
        pixel = self.pixel * self.maps.pixel
        x, y = self.maps.corner(channel) * self.pixel + pixel * np.array([column, row])
        return Rectangle((self.left + x, self.top + y), side * pixel, side * pixel, fill=False)


@checked
def network(
    problem: Problem, params: Any = None, image: Any = None, ax: Ax = None, *, channels: int = 32
) -> Axes:
    """Draw a network from left to right: an image, the maps of each layer, and the probabilities.

    The maps are white where a feature is absent, on one scale for each layer. Each convolution has
    its own colour: the kernel computes one pixel from the framed patch in all channels of the layer
    before; dashed lines show the same kernel at a second position. Captions below give the number
    of weights, and the number that a dense layer between the same maps would have.

    Args:
        problem: a network, such as :func:`gdlab.problems.convolutional_network`.
        params: the parameters of the network; by default the initial ones.
        image: the input, in the shape of the problem's images; by default the first held-out image.
        ax: the matplotlib axes to draw on, ideally as wide as a page; new ones unless given.
        channels: the largest number of channels of a layer that are drawn, at least 1.

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: if the problem is not a network, or the parameters or the image do not fit it.

    >>> from gdlab import plots, problems
    >>> ax = plots.network(problems.convolutional_network((4, 8)))
    >>> words = [" ".join(text.get_text().split()) for text in ax.texts]
    >>> [each for each in words if "weights at every place" in each]
    ['the same 3×3×1 weights at every place', 'the same 3×3×4 weights at every place']
    """
    if channels < 1:
        raise ValueError(f"channels must be at least 1, not {channels}")
    problem = network_of(problem)
    params = parameters_of(problem, params)
    image = image_of(problem, image)
    answer = np.asarray(probabilities(problem, params, image[None]))[0]
    columns = columns_of(problem, params, image, answer, channels)

    widths, pixel = _widths(columns)
    middles = np.cumsum(widths + GAP) - (widths + GAP) / 2
    grids = [
        Grid(column.maps, middle, pixel)
        for column, middle in zip(columns[:-1], middles, strict=False)
    ]
    half = max(MIN_FIGURE_HEIGHT / 2, *(grid.bottom for grid in grids))
    wide = float(np.sum(widths + GAP))
    new = figure_of((wide, wide / 2)) if ax is None else None
    axes: Any = new.subplots() if new else ax
    axes.set_axis_off()
    for grid in grids:
        _draw_maps(axes, grid)
    inks = _inks(columns)
    for pair, column, ink in zip(itertools.pairwise(grids), columns[1:], inks[1:], strict=False):
        _connect(axes, *pair, column, ink)
    _draw_bars(axes, middles[-1], half, grids[-1], answer)

    rooms = widths + GAP - 0.08
    top = -half - 0.1 - SKIP_HEIGHT * any(column.layer.skip for column in columns)
    black = ["black"] * len(columns)
    quiet = [QUIET] * len(columns)
    for words, settings in (("size", {}), ("name", {"fontweight": "bold"})):
        texts = [getattr(column, words) for column in columns]
        top = _write(axes, middles, rooms, top, -1, texts, black, **settings)
    bottom = half + 0.14
    for words, colors in (("use", inks), ("weights", black), ("instead", quiet)):
        texts = [getattr(column, words) for column in columns]
        bottom = _write(axes, middles, rooms, bottom, 1, texts, colors)
    axes.set(xlim=(0, wide), ylim=(bottom, top), aspect="equal")
    if new:
        new.set_size_inches(wide, bottom - top)
    return axes


def _widths(columns: Sequence[Column]) -> tuple[np.ndarray, float]:
    """The widths of all columns, and the largest pixel size that fits the page."""
    sizes = np.array([column.maps.size for column in columns[:-1]])
    tallest = sizes[:, 1].max()
    pixel, widths = SMALLEST_PIXEL, np.empty(0)
    for pixel in np.linspace(LARGEST_PIXEL, SMALLEST_PIXEL, 61):
        widths = np.append(np.maximum(pixel * sizes[:, 0], MIN_COLUMN_WIDTH), BARS_WIDTH)
        if np.sum(widths + GAP) <= PAGE_WIDTH and pixel * tallest <= MAX_GRID_HEIGHT:
            break
    spare = max(0.0, PAGE_WIDTH - np.sum(widths + GAP)) / len(widths)
    return widths + spare, float(pixel)


def _inks(columns: Sequence[Column]) -> list[str]:
    """A colour for each kernel that is shared, and grey for the others."""
    colors = itertools.cycle(KERNELS)
    return [next(colors) if len(column.kernel) == 4 else QUIET for column in columns]


def _draw_maps(ax: Axes, grid: Grid) -> None:
    """Draw all maps as one image with gaps, and a frame around each."""
    maps = grid.maps
    side, pitch = maps.side, maps.pitch
    mosaic = np.full((maps.rows * pitch, maps.columns * pitch), np.nan)
    for channel in range(maps.channels):
        row, column = divmod(channel, maps.columns)
        place = slice(row * pitch, row * pitch + side), slice(column * pitch, column * pitch + side)
        mosaic[place] = maps.values[..., channel]
        ax.add_patch(grid.square(channel, 0, 0, side)).set(edgecolor=FRAME, linewidth=0.5)
    gap = pitch - side
    mosaic = mosaic[: len(mosaic) - gap, : mosaic.shape[1] - gap]
    ax.imshow(
        mosaic, cmap=INK, vmin=0, vmax=max(float(np.max(maps.values)), 1e-12),
        extent=(grid.left, grid.right, grid.bottom, grid.top), interpolation="nearest",
    )  # fmt: skip


def _connect(ax: Axes, before: Grid, after: Grid, column: Column, ink: str) -> None:
    """Draw the connections of a layer from its input maps to its output maps."""
    if column.layer.skip:
        x, y = [before.middle, after.middle], before.top - 0.03
        ax.plot([x[0], *x], [y, y - SKIP_HEIGHT / 2, y - SKIP_HEIGHT / 2], color=QUIET, linewidth=1)
        arrow = {"arrowstyle": "-|>", "color": QUIET, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (x[1], y), (x[1], y - SKIP_HEIGHT / 2), arrowprops=arrow)
    if len(column.kernel) == 2:
        _fan(ax, before, after.left, after.bottom)
    elif not column.kernel:
        channel = before.maps.at_edge(right=True)
        whole = before.square(channel, 0, 0, before.maps.side)
        _wedge(ax, whole, after.square(channel, 0, 0), ink, "-")
    else:
        _share(ax, before, after, column.layer.stride, ink)


def _share(ax: Axes, before: Grid, after: Grid, stride: int, ink: str) -> None:
    """Draw one kernel at two positions."""
    source, target = before.maps.at_edge(right=True), after.maps.at_edge(right=False)
    found = places(before.maps.side, after.maps.side, stride)
    for row, column, dashes in zip(found, reversed(found), ("-", (0, (3, 2))), strict=False):
        top, left = row * stride - 1, column * stride - 1
        for channel in range(before.maps.channels):
            if channel != source and dashes == "-":
                ax.add_patch(before.square(channel, top, left, 3)).set(
                    edgecolor=ink, linewidth=0.6, alpha=0.7
                )
        patch = before.square(source, top, left, 3)
        _wedge(ax, patch, after.square(target, row, column), ink, dashes)


def _wedge(ax: Axes, patch: Rectangle, pixel: Rectangle, ink: str, dashes: Any) -> None:
    """Draw a wedge from a patch to the one pixel that it feeds."""
    for square in (patch, pixel):
        ax.add_patch(square).set(edgecolor=ink, linewidth=1.3, linestyle=dashes, zorder=4)
    right, left = patch.get_corners()[[1, 2]], pixel.get_corners()[[0, 3]]
    corners = [*right, *left[::-1]]
    ax.add_patch(Polygon(corners, facecolor=ink, alpha=0.15, linewidth=0, zorder=3))
    for ends in zip(right, left, strict=True):
        ax.plot(*np.transpose(ends), color=ink, linewidth=0.8, linestyle=dashes, zorder=3)


def _fan(ax: Axes, before: Grid, left: float, half: float) -> None:
    """Draw the shaded area that stands for all connections of a dense layer."""
    corners = [
        (before.right, before.top), (left, -half), (left, half), (before.right, before.bottom)
    ]  # fmt: skip
    ax.add_patch(Polygon(corners, facecolor="0.88", linewidth=0, zorder=0))


def _draw_bars(ax: Axes, middle: float, half: float, before: Grid, answer: np.ndarray) -> None:
    """Draw the probability of each class as a bar."""
    left, pitch = middle - BARS_WIDTH / 2, 2 * half / len(answer)
    _fan(ax, before, left, half)
    start, longest = left + CLASS_NAME_WIDTH + 0.04, BARS_WIDTH - CLASS_NAME_WIDTH - SHARE_WIDTH
    for number, probability in enumerate(answer):
        y = -half + (number + 0.5) * pitch
        best = probability == np.max(answer)
        ax.text(
            left + CLASS_NAME_WIDTH / 2,
            y,
            str(number),
            ha="center",
            va="center",
            fontsize=FONT_SIZE,
        )
        ax.barh(y, probability * longest, 0.7 * pitch, left=start, color=CURVE if best else FRAME)
        if best:
            share = f"{100 * probability:.0f} %"
            x = start + probability * longest + 0.04
            ax.text(x, y, share, va="center", fontsize=FONT_SIZE)


def _write(
    ax: Axes,
    middles: np.ndarray,
    rooms: np.ndarray,
    y: float,
    down: int,
    words: Sequence[str],
    inks: Sequence[str],
    **settings: Any,
) -> float:
    """Write captions below or above y, broken to fit their columns; return the y where they end."""
    most = 0
    for x, room, each, ink in zip(middles, rooms, words, inks, strict=True):
        lines = _broken(each, int(room * LETTERS_PER_INCH))
        most = max(most, len(lines))
        ax.text(
            x, y, "\n".join(lines), color=ink, fontsize=FONT_SIZE, linespacing=1.15, ha="center",
            va="top" if down > 0 else "bottom", **settings,
        )  # fmt: skip
    return y + down * (LINE_HEIGHT * most + 0.05)


def _broken(words: str, most: int) -> list[str]:
    """Break words into the fewest lines of at most ``most`` characters, of about equal length."""
    lines = []
    for sentence in words.splitlines():
        widths = range(min(most, len(sentence)), 0, -1)
        fewest = len(textwrap.wrap(sentence, most))
        narrow = [w for w in widths if len(textwrap.wrap(sentence, w)) == fewest]
        lines += textwrap.wrap(sentence, min(narrow, default=most), break_long_words=False)
    return lines
