"""The kernels of a layer."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.plots.figures import panels_of
from gdlab.problems.problem import Problem

SIGNED = colormaps["RdBu_r"].with_extremes(bad=(0, 0, 0, 0))
"""A diverging colour map that is white at zero; NaN is transparent."""
GAPS = "0.88"
PANEL_WIDTH, MAX_PANEL_HEIGHT, MIN_PANEL_HEIGHT = 6.2, 3.2, 0.7
"""The width, the largest height and the smallest height of a panel, in inches."""
MAX_PIXEL_SIZE = 0.22
"""The largest side of a pixel, in inches."""
KERNELS_PER_ROW = 16
"""The number of kernels in a row, for layers with one input channel."""


@checked
def filters(params: Any, layer: str | None = None, *, ax: Ax = None) -> Any:
    """Draw the kernels of a layer, red where a weight is positive and blue where it is negative.

    Each column of squares is the kernel of one output channel, with a square for each input
    channel; kernels with a single input channel stand side by side. The first layer of a dense
    network is drawn as an image of weights for each unit, and any other dense layer as a matrix.
    All kernels share one colour scale, centred at zero.

    Args:
        params: the parameters of a network; or a network, for its initial parameters; or a
            dictionary name → either, such as before and after training, drawn below each other.
        layer: the name of the layer in the parameters; by default the first layer.
        ax: the matplotlib axes to draw on, as many as there are names; new ones unless given.

    Returns:
        The matplotlib axes, in an array if there are names.

    Raises:
        ValueError: if ``params`` are not those of a network, or have no such layer.

    >>> from gdlab import plots, problems
    >>> problem = problems.convolutional_network((4, 8))
    >>> ax = plots.filters(problem, "conv1")
    >>> ax.get_title(loc="left")
    'conv1: 8 kernels of 3×3×4'
    """
    alone = isinstance(params, Problem) or _has_layers(params)
    named = {"": params} if alone else params
    if not isinstance(named, Mapping) or not named:
        raise ValueError(f"params must be parameters, a network, or name → either, not {params!r}")
    found = {name: _kernel(name, one, layer) for name, one in named.items()}
    mosaics = {name: _mosaic(*kernel) for name, kernel in found.items()}
    heights = [
        np.clip(
            min(PANEL_WIDTH / mosaic.shape[1], MAX_PIXEL_SIZE) * mosaic.shape[0],
            MIN_PANEL_HEIGHT,
            MAX_PANEL_HEIGHT,
        )
        for mosaic in mosaics.values()
    ]
    size = 7.2, float(np.sum(heights)) + 0.4 * len(heights)
    panels = panels_of(ax, (len(found), 1), size, height_ratios=heights)
    most = max(float(np.nanmax(np.abs(mosaic))) for mosaic in mosaics.values()) or 1.0
    norm = Normalize(-most, most)
    for panel, (name, mosaic) in zip(panels, mosaics.items(), strict=True):
        own, kernel = found[name]
        aspect = "equal" if _is_image(own, kernel) else "auto"
        panel.imshow(mosaic, cmap=SIGNED, norm=norm, interpolation="nearest", aspect=aspect)
        if _is_image(own, kernel):
            _outline(panel, mosaic, _side(kernel))
        panel.set(xticks=[], yticks=[], ylabel=_down(own, kernel), anchor="W", facecolor=GAPS)
        panel.spines[:].set_visible(False)
        panel.grid(visible=False)
        panel.set_title(f"{name}, " * bool(name) + _title(own, kernel), loc="left")
    panels[-1].set_xlabel(_across(*list(found.values())[-1]))
    beside = list(panels)
    beside[0].figure.colorbar(ScalarMappable(norm, SIGNED), ax=beside, label="weight", pad=0.02)
    return panels[0] if alone else panels


def _has_layers(params: Any) -> bool:
    return (
        isinstance(params, Mapping)
        and bool(params)
        and all(isinstance(own, Mapping) and "kernel" in own for own in params.values())
    )


def _kernel(name: str, params: Any, layer: str | None) -> tuple[str, np.ndarray]:
    """The name of a layer and its kernel."""
    which = f" of {name!r}" if name else ""
    params = params.start if isinstance(params, Problem) else params
    if not _has_layers(params):
        raise ValueError(f"params{which} are not those of a network: layer → its kernel")
    layer = min(params) if layer is None else layer
    if layer not in params:
        raise ValueError(f"layer must be one{which} of {', '.join(params)}, not {layer!r}")
    return layer, np.asarray(params[layer]["kernel"], float)


def _is_image(layer: str, kernel: np.ndarray) -> bool:
    """Tell whether a kernel is drawn as images: if it convolves, or its units read an image."""
    return kernel.ndim == 4 or (layer == "dense0" and math.isqrt(len(kernel)) ** 2 == len(kernel))


def _side(kernel: np.ndarray) -> int:
    """The number of weights along a side of each image of a kernel."""
    return len(kernel) if kernel.ndim == 4 else math.isqrt(len(kernel))


def _outline(panel: Any, mosaic: np.ndarray, side: int) -> None:
    """Draw a line around each image, since weights near zero are as pale as the gaps."""
    rows, columns = (range(0, size, side + 1) for size in mosaic.shape)
    squares = [
        Rectangle((column - 0.5, row - 0.5), side, side)
        for row in rows
        for column in columns
        if np.isfinite(mosaic[row, column])
    ]
    panel.add_collection(
        PatchCollection(squares, facecolor="none", edgecolor="0.35", linewidth=0.7, clip_on=False),
        autolim=False,
    )


def _mosaic(layer: str, kernel: np.ndarray) -> np.ndarray:
    """Arrange all kernels in one array with gaps of NaN; a matrix is transposed."""
    if not _is_image(layer, kernel):
        return kernel.T
    if kernel.ndim == 2:
        side = math.isqrt(len(kernel))
        kernel = kernel.reshape(side, side, 1, -1)
    side, _, inputs, outputs = kernel.shape
    tiles = kernel.transpose(2, 3, 0, 1)
    if inputs == 1:
        columns = min(outputs, KERNELS_PER_ROW)
        empty = np.full((-outputs % columns, side, side), np.nan)
        tiles = np.concatenate([tiles[0], empty]).reshape(-1, columns, side, side)
    framed = np.pad(tiles, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    rows, columns, *_ = framed.shape
    return framed.transpose(0, 2, 1, 3).reshape(rows * (side + 1), -1)[:-1, :-1]


def _title(layer: str, kernel: np.ndarray) -> str:
    *shape, outputs = kernel.shape
    if kernel.ndim == 4:
        return f"{layer}: {outputs} kernels of {'×'.join(map(str, shape))}"
    return f"{layer}: {outputs} units of {len(kernel)} weights"


def _across(layer: str, kernel: np.ndarray) -> str:
    if kernel.ndim == 4:
        return "channel it makes"
    return "unit" if _is_image(layer, kernel) else "value it is given"


def _down(layer: str, kernel: np.ndarray) -> str:
    if not _is_image(layer, kernel):
        return "unit"
    return "channel it is given" if kernel.ndim == 4 and kernel.shape[2] > 1 else ""
