"""What came of a sweep, labelled."""

import dataclasses
import json
from typing import Any

import jax
import numpy as np

from gdlab.core.transformation import GradientTransformation


@dataclasses.dataclass(frozen=True, repr=False)
class SweepResult:
    """What came of a sweep: arrays with a dimension for each axis, and one for the seeds.

    Losses of lanes that diverged are NaN from then on; evaluation metrics belong to the last good
    parameters. ``result.loss[i, j, s]`` is the loss curve of a run; :meth:`to_xarray` has labels.
    """

    dims: tuple[str, ...]
    """Names of the dimensions of a lane: ``optimizer`` if there are several, the axes, ``seed``."""
    coords: dict[str, np.ndarray]
    """The values along each of them, and the recorded ``step``."""
    loss: np.ndarray
    """The loss of each lane at the recorded steps, of shape ``(*dims, step)``."""
    aux: dict[str, np.ndarray]
    """What the loss returned beside it, likewise."""
    metrics: dict[str, np.ndarray]
    """What ``evaluate`` returned at the end of each lane, of shape ``dims``."""
    status: np.ndarray
    """How each lane ended, "ok" or "diverged", of shape ``dims``."""
    diverged_at: np.ndarray
    """The step at which a lane diverged, −1 if it did not, of shape ``dims``."""
    optimizers: tuple[GradientTransformation, ...]
    """The optimizers, with their axes."""
    settings: dict[str, Any]
    """The arguments of the sweep that are numbers."""
    params: Any = None
    """The trained parameters, if asked for, with leading axes of ``dims`` or of seeds."""

    @property
    def final_loss(self) -> np.ndarray:
        """The loss after the last step of each lane, NaN where it diverged; of shape ``dims``."""
        return self.loss[..., -1]

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


def joined(results: dict[str, SweepResult]) -> SweepResult | dict[str, SweepResult]:
    """One result with the dimension ``optimizer`` where all axes agree; else they stay apart."""
    first, *others = results.values()
    if any(not _same_axes(first, other) for other in others):
        return results

    def stacked(get: Any) -> np.ndarray:
        return np.stack([get(result) for result in results.values()])

    params = None
    if first.params is not None:
        params = jax.tree.map(
            lambda *leaves: np.stack(leaves), *(r.params for r in results.values())
        )
    return SweepResult(
        dims=("optimizer", *first.dims),
        coords={"optimizer": np.asarray(list(results))} | first.coords,
        loss=stacked(lambda r: r.loss),
        aux={name: stacked(lambda r, n=name: r.aux[n]) for name in first.aux},
        metrics={name: stacked(lambda r, n=name: r.metrics[n]) for name in first.metrics},
        status=stacked(lambda r: r.status),
        diverged_at=stacked(lambda r: r.diverged_at),
        optimizers=tuple(r.optimizers[0] for r in results.values()),
        settings=first.settings,
        params=params,
    )


def _same_axes(one: SweepResult, other: SweepResult) -> bool:
    return one.dims == other.dims and all(
        np.array_equal(one.coords[name], other.coords[name]) for name in one.dims
    )
