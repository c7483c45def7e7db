"""The maps of a layer as a grid in a picture."""

import dataclasses
import math

import numpy as np

MAX_GRID_PIXELS = 36
"""The approximate largest height of a grid, in pixels."""
SINGLE_VALUE_WIDTH = 1.6
"""The width of the cell of a single number, in pixels."""


@dataclasses.dataclass(frozen=True, eq=False)
class Maps:
    """The feature maps of a layer in a grid, with positions in pixels from the top left corner.

    The maps of a dense layer, which has no spatial positions, are single pixels.
    """

    values: np.ndarray
    """The channels that are drawn, of shape (height, width, channels)."""
    total: int
    """The number of channels of the layer, drawn or not."""

    @property
    def side(self) -> int:
        """The width of a map, in pixels."""
        return self.values.shape[1]

    @property
    def channels(self) -> int:
        """The number of channels that are drawn."""
        return self.values.shape[-1]

    @property
    def pixel(self) -> float:
        """The width of a pixel of these maps, as a multiple of the width of an image's pixel."""
        return SINGLE_VALUE_WIDTH if self.side == 1 else 1.0

    @property
    def pitch(self) -> int:
        """The distance between the left edges of neighbouring maps, in pixels."""
        return self.side + (self.side > 1)

    @property
    def columns(self) -> int:
        """The number of columns of the grid.

        The smallest number that keeps the grid low enough, or up to twice as many if that fills all
        rows.
        """
        rows = max(1, int((MAX_GRID_PIXELS / self.pixel + 1) // self.pitch))
        fewest = math.ceil(self.channels / rows)
        full = [n for n in range(fewest, 2 * fewest + 1) if self.channels % n == 0]
        return full[0] if full else fewest

    @property
    def rows(self) -> int:
        """The number of rows in the grid."""
        return math.ceil(self.channels / self.columns)

    @property
    def size(self) -> tuple[float, float]:
        """The width and the height of the grid, in pixels of an image."""
        gap = self.pitch - self.side
        across, down = self.columns * self.pitch - gap, self.rows * self.pitch - gap
        return self.pixel * across, self.pixel * down

    def corner(self, channel: int) -> np.ndarray:
        """The position (x, y) of the top left corner of a map, in pixels of an image."""
        row, column = divmod(channel, self.columns)
        return self.pixel * self.pitch * np.array([column, row], float)

    def at_edge(self, right: bool) -> int:
        """A channel halfway down, at the right or at the left of the grid."""
        row = (self.rows - 1) // 2
        return min(row * self.columns + (self.columns - 1) * right, self.channels - 1)


def maps_of(array: np.ndarray, most: int) -> Maps:
    """The maps of an array (height, width, channels), or of one (channels,)."""
    whole = array if array.ndim == 3 else array[None, None]
    return Maps(whole[..., :most], whole.shape[-1])


def places(before: int, after: int, stride: int) -> list[int]:
    """Two rows of a map whose kernels cover different rows of the input, inside it if possible."""
    within = [row for row in range(after) if 1 <= row * stride < before - 1]
    rows = within if len(within) > 1 else list(range(after))
    quarter = len(rows) // 4
    return sorted({rows[quarter], rows[-1 - quarter]})
