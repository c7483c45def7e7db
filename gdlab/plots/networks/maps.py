"""The maps of a layer as a grid in a picture."""

import dataclasses
import math

import numpy as np

TALLEST = 36
"""Pixels of a grid from top to bottom, about."""
UNIT = 1.6
"""How many pixels wide the cell of a single number is."""


@dataclasses.dataclass(frozen=True, eq=False)
class Maps:
    """What a layer hands on, channel by channel, in pixels from the left and top of a grid.

    A layer without places, a dense one, has maps of one pixel.
    """

    values: np.ndarray
    """Of shape (height, width, channels): those that are drawn."""
    total: int
    """How many channels there are."""

    @property
    def side(self) -> int:
        """How many pixels a map has from left to right."""
        return self.values.shape[1]

    @property
    def channels(self) -> int:
        """How many channels are drawn."""
        return self.values.shape[-1]

    @property
    def pixel(self) -> float:
        """How wide one is, as a multiple of that of an image."""
        return UNIT if self.side == 1 else 1.0

    @property
    def pitch(self) -> int:
        """Pixels from one map to the next."""
        return self.side + (self.side > 1)

    @property
    def columns(self) -> int:
        """As few as keep the grid low; somewhat more, if all rows are full then."""
        rows = max(1, int((TALLEST / self.pixel + 1) // self.pitch))
        fewest = math.ceil(self.channels / rows)
        full = [n for n in range(fewest, 2 * fewest + 1) if self.channels % n == 0]
        return full[0] if full else fewest

    @property
    def rows(self) -> int:
        """How many there are in the grid."""
        return math.ceil(self.channels / self.columns)

    @property
    def size(self) -> tuple[float, float]:
        """The width and the height of the grid, in pixels of an image."""
        gap = self.pitch - self.side
        across, down = self.columns * self.pitch - gap, self.rows * self.pitch - gap
        return self.pixel * across, self.pixel * down

    def corner(self, channel: int) -> np.ndarray:
        """Where a map has its left and top."""
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
    """Two rows of a map that look at different rows of the map before, within it if possible."""
    within = [row for row in range(after) if 1 <= row * stride < before - 1]
    rows = within if len(within) > 1 else list(range(after))
    quarter = len(rows) // 4
    return sorted({rows[quarter], rows[-1 - quarter]})
