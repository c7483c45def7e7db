"""The intervals of a hyperparameter and of the curvature in which an optimizer is stable."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gdlab.analysis.linear.anatomy import FAR
from gdlab.analysis.linear.arguments import positive_curvature
from gdlab.analysis.linear.period import PRECONDITIONER, require_every_step
from gdlab.analysis.linear.precision import in_float64
from gdlab.analysis.linear.radius import spectral_radii
from gdlab.analysis.linear.setting import (
    NoLimitError,
    Setting,
    closed_loops,
    matrices_at,
    periodic_setting,
    require_same_period,
)
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Size
from gdlab.core.access import hyperparameters
from gdlab.core.transformation import GradientTransformation

DECADES = 15
"""The number of decades that the scan covers on either side of 1."""
MARGIN = 1e-13
"""The rounding error of a pole that equals 1 because the step is tiny."""


@checked
@in_float64
def stable_range(
    tx: GradientTransformation,
    curvature: Any,
    hyperparameter: str = "learning_rate",
    *,
    step: int | None = None,
    state: Any = None,
    params: Any = None,
    gradient_rms: Any = 1.0,
) -> tuple[float, float]:
    """The interval of a hyperparameter in which ``tx`` converges on a curvature.

    ρ(A) < 1 holds strictly between the two ends, which are found by bisection: 0 < η < 2/λ for
    gradient descent.

    Args:
        tx: the transformation.
        curvature: a curvature λ > 0, a spectrum, or a positive definite Hessian; all modes must be
            stable.
        hyperparameter: the path of the hyperparameter, or the end of the path.
        step: as for :func:`linearize`.
        state: as for :func:`linearize`.
        params: as for :func:`linearize`.
        gradient_rms: as for :func:`linearize`.

    Returns:
        The ends of the stable interval around the present value, or of the lowest stable interval
        if the present value is unstable. An end beyond all tried values is 0 or ∞; (NaN, NaN) means
        that ``tx`` is unstable for every value.

    Raises:
        ValueError: if a curvature is not positive, or ``tx`` cannot be linearised.
        KeyError: if there is no such hyperparameter.

    >>> from gdlab import adam, sgd
    >>> from gdlab.analysis import stable_range
    >>> stable_range(sgd(0.1, momentum=0.9), curvature=1.0)
    (0.0, 3.8)
    >>> low, high = stable_range(adam(1e-3), curvature=1.0)
    >>> round(high, 4)
    38.0
    """
    curvature = positive_curvature(curvature)
    setting = periodic_setting(
        tx, curvature, step=step, state=state, params=params, gradient_rms=gradient_rms
    )
    names = (hyperparameter,)
    present = only_number(setting.tx, hyperparameter)

    def radius(values: np.ndarray) -> np.ndarray:
        matrices = matrices_at(setting, names, values[:, None])
        return np.max(spectral_radii(matrices), axis=1)

    # The eigenvalues of large matrices are expensive, so few points are computed at once.
    small = len(setting.kept_coordinates) <= 8
    decades = np.geomspace(10.0**-DECADES, 10.0**DECADES, 600 if small else 60)
    below_one = 1 - np.geomspace(1e-9, 0.9, 60 if small else 6)
    grid = np.union1d(decades, below_one)
    require_same_period(setting, names, grid[:, None])
    # Refining with as many points as the scan has reuses its program.
    return _stretch(radius, grid, present, grid.size if small else 3)


@checked
@in_float64
def sharpness_limit(tx: GradientTransformation, *, step: Size | None = None) -> float:
    """The largest curvature on which ``tx`` is stable: 2/η for gradient descent.

    For an adaptive ``tx`` this is a limit on :func:`preconditioned_sharpness`.

    Args:
        tx: the transformation.
        step: the step, from 0, at which schedules are evaluated; by default their final values.

    Returns:
        The curvature; 0 if ``tx`` is unstable on every curvature, ∞ if on none.

    Raises:
        ValueError: if ``tx`` cannot be linearised.

    >>> from gdlab import sgd
    >>> from gdlab.analysis import sharpness_limit
    >>> round(sharpness_limit(sgd(0.1, momentum=0.9)), 9)
    38.0
    """
    setting = _in_one_dimension(tx, step)

    def radius(curvatures: np.ndarray) -> np.ndarray:
        return spectral_radii(closed_loops(setting.on_spectrum(curvatures)).A)

    grid = np.geomspace(10.0**-DECADES, 10.0**DECADES, 600)
    if np.all(radius(grid) < 1 + MARGIN):
        return np.inf  # as with a scheduled learning rate of 0
    low, high = _stretch(radius, grid, 0.0, grid.size)
    return high if low == 0 else 0.0


def unit_response(tx: GradientTransformation, step: int | None) -> float:
    """The ratio −update/gradient of ``tx`` in one dimension, after gradients of size 1.

    It is the unit of the curvatures of a preconditioned Hessian.

    Args:
        tx: the transformation.
        step: as for :func:`sharpness_limit`.

    Raises:
        ValueError: if ``tx`` has a period, or cannot be linearised.
    """
    setting = _in_one_dimension(tx, step)
    require_every_step(setting.name, setting.period, PRECONDITIONER)
    return -float(closed_loops(setting).B[0, -1, 0])


def _in_one_dimension(tx: GradientTransformation, step: int | None) -> Setting:
    """The setting of ``tx`` after gradients of size 1, or after one if scales have no limit."""
    clock = FAR if step is None else step
    try:
        return periodic_setting(tx, 1.0, clock=clock)
    except NoLimitError:
        return periodic_setting(tx, 1.0, step=1)


def only_number(tx: Any, name: str) -> float:
    """The present value of a hyperparameter, which must be one number."""
    values = hyperparameters(tx)
    paths = [path for path in values if path == name or path.endswith("." + name)]
    if name in values:
        paths = [name]
    if len(paths) != 1:
        raise KeyError(
            f"{name!r} fits {'several hyperparameters' if paths else 'no hyperparameter'}: "
            f"{', '.join(paths or values)}"
        )
    value = np.asarray(values[paths[0]], np.float64)
    if value.ndim:
        raise ValueError(
            f"{paths[0]} is an array of shape {value.shape}, where one number is asked"
        )
    return float(value)


def _stretch(
    radius: Callable[[np.ndarray], np.ndarray], grid: np.ndarray, present: float, at_once: int
) -> tuple[float, float]:
    """The ends of a stable interval of a sorted grid, refined with ``at_once`` points at a time."""
    radii = radius(grid)
    stable = radii < 1 + MARGIN
    # Stable intervals, as the positions of their first and last points.
    edges = np.flatnonzero(np.diff(np.concatenate([[False], stable, [False]]).astype(int)))
    stretches = [(first, last - 1) for first, last in zip(edges[::2], edges[1::2], strict=True)]
    # Ignore intervals in which |ρ − 1| is below rounding error.
    stretches = [(a, b) for a, b in stretches if np.min(radii[a : b + 1]) < 1 - MARGIN]
    if not stretches:
        return np.nan, np.nan
    around = [s for s in stretches if grid[s[0]] <= present <= grid[s[1]]]
    first, last = (around or stretches)[0]
    low = 0.0 if first == 0 else _refined(radius, at_once, *grid[[first, first - 1]])
    high = np.inf if last == len(grid) - 1 else _refined(radius, at_once, *grid[[last, last + 1]])
    return float(low), float(high)


def _refined(
    radius: Callable[[np.ndarray], np.ndarray], at_once: int, inside: float, outside: float
) -> float:
    """The boundary of stability between a stable and an unstable point, to machine precision."""
    # The margin allows for steps so tiny that their pole is rounded to 1.
    limit = 1.0 if radius(np.array([inside]))[0] < 1 else 1 + MARGIN
    while abs(outside - inside) > 4e-16 * abs(outside):
        points = np.linspace(inside, outside, at_once + 2)[1:-1]
        unstable = np.flatnonzero(radius(points) >= limit)
        count = unstable[0] if unstable.size else at_once
        ends = np.concatenate([[inside], points, [outside]])
        if abs(ends[count + 1] - ends[count]) >= abs(outside - inside):
            break  # the points are neighbours already
        inside, outside = ends[count], ends[count + 1]
    return float((inside + outside) / 2)
