"""Where in the plane of two hyperparameters an optimizer glides, oscillates or diverges."""

from typing import Any, NamedTuple

import jax
import numpy as np

from gdlab.analysis.precision import float64_on_cpu
from gdlab.analysis.radius import dominant_poles
from gdlab.analysis.setting import matrices_at, positive_curvature, prepare, require_linear, systems
from gdlab.core.axis import Axis, SampledAxis, is_axis
from gdlab.core.structure import dotted
from gdlab.core.transformation import GradientTransformation


class RegimeMap(NamedTuple):
    """The rate of convergence at every point of a grid, and how it is approached."""

    dims: tuple[str, ...]
    """The names of the axes."""
    coords: dict[str, np.ndarray]
    """The values along each of them."""
    rate: np.ndarray
    """ρ, the largest pole of the slowest mode, of shape ``dims``."""
    regime: np.ndarray
    """"monotone" where that pole is real and positive, "oscillating" where it is negative or
    complex, "divergent" from ρ = 1 on; of shape ``dims``."""

    def plot(self, ax: Any = None) -> Any:
        """Draw the map; needs the extra ``lab``."""
        from gdlab.plots.regimes import plot_regimes

        return plot_regimes(self.dims, self.coords, self.rate, self.regime, ax=ax)


def regime_map(tx: GradientTransformation, curvature: Any, *, gradient_rms: Any = 1.0) -> RegimeMap:
    """The rate and the regime of ``tx`` at every point of the grid that its axes span.

    Args:
        tx: a transformation with one or two :class:`gdlab.Axis` where numbers would stand.
        curvature: λ > 0, a spectrum or a Hessian of positive ones; the slowest mode decides.
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
    pairs, _ = jax.tree_util.tree_flatten_with_path(tx, is_leaf=is_axis)
    axes = {dotted(path): leaf for path, leaf in pairs if is_axis(leaf)}
    dims = tuple(dict.fromkeys(axis.along for axis in axes.values()))
    if not 1 <= len(dims) <= 2:
        raise ValueError(
            "a regime map needs one or two axes, such as sgd(Axis('learning_rate', …)); "
            f"{tx!r} has {len(dims)}"
        )
    coords = {axis.name: _values(axis) for axis in axes.values()}
    lengths = {axis.along: len(axis) for axis in axes.values()}
    index = np.indices([lengths[dim] for dim in dims]).reshape(len(dims), -1)
    values = np.stack([_values(axis)[index[dims.index(axis.along)]] for axis in axes.values()], 1)
    first = jax.tree.map(lambda x: float(_values(x)[0]) if is_axis(x) else x, tx, is_leaf=is_axis)
    with float64_on_cpu():
        setting = prepare(first, curvature, gradient_rms=gradient_rms)
        require_linear(setting, systems(setting))
        poles = dominant_poles(matrices_at(setting, tuple(axes), values))
    sizes = np.abs(poles)
    slowest = np.argmax(sizes, axis=1)[:, None]
    rate = np.take_along_axis(sizes, slowest, 1)[:, 0]
    pole = np.take_along_axis(poles, slowest, 1)[:, 0]
    glides = (np.real(pole) > 0) & (np.abs(np.imag(pole)) <= 1e-9 * rate)
    regime = np.where(rate >= 1, "divergent", np.where(glides, "monotone", "oscillating"))
    shape = tuple(lengths[dim] for dim in dims)
    return RegimeMap(dims, coords, rate.reshape(shape), regime.reshape(shape))


def _values(axis: Axis) -> np.ndarray:
    if isinstance(axis, SampledAxis):
        raise ValueError(f"a regime map is drawn on a grid: give {axis!r} its values")
    return np.asarray(axis.values, np.float64)
