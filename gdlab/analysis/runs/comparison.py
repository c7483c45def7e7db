"""Comparisons of theoretical predictions with measured runs and sweeps."""

from typing import Any, NamedTuple, overload

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gdlab.analysis.curvature.parameter_space import require_like
from gdlab.analysis.linear.arguments import positive_curvature
from gdlab.analysis.linear.linearization import linearize
from gdlab.analysis.linear.noise import expected_loss, stationary_variance
from gdlab.analysis.linear.precision import as_float64, float64_on_cpu
from gdlab.analysis.linear.stability import stable_range
from gdlab.checks.checked import checked
from gdlab.core.transformation import GradientTransformation
from gdlab.sweeps.results.ranges import Edge
from gdlab.sweeps.results.result import SweepResult
from gdlab.training.minimize import minimize
from gdlab.training.trajectory import Trajectory

MIN_RATIO_TO_FLOOR = 100.0
"""Rates are fitted only to losses above this multiple of their rounding errors and of the final
loss due to noise."""


class RunComparison(NamedTuple):
    """The measured and the predicted loss of a run."""

    step: np.ndarray
    """The step numbers 0, 1, …, of shape (steps + 1,)."""
    measured: np.ndarray
    """The loss above its minimum at each step; at the averaged parameters if ``tx`` averages."""
    predicted: np.ndarray
    """The expected value of ``measured``."""
    stochastic: np.ndarray
    """The part of ``predicted`` that noise adds."""
    measured_rate: float
    """The factor by which the error shrank per step, fitted over the last falling part of the loss;
    NaN if there is none."""
    predicted_rate: float
    """The rate ρ, the modulus of the largest pole; with averaging, the rate fitted to
    ``predicted``."""
    stable_range: tuple[float, float]
    """The predicted stable range of the learning rate."""

    def plot(self, ax: Any = None) -> Any:
        """Draw both; needs the extra ``lab``."""
        from gdlab.plots.analysis.comparison import plot_run_comparison

        return plot_run_comparison(*self, ax=ax)


class SweepComparison(NamedTuple):
    """The measured and the predicted outcome of a sweep over one hyperparameter."""

    name: str
    """The name of the hyperparameter."""
    values: np.ndarray
    """The values of the hyperparameter, of shape (n,)."""
    measured: np.ndarray
    """The loss above its minimum at the end, of shape (n, seeds), NaN where a run diverged."""
    predicted: np.ndarray
    """The expected value of ``measured``, of shape (n,)."""
    predicted_range: tuple[float, float]
    """The range in which ``tx`` is stable."""
    measured_edge: Edge
    """The largest stable value that was run, and the bracket of the edge."""

    def plot(self, ax: Any = None) -> Any:
        """Draw both; needs the extra ``lab``."""
        from gdlab.plots.analysis.comparison import plot_sweep_comparison

        return plot_sweep_comparison(*self, ax=ax)


@overload
def compare(
    measured: Trajectory,
    tx: GradientTransformation,
    curvature: Any,
    start: Any,
    *,
    minimiser: Any = ...,
    minimum: float = ...,
    noise: float = ...,
) -> RunComparison: ...
@overload
def compare(
    measured: SweepResult,
    tx: GradientTransformation,
    curvature: Any,
    start: Any,
    *,
    minimiser: Any = ...,
    minimum: float = ...,
    noise: float = ...,
) -> SweepComparison: ...
@checked
def compare(
    measured: Trajectory | SweepResult,
    tx: GradientTransformation,
    curvature: Any,
    start: Any,
    *,
    minimiser: Any = None,
    minimum: float = 0.0,
    noise: float = 0.0,
) -> RunComparison | SweepComparison:
    """Compare a run, or a sweep over one hyperparameter, with the prediction for a quadratic.

    The predicted loss is :func:`expected_loss`, the rate that of :func:`linearize`, and the range
    :func:`stable_range`, all computed from ``tx`` itself. A method that averages its parameters is
    evaluated at the average, and predicted by running ``tx`` on the modes in float64.

    Args:
        measured: a result of :func:`gdlab.minimize`, or of :func:`gdlab.sweep` with a single axis.
        tx: the optimizer of the run or, with its axis, of the sweep.
        curvature: the Hessian of shape (n, n), in the order of the flattened parameters, or a
            spectrum or number if parameters are modes.
        start: the initial parameters, a tree.
        minimiser: the parameters at the minimum; by default zeros.
        minimum: the loss at the minimum.
        noise: the standard deviation s of the noise in each component of the gradient.

    Returns:
        A :class:`RunComparison` or a :class:`SweepComparison`, with a method ``plot``.

    Raises:
        ValueError: if ``tx`` is not linear, a curvature is not positive, the sweep has other axes,
            or ``noise`` is given for a method that averages.
        TypeError: if ``measured`` is neither a run nor a sweep.

    >>> import jax.numpy as jnp
    >>> from gdlab import minimize, sgd
    >>> from gdlab.analysis import compare
    >>> curvature = jnp.array([1.0, 10.0])
    >>> tx, w0 = sgd(0.15), jnp.array([1.0, 1.0])
    >>> run = minimize(lambda w: 0.5 * jnp.sum(curvature * w**2), w0, tx, steps=50)
    >>> found = compare(run, tx, curvature, w0)
    >>> round(found.predicted_rate, 3), round(found.measured_rate, 3)
    (0.85, 0.85)
    """
    curvature = positive_curvature(curvature)
    modes, distance = _in_modes(curvature, start, minimiser)
    if isinstance(measured, Trajectory):
        return _of_run(measured, tx, modes, distance, minimum, noise)
    return _of_sweep(measured, tx, modes, distance, minimum, noise)


