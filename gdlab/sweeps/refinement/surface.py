"""The function that a refinement descends, over the real coordinates of its hyperparameters."""

import dataclasses

import numpy as np

from gdlab.axes.grid import Points
from gdlab.sweeps.refinement.coordinates import Coordinate
from gdlab.sweeps.refinement.values import RunValues


class NotPositiveError(ValueError):
    """A value has no logarithm, but logarithms are to be minimised."""


@dataclasses.dataclass(frozen=True)
class Scale:
    """The scale on which values are minimised: their logarithms, or multiples of them.

    Args:
        unit: the value that is 1 on the scale, negative where values are maximized; None for
            logarithms.
    """

    unit: float | None

    @classmethod
    def of(cls, values: np.ndarray, *, maximize: bool, logarithmic: bool) -> "Scale":
        """The scale for values like these: logarithms if wanted, else a multiple."""
        largest = float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values))) or 1.0
        if maximize:
            return cls(-largest)
        return cls(None if logarithmic and not np.any(values < 0) else largest)

    def descended(self, values: np.ndarray, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scale computed values and their slopes for the descent.

        Args:
            values: of shape ``(starts,)``.
            slopes: of shape ``(starts, coordinates)``.

        Raises:
            NotPositiveError: if a value has no logarithm.
        """
        if self.unit is not None:
            return values / self.unit, slopes / self.unit
        if np.any(values < 0):
            raise NotPositiveError
        # A loss of 0 cannot be improved on; its slope is 0 as well.
        values = np.maximum(values, np.finfo(np.float64).tiny)
        return np.log(values), slopes / values[:, None]

    def measured(self, descended: np.ndarray) -> np.ndarray:
        """The values before scaling, the inverse of :meth:`descended`."""
        return np.exp(descended) if self.unit is None else descended * self.unit


@dataclasses.dataclass(frozen=True)
class Surface:
    """The function to descend: coordinates of several starts → a scaled value for each."""

    run_values: RunValues
    coordinates: list[Coordinate]
    """The hyperparameters that are refined."""
    held: Points
    """The other hyperparameters at each start, of shape ``(starts,)``."""
    given: np.ndarray
    """The refined hyperparameters at each start, of shape ``(starts, coordinates)``."""
    free: np.ndarray
    """True where a hyperparameter may move, of the shape of ``given``; False on a bound."""
    scale: Scale

    @property
    def start(self) -> np.ndarray:
        """The coordinates of the starts, 0 for hyperparameters that may not move."""
        columns = [
            [coordinate.real(value) if moves else 0.0 for value, moves in zip(*column, strict=True)]
            for coordinate, *column in zip(self.coordinates, self.given.T, self.free.T, strict=True)
        ]
        return np.array(columns).T

    def scaled(self, scale: Scale) -> "Surface":
        """The same function on another scale."""
        return dataclasses.replace(self, scale=scale)

    def hyperparameters(self, points: np.ndarray, start: int | slice) -> np.ndarray:
        """The values of the refined hyperparameters at points of one start, or of all."""
        pairs = zip(self.coordinates, points.T, strict=True)
        values = np.stack([coordinate.value(x) for coordinate, x in pairs], axis=1)
        # Unmoved hyperparameters keep their given values exactly, without rounding.
        moved = self.free[start] & (points != self.start[start])
        return np.where(moved, values, self.given[start])

    def values(self, points: np.ndarray) -> np.ndarray:
        """The values to descend at a point of each start."""
        values = self.run_values.values(self._at(points))
        return self.scale.descended(values, np.zeros_like(points))[0]

    def with_gradients(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The values to descend at a point of each start, and their gradients there."""
        values, slopes = self.scale.descended(*self.run_values.with_slopes(self._at(points)))
        pairs = zip(self.coordinates, points.T, strict=True)
        along = np.stack([coordinate.slope(x) for coordinate, x in pairs], axis=1)
        return values, np.where(self.free, slopes * along, 0.0)

    def _at(self, points: np.ndarray) -> Points:
        """All hyperparameters at a point of each start, by name."""
        values = self.hyperparameters(points, slice(None))
        names = [coordinate.name for coordinate in self.coordinates]
        return self.held | dict(zip(names, values.T, strict=True))
