"""What came of a sweep, labelled."""

import dataclasses
import json
from typing import Any

import jax
import numpy as np


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class SweepResult:
    """What came of a sweep: arrays with a dimension for each axis, and one for the seeds.

    Losses of lanes that diverged are NaN from then on; evaluation metrics belong to the last good
    parameters. ``result.loss[i, j, s]`` is the loss curve of a run; :meth:`to_xarray` has labels.
    """

    dims: tuple[str, ...]
    """The dimensions of a lane: ``problem`` and ``optimizer`` if there are several, those of the
    axes (one of its own each on a grid, ``sample`` for all that are sampled), and ``seed``."""
    coords: dict[str, np.ndarray]
    """The values along each of them and of each axis, and the recorded ``step``."""
    axes: dict[str, str]
    """Name of an axis → the dimension along which its values lie."""
    loss: np.ndarray
    """The loss of each lane at the recorded steps, of shape ``(*dims, step)``."""
    aux: dict[str, np.ndarray]
    """What the loss returned beside it, likewise."""
    metrics: dict[str, np.ndarray]
    """What ``evaluate`` returned at the end of each lane, of shape ``dims``."""
    status: np.ndarray
    """How each lane ended, of shape ``dims``: "ok" at its last step, "diverged", "converged" at its
    target, "pruned" by successive halving, or "not run", a hole between merged results."""
    stopped_at: np.ndarray
    """The step at which a lane stopped, −1 if it ran to its end, of shape ``dims``."""
    evaluations: np.ndarray
    """How many evaluations of the loss each lane cost, of shape ``dims``."""
    history: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    """Of population-based training: the value of an axis in force after each rung, and the
    ``parent``, of shape ``(rung, *dims)`` without the seeds."""
    optimizers: tuple[Any, ...]
    """The optimizers, with their axes; their ``repr`` in a result that was loaded."""
    settings: dict[str, Any]
    """The arguments of the sweep that are numbers."""
    provenance: dict[str, str] = dataclasses.field(default_factory=dict)
    """Versions, device, time and git revision."""
    params: Any = None
    """The trained parameters, if asked for."""
    params_dims: tuple[str, ...] = ()
    """The leading dimensions of their arrays: ``dims`` for all runs, ``seed`` for the best."""

    def __post_init__(self) -> None:
        if self.params is not None and not self.params_dims:
            raise ValueError("params need params_dims, the names of their leading dimensions")

    @property
    def final_loss(self) -> np.ndarray:
        """The loss after the last step of each lane, NaN where it diverged; of shape ``dims``."""
        return self.loss[..., -1]

    @property
    def diverged_at(self) -> np.ndarray:
        """The step at which a lane diverged, −1 if it did not; of shape ``dims``."""
        return np.where(self.status == "diverged", self.stopped_at, -1)

    def best(self, metric: str = "final_loss", *, maximize: bool = False) -> dict[str, Any]:
        """The point with the best median over seeds, a seed that diverged counting as the worst.

        Args:
            metric: "final_loss", or the name of an evaluation metric.
            maximize: whether more is better.

        Returns:
            The value of each axis there, and the median of the metric.

        Raises:
            ValueError: if all lanes diverged.
        """
        index = self.best_index(metric, maximize=maximize)
        point = {
            name: self.coords[name][i].item() for name, i in zip(self.dims[:-1], index, strict=True)
        }
        return point | {metric: float(self._scores(metric, maximize)[index])}

    def best_index(self, metric: str = "final_loss", *, maximize: bool = False) -> tuple[int, ...]:
        """The position of :meth:`best` along each dimension but that of the seeds."""
        scores = self._scores(metric, maximize)
        if not np.any(np.isfinite(scores)):
            raise ValueError(f"no point has a finite {metric}: all of them diverged")
        worst_last = np.where(np.isfinite(scores), -scores if maximize else scores, np.inf)
        return tuple(int(i) for i in np.unravel_index(np.argmin(worst_last), scores.shape))

    def stable_range(self, axis: str = "learning_rate") -> tuple[np.ndarray, np.ndarray]:
        """The smallest and the largest value of an axis at which no seed diverged.

        It is the unbroken stretch up to the first value that diverges, from below.

        Args:
            axis: the name of an axis of a hyperparameter.

        Returns:
            Low and high for each point of the other axes; NaN where even the lowest diverged.
        """
        position = self._axis(axis)
        values = self.coords[axis]
        stable = np.all(self.status == "ok", axis=-1)
        stable = np.moveaxis(stable, position, -1)[..., np.argsort(values)]
        count = np.sum(np.cumprod(stable, axis=-1), axis=-1)
        ordered = np.sort(values)
        high = np.where(count > 0, ordered[np.maximum(count, 1) - 1], np.nan)
        return np.where(count > 0, ordered[0], np.nan), high

    def to_xarray(self) -> Any:
        """An ``xarray.Dataset`` with labelled dimensions; needs the extra ``lab``."""
        import xarray

        steps = (*self.dims, "step")
        variables = {
            "loss": (steps, self.loss),
            "final_loss": (self.dims, self.final_loss),
            "status": (self.dims, self.status),
            "diverged_at": (self.dims, self.diverged_at),
            **{name: (steps, values) for name, values in self.aux.items()},
            **{name: (self.dims, values) for name, values in self.metrics.items()},
        }
        return xarray.Dataset(variables, self.coords, self._attributes())

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame`` with a row for each lane; needs the extra ``lab``."""
        import pandas

        mesh = np.meshgrid(*(self.coords[name] for name in self.dims), indexing="ij")
        columns = dict(zip(self.dims, mesh, strict=True)) | {
            "final_loss": self.final_loss,
            **self.metrics,
            "status": self.status,
            "diverged_at": self.diverged_at,
        }
        return pandas.DataFrame({name: values.reshape(-1) for name, values in columns.items()})

    def plot(self, metric: str = "final_loss", *, maximize: bool = False, ax: Any = None) -> Any:
        """The metric against the axes, with what diverged marked; needs the extra ``lab``.

        One axis is a curve, the median over seeds with their range, and several optimizers are a
        panel each; two axes are a heat map.

        Args:
            metric: "final_loss", or the name of an evaluation metric.
            maximize: whether more is better, for the mark of the best point.
            ax: the matplotlib axes to draw on, or an array of them for several optimizers; new
                ones unless given.

        Returns:
            The matplotlib axes, an array of them for several optimizers.
        """
        from gdlab.plots.sweep import plot_sweep

        return plot_sweep(self, metric, maximize=maximize, ax=ax)

    def values(self, metric: str) -> np.ndarray:
        """The metric of each lane, NaN where it diverged; of shape ``dims``.

        Raises:
            ValueError: if there is no such metric.
        """
        if metric == "final_loss":
            return self.final_loss
        if metric not in self.metrics:
            known = ", ".join(["final_loss", *self.metrics])
            raise ValueError(f"there is no metric {metric!r}; there are {known}")
        return np.where(self.status == "ok", self.metrics[metric], np.nan)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}: {len(self.coords[name])}" for name in self.dims)
        diverged = int(np.sum(self.status == "diverged"))
        return f"<SweepResult ({sizes}), {diverged} of {self.status.size} lanes diverged>"

    def _repr_html_(self) -> str:
        return self.to_xarray()._repr_html_()

    def _scores(self, metric: str, maximize: bool) -> np.ndarray:
        values = self.values(metric)
        worst = -np.inf if maximize else np.inf
        return np.median(np.where(np.isnan(values), worst, values), axis=-1)

    def _axis(self, axis: str) -> int:
        if axis not in self.dims[:-1]:
            raise ValueError(f"there is no axis {axis!r}; there are {', '.join(self.dims[:-1])}")
        return self.dims.index(axis)

    def _attributes(self) -> dict[str, Any]:
        import gdlab

        return self.settings | {
            "optimizer": json.dumps([repr(tx) for tx in self.optimizers]),
            "gdlab": gdlab.__version__,
            "jax": jax.__version__,
        }