def _of_run(run, tx, modes, distance, minimum, noise) -> RunComparison:
    averages = run.evaluation_values is not None
    if averages and noise:
        raise ValueError(
            f"what noise adds at the average is not predicted, but noise is {noise} and "
            f"{tx!r} averages; compare a run without noise"
        )
    values = run.evaluation_values if averages else run.values
    measured = np.asarray(values, np.float64) - minimum
    if np.all(measured < 0):
        raise ValueError(f"minimum is {minimum}, but all losses of the run lie below it")
    steps = len(measured) - 1
    expected = expected_loss(tx, modes, distance, steps, noise=noise)
    left = modes @ stationary_variance(tx, modes, noise=noise) / 2
    rounding = np.finfo(np.asarray(values).dtype).eps * max(abs(minimum), 1e-3 * measured[0])
    floor = MIN_RATIO_TO_FLOOR * max(left, rounding)
    if averages:
        predicted = _loss_at_average(tx, modes, distance, steps)
        # The average converges at its own rate, which may be slower.
        rate = _fitted_rate(predicted, floor)
    else:
        predicted = expected.total
        rate = float(np.max(linearize(tx, modes).spectral_radius))
    return RunComparison(
        step=np.arange(steps + 1),
        measured=measured,
        predicted=predicted,
        stochastic=expected.stochastic,
        measured_rate=_fitted_rate(measured, floor),
        predicted_rate=rate,
        stable_range=stable_range(tx, modes),
    )


def _loss_at_average(tx, modes, distance, steps) -> np.ndarray:
    """The loss at the averaged parameters after each step of a run without noise."""
    with float64_on_cpu():
        curvature = jnp.asarray(modes)
        run = minimize(
            lambda w: 0.5 * jnp.sum(curvature * w**2), jnp.asarray(distance), as_float64(tx), steps
        )
        return np.asarray(run.evaluation_values)


def _of_sweep(result, tx, modes, distance, minimum, noise) -> SweepComparison:
    names = list(result.axes)
    if len(names) != 1 or len(result.optimizers) != 1:
        raise ValueError(
            f"compare lays a prediction over one axis, but the sweep has {names or 'none'}"
            + (f" and {len(result.optimizers)} optimizers" if len(result.optimizers) > 1 else "")
            + "; choose one with result.select(…)"
        )
    (name,) = names
    values = np.asarray(result.coords[name], np.float64)
    if repr(tx) != repr(result.optimizers[0]):
        raise ValueError(f"the sweep was run with {result.optimizers[0]!r}, not with {tx!r}")
    steps = int(result.coords["step"][-1])
    points = [result.optimizer_at({name: value}) for value in result.coords[name]]
    predicted = [expected_loss(at, modes, distance, steps, noise=noise).total[-1] for at in points]
    return SweepComparison(
        name=name,
        values=values,
        measured=np.reshape(result.final_loss, (len(values), -1)) - minimum,
        predicted=np.array(predicted),
        predicted_range=stable_range(points[0], modes, name),
        measured_edge=result.edge(name),
    )


def _in_modes(curvature: np.ndarray, start: Any, minimiser: Any) -> tuple[np.ndarray, np.ndarray]:
    """The spectrum, and the distance of the start along each of its eigenvectors."""
    require_like("start", start, "start", start)
    distance = jax.tree.map(jnp.asarray, start)
    if minimiser is not None:
        require_like("minimiser", minimiser, "start", start)
        distance = jax.tree.map(jnp.subtract, distance, minimiser)
    flat = np.asarray(ravel_pytree(distance)[0], np.float64)
    if curvature.ndim and len(flat) != len(curvature):
        raise ValueError(
            f"start holds {len(flat)} numbers, but the curvature has {len(curvature)} directions"
        )
    if curvature.ndim < 2:
        return np.broadcast_to(curvature, flat.shape).copy(), flat
    modes, vectors = np.linalg.eigh(curvature)
    return modes, vectors.T @ flat


def _fitted_rate(loss: np.ndarray, floor: float) -> float:
    """The factor per step by which the error, the square root of the loss, shrinks at the end."""
    below = np.flatnonzero(~(loss > floor))
    last = below[0] if below.size else len(loss)
    stretch = np.arange(last // 2, last)
    if len(stretch) < 3:
        return np.nan
    slope = np.polyfit(stretch, np.log(loss[stretch]), 1)[0]
    return float(np.exp(slope / 2))
