"""Maps of the regimes (monotone, oscillating, divergent) of an optimizer over hyperparameters."""

from typing import Any, NamedTuple

import numpy as np

from gdlab.analysis.linear.arguments import positive_curvature
from gdlab.analysis.linear.hyperparameter_grid import hyperparameter_grid
from gdlab.analysis.linear.radius import dominant_poles
from gdlab.axes.grid import axes_with_paths
from gdlab.checks.checked import checked
from gdlab.core.transformation import GradientTransformation


class RegimeMap(NamedTuple):
    """The rate of convergence and the regime at every point of a grid of hyperparameters."""

    dims: tuple[str, ...]
    """The names of the dimensions along which the axes lie."""
    coords: dict[str, np.ndarray]
    """The values along each dimension and of each axis, by name."""
    rate: np.ndarray
    """The rate ρ, the spectral radius of the slowest mode per step, of shape ``dims``."""
    regime: np.ndarray
    """The regime, of shape ``dims``: "monotone" where the largest pole is real and positive,
    "oscillating" where it is negative or complex, "divergent" from ρ = 1 on. For a method with a
    period the pole is that of a whole period."""

    def plot(self, ax: Any = None) -> Any:
        """Draw the map; needs the extra ``lab``."""
        from gdlab import plots

        return plots.regimes(self.dims, self.coords, self.rate, self.regime, ax=ax)


@checked
def regime_map(tx: GradientTransformation, curvature: Any, *, gradient_rms: Any = 1.0) -> RegimeMap:
    """The rate and the regime of ``tx`` at every point of the grid that its axes span.

    Args:
        tx: a transformation with one or two :class:`gdlab.Axis` where numbers would stand.
        curvature: a curvature λ > 0, a spectrum, or a positive definite Hessian; the slowest mode
            decides.
        gradient_rms: as for :func:`linearize`.

    Raises:
        ValueError: without an axis, or with more than two; if ``tx`` cannot be linearised.

    >>> from gdlab import Axis, sgd
    >>> from gdlab.analysis import regime_map
    >>> tx = sgd(Axis("learning_rate", [0.5, 1.5, 4.5]), momentum=Axis("momentum", [0.0, 0.5]))
    >>> regime_map(tx, curvature=1.0).regime
    array([['monotone', 'oscillating'],
           ['oscillating', 'oscillating'],
           ['divergent', 'divergent']], dtype='<U11')
    """
    curvature = positive_curvature(curvature)
    dims = tuple(dict.fromkeys(axis.along for _, axis in axes_with_paths(tx)))
    if not 1 <= len(dims) <= 2:
        raise ValueError(
            "a regime map needs one or two axes, such as sgd(Axis('learning_rate', …)); "
            f"{tx!r} has {len(dims)}"
        )
    grid = hyperparameter_grid(tx, curvature, gradient_rms)
    poles = dominant_poles(grid.matrices)
    sizes = np.abs(poles)
    slowest = np.argmax(sizes, axis=1)[:, None]
    size = np.take_along_axis(sizes, slowest, 1)[:, 0]
    rate = size ** (1 / grid.period)
    pole = np.take_along_axis(poles, slowest, 1)[:, 0]
    glides = (np.real(pole) > 0) & (np.abs(np.imag(pole)) <= 1e-9 * size)
    regime = np.where(rate >= 1, "divergent", np.where(glides, "monotone", "oscillating"))
    shape = tuple(grid.sizes.values())
    return RegimeMap(dims, grid.coords, rate.reshape(shape), regime.reshape(shape))
