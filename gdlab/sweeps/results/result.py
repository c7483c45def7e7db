"""The labelled result of a sweep."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Between
from gdlab.sweeps.results import (
    labelled,
    ranges,
    rerunning,
    scoring,
    selecting,
    summary,
)
from gdlab.sweeps.results.combining import merging
from gdlab.sweeps.results.combining.by_label import ByLabel
from gdlab.sweeps.results.ranges import Edge
from gdlab.sweeps.results.scoring import Rule
from gdlab.training.models import open_model

if TYPE_CHECKING:
    from gdlab.page.page import Page
    from gdlab.sweeps.report.report import SweepReport


@dataclasses.dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class SweepResult:
    """The result of a sweep: arrays with a dimension for each axis, and one for the seeds.

    Losses of lanes that diverged or were pruned are NaN from then on, and those of lanes that
    converged stay at their last value; evaluation metrics belong to the last good parameters.
    ``result.loss[i, j, s]`` is the loss curve of a run; :meth:`to_xarray` has labels.
    """

    dims: tuple[str, ...]
    """The dimensions of a lane, ``problem`` and ``optimizer`` if there are several, those of the
    axes (one of its own each on a grid, ``sample`` for all that are sampled), and ``seed``."""
    coords: dict[str, np.ndarray]
    """The values along each dimension and of each axis, and the recorded ``step``."""
    axes: dict[str, str]
    """Name of an axis → the dimension along which its values lie."""
    loss: np.ndarray
    """The loss of each lane at the recorded steps, of shape ``(*dims, step)``."""
    aux: dict[str, np.ndarray]
    """The auxiliary values of the loss, of the same shape."""
    metrics: dict[str, np.ndarray]
    """The values of ``evaluate`` at the end of each lane, of shape ``dims``."""
    curves: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    """The values of ``evaluate`` on the way, if asked for by ``evaluate_every``, of shape
    ``(*dims, evaluation_step)``."""
    status: np.ndarray
    """The end of each lane, of shape ``dims``: "ok" at its last step, "diverged", "converged" at
    its target, "pruned" by successive halving, "unfinished" where the sweep was broken off, or
    "not run", a hole between merged results."""
    stopped_at: np.ndarray
    """The step at which a lane stopped, −1 if it ran to its end, of shape ``dims``."""
    evaluations: np.ndarray
    """The number of evaluations of the loss that each lane cost, of shape ``dims``."""
    history: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    """The value of each axis in force after each rung of population-based training, of shape
    ``(rung, *dims)`` without the seeds; and the ``parent``, the position among all points of the
    one from which each went on."""
    optimizers: tuple[Any, ...]
    """The optimizers, with their axes; their ``repr`` in a result that was loaded."""
    settings: dict[str, Any]
    """The numbers among the arguments of the sweep, by name, and texts for some of the others."""
    provenance: dict[str, str] = dataclasses.field(default_factory=dict)
    """Versions, device, time and git revision."""
    kept: Any = None
    """The trained parameters, if asked for, as trees of arrays: those of models are opened into
    their arrays and structure, and ``params`` makes models of them."""
    params_dims: tuple[str, ...] = ()
    """The leading dimensions of their arrays, ``dims`` for all runs, ``seed`` for the best."""
    recipe: Any = None
    """The call that made the result; None in one that was loaded or merged of several."""

    def __post_init__(self) -> None:
        if self.kept is not None and not self.params_dims:
            raise ValueError("kept needs params_dims, the names of their leading dimensions")

    @property
    def params(self) -> Any:
        """The trained parameters, a tree or a model whose arrays have ``params_dims`` in front.

        It is ``None`` unless ``keep_params`` asked for them; :meth:`model` takes out one lane.
        Where shapes differ along a dimension, it is a dictionary of such trees by its labels.
        """
        if isinstance(self.kept, ByLabel):
            return self.kept.map(lambda tree: open_model(tree).close())
        return open_model(self.kept).close()

    @property
    def final_loss(self) -> np.ndarray:
        """The loss after the last step, NaN where a lane did not get there; of shape ``dims``."""
        return self.loss[..., -1]

    @property
    def diverged_at(self) -> np.ndarray:
        """The step at which a lane diverged, −1 if it did not; of shape ``dims``."""
        return np.where(self.status == "diverged", self.stopped_at, -1)

    def values(self, metric: str) -> np.ndarray:
        """The metric of each lane, NaN where it diverged or was dropped; of shape ``dims``.

        The final loss of a lane that was broken off is the last one that was recorded.

        Raises:
            ValueError: if there is no such metric.
        """
        return scoring.lane_values(self, metric)

    @checked
    def best(
        self,
        metric: str = "final_loss",
        *,
        over: str | tuple[str, ...] = "seed",
        rule: Rule = "median",
        maximize: bool | None = None,
    ) -> dict[str, Any]:
        """The best point, judged by all its lanes, one without a value counting as the worst.

        Lanes that were not run, holes between merged results, do not count at all. One that was
        broken off, as by Ctrl-C, counts by the last loss that was recorded; its score is then
        called ``loss_so_far``. After population-based training a point is told by its values at
        the start; ``history`` has those that followed.

        Args:
            metric: "final_loss", or the name of an evaluation metric.
            over: the dimensions whose lanes are judged together.
            rule: how: by their "median", "mean", "min" or "max".
            maximize: whether more is better, unless the name of the metric tells, as those of
                losses, errors and accuracies do.

        Returns:
            The value of each axis there, the label of every other dimension, and the metric.

        Raises:
            ValueError: if no point has a finite score, there is no such metric or dimension, or
                nothing tells whether more of the metric is better.

        >>> from gdlab import Axis, sgd, sweep
        >>> rates = Axis("learning_rate", [0.25, 0.75, 2.5])
        >>> result = sweep(lambda w: 0.5 * w**2, 1.0, sgd(rates), steps=1)
        >>> result.best()
        {'learning_rate': 0.75, 'final_loss': 0.03125}
        """
        return scoring.best(self, metric, over=over, rule=rule, maximize=maximize)

    @checked
    def best_index(
        self,
        metric: str = "final_loss",
        *,
        over: str | tuple[str, ...] = "seed",
        rule: Rule = "median",
        maximize: bool | None = None,
    ) -> tuple[int, ...]:
        """The position of :meth:`best` along each dimension that is not in ``over``."""
        return scoring.best_index(self, metric, over=over, rule=rule, maximize=maximize)

    @checked
    def stable_range(self, axis: str = "learning_rate") -> tuple[Any, Any]:
        """The smallest and the largest value of an axis at which no seed diverged.

        It is the unbroken stretch up to the first value that diverges, from below.

        Args:
            axis: the name of an axis that is a dimension, or was sampled alone.

        Returns:
            Low and high: numbers, or arrays with one for each point of the other axes; NaN where
            even the lowest value diverged.
        """
        return ranges.stable_range(self, axis)

    @checked
    def edge(self, axis: str = "learning_rate") -> Edge:
        """The end of stability along an axis: the largest stable value, with its bracket.

        Args:
            axis: the name of an axis that is a dimension, or was sampled alone.

        Returns:
            ``value``, the upper end of :meth:`stable_range`, and ``bracket``, that value and the
            first one above it that diverged, ∞ where none did. Both are numbers, or arrays with
            one for each point of the other axes.

        >>> from gdlab import Axis, sgd, sweep
        >>> rates = Axis("learning_rate", [0.5, 1.5, 2.5])
        >>> sweep(lambda w: 0.5 * w**2, 1.0, sgd(rates), steps=40).edge()
        Edge(value=1.5, bracket=(1.5, 2.5))
        """
        return ranges.edge(self, axis)

    @checked
    def basin(
        self,
        axis: str = "learning_rate",
        metric: str = "final_loss",
        *,
        tol: Annotated[float, Between(1)] = 2.0,
        maximize: bool | None = None,
    ) -> tuple[Any, Any]:
        """The range of an axis that is nearly as good as its best value.

        It is the unbroken stretch around the best value where the median over the seeds is within
        a factor of the best median.

        Args:
            axis: the name of an axis that is a dimension, or was sampled alone.
            metric: "final_loss", or the name of an evaluation metric.
            tol: the factor, at least 1.
            maximize: whether more is better, unless the name of the metric tells.

        Returns:
            Low and high: numbers, or arrays with one for each point of the other axes; NaN where
            no value has a finite median.

        Raises:
            ValueError: if a median is negative, so that a factor of it means nothing.

        >>> from gdlab import Axis, sgd, sweep
        >>> rates = Axis("learning_rate", [0.5, 0.75, 1.0, 1.25, 1.5])
        >>> result = sweep(lambda w: 1 + w**2, 1.0, sgd(rates), steps=1)
        >>> result.basin()
        (0.5, 1.0)
        """
        return ranges.basin(self, axis, metric, tol, maximize)

    def select(self, **conditions: Any) -> "SweepResult":
        """The part of a result that meets conditions on its dimensions and axes.

        A number or a name drops its dimension, and stays as a coordinate without one; ``seed`` is
        always kept. A list of them, or a range ``slice(low, high)`` with both its ends, keeps it.
        Axes that were sampled together share a dimension, so conditions on them keep the samples
        that meet all of these. A number means the label that is next to it in float32.

        The parameters of the best point alone are not kept when a dimension is cut that they do
        not have.

        Args:
            **conditions: the name of a dimension or an axis, and what is to be kept of it.

        Raises:
            ValueError: if there is no such dimension, or nothing there meets the condition.

        >>> from gdlab import Axis, sgd, sweep
        >>> tx = sgd(Axis("learning_rate", [0.1, 0.2, 0.4]), momentum=Axis("momentum", [0.0, 0.9]))
        >>> result = sweep(lambda w: w**2, 1.0, tx, steps=5)
        >>> result.select(momentum=0.9, learning_rate=slice(0.2, None))
        <SweepResult (learning_rate: 2, seed: 1), 2 ok>
        """
        return selecting.selected(self, conditions)

    def model(self, **labels: Any) -> Any:
        """The trained model of one lane, of the kind that was given: a module, or a tree of arrays.

        Args:
            **labels: conditions as for :meth:`select` that leave one lane of those whose parameters
                were kept: none or ``seed`` for ``keep_params="best"``.

        Raises:
            ValueError: if no parameters were kept, or several lanes are left.

        >>> from flax import nnx
        >>> from gdlab import Axis, sgd, sweep
        >>> model, rates = nnx.Linear(1, 1, rngs=nnx.Rngs(0)), Axis("learning_rate", [0.1, 0.4])
        >>> loss = lambda model: (model.kernel[0, 0] - 2.0) ** 2
        >>> result = sweep(loss, model, sgd(rates), steps=40, keep_params="all")
        >>> float(result.model(learning_rate=0.4).kernel[0, 0].round(3))
        2.0
        """
        return selecting.model_of(self.select(**labels))

    @checked
    def optimizer_at(self, point: Mapping[str, Any]) -> Any:
        """The optimizer at a point, with its values in place of the axes.

        Args:
            point: name of an axis → its value, such as :meth:`best` returns it, and ``optimizer``
                if there are several.

        Raises:
            ValueError: if the point lacks an axis of the optimizer, or the result was loaded, so
                that only the optimizer's ``repr`` is known.

        >>> from gdlab import Axis, sgd, sweep
        >>> result = sweep(lambda w: w**2, 1.0, sgd(Axis("learning_rate", [0.1, 0.4])), steps=3)
        >>> result.optimizer_at(result.best())
        sgd(0.4)
        """
        return rerunning.optimizer_at(self, point)

    @checked
    def rerun(self, point: Mapping[str, Any], **changes: Any) -> "SweepResult":
        """The sweep of one point alone, or of all that agree in what is given.

        A policy then acts among these alone, and nothing is kept in a checkpoint unless a folder
        is given anew.

        Args:
            point: name of an axis → its value, such as :meth:`best` returns it; ``optimizer``,
                ``problem``, ``sample`` and ``seed`` can be chosen as well, and metrics are passed
                over.
            changes: other arguments of :func:`gdlab.sweep`, such as ``keep_params="all"``.

        Raises:
            ValueError: if nothing here agrees, or this result was loaded or merged, so that the
                loss is not known.

        >>> from gdlab import Axis, sgd, sweep
        >>> result = sweep(lambda w: w**2, 1.0, sgd(Axis("learning_rate", [0.1, 0.4])), steps=3)
        >>> result.rerun(result.best(), keep_params="all").params
        array([[0.00800...]], dtype=float32)
        """
        return rerunning.rerun(self, point, changes)

    @checked
    def extend(self, axis: str, values: Sequence[float]) -> "SweepResult":
        """This result and more values of an axis, of which only those that are missing are run.

        Args:
            axis: the name of an axis that is a dimension.
            values: the values that there are to be as well.

        Raises:
            ValueError: if there is no such axis, it was sampled, or this result was loaded or
                merged of several, so that the loss is not known.

        >>> from gdlab import Axis, sgd, sweep
        >>> result = sweep(lambda w: w**2, 1.0, sgd(Axis("learning_rate", [0.1, 0.4])), steps=3)
        >>> result.extend("learning_rate", [0.2, 0.4]).coords["learning_rate"]
        array([0.1, 0.2, 0.4])
        """
        return rerunning.extended(self, axis, values)

    @checked
    def merge(self, *others: "SweepResult") -> "SweepResult":
        """One result over the union of the labels of several of the same sweep.

        Lanes that no result has are holes with the status "not run". Where two have the same lane,
        the one that came further counts. Numbers next to each other in float32 are the same label,
        and those that were in order stay so; samples are appended and numbered anew, and one with
        the same values on all axes is the same sample. Parameters are kept if all results have
        those of all runs. The optimizers are the first result's, so their axes hold its values;
        ``coords`` holds all of them.

        Args:
            *others: results with the same dimensions, settings, optimizers (but for the values of
                axes), recorded steps and metrics.

        Raises:
            ValueError: if they differ in any of these, or two finished runs of one lane differ in
                their final loss.

        >>> from gdlab import Axis, sgd, sweep
        >>> def run(rates):
        ...     return sweep(lambda w: w**2, 1.0, sgd(Axis("learning_rate", rates)), steps=5)
        >>> run([0.1, 0.4]).merge(run([0.2])).coords["learning_rate"]
        array([0.1, 0.2, 0.4])
        """
        return merging.merged([self, *others])

    @checked
    def report(
        self,
        metric: str = "final_loss",
        *,
        maximize: bool | None = None,
        tolerance: float | None = None,
        target: float | None = None,
        confidence: float = 0.95,
        power: float = 0.8,
    ) -> "SweepReport":
        """Judge the result in numbers and words; needs the extra ``lab``.

        The report says whether the best point lies at the edge of a range; what the best of k
        trials is expected to be, and which optimizer leads at equal budgets; how wide the basin is
        in each hyperparameter; whether one optimizer is better than another on other seeds, with
        intervals, and how many seeds a claim would need; how soon each comes to a target, with a
        performance profile; and it gives an alarm where an optimizer loses to one that it includes.
        A sweep of one seed, or of one optimizer, has a shorter report.

        Args:
            metric: "final_loss", or the name of an evaluation metric.
            maximize: whether more is better, unless the name of the metric tells.
            tolerance: the factor of the best score within which a point is nearly as good; 2 unless
                given, 1.1 where more is better.
            target: the loss whose first time is told; unless given, nine tenths of the way from
                the start to the best end of any run.
            confidence: of the intervals; one minus it is the level of the tests.
            power: the probability with which the needed number of seeds finds a difference.

        Raises:
            ValueError: if there is no such metric, or nothing tells its direction.

        >>> from gdlab import Axis, sgd, sweep
        >>> rates = Axis("learning_rate", [0.1, 0.2, 0.4, 0.8])
        >>> report = sweep(lambda w: w**2, 1.0, sgd(rates), steps=3).report()
        >>> report
        <SweepReport of final_loss: 4 judgements, 0 alarms>
        >>> print(report.of_kind("range")[0].sentence)
        The best learning_rate, 0.4, lies inside the range of the 4 values from 0.1 to 0.8.
        """
        from gdlab.sweeps.report.report import sweep_report

        return sweep_report(
            self,
            metric,
            maximize=maximize,
            tolerance=tolerance,
            target=target,
            confidence=confidence,
            power=power,
        )

    @checked
    def page(
        self,
        metric: str = "final_loss",
        *,
        maximize: bool | None = None,
        title: str = "Sweep",
    ) -> "Page":
        """The result as one HTML file that loads nothing; needs the extra ``lab``.

        It is the page of :meth:`report`: linked pictures of all points and their curves, with the
        report below them. :meth:`gdlab.SweepReport.page` says more.

        Args:
            metric: the metric that is judged and shown first.
            maximize: whether more is better, unless the name of the metric tells.
            title: the heading.

        Raises:
            ValueError: if there is no such metric, or nothing tells its direction.
        """
        return self.report(metric, maximize=maximize).page(title)

    @checked
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the result to a netCDF file; needs the extra ``lab``.

        The file is there as a whole or not at all. It keeps the permissions of the one that it
        replaces, and a symbolic link is followed. Anything that reads netCDF reads it; its
        attributes say which versions, device and revision it comes from.

        Args:
            path: the file, which is replaced if it is there.
        """
        from gdlab.sweeps.results import storage

        storage.save(self, path)

    @classmethod
    @checked
    def load(cls, path: str | os.PathLike[str], *, like: Any = None) -> "SweepResult":
        """Read a result that :meth:`save` wrote; needs the extra ``lab``.

        Nothing of the file is executed: ``optimizers`` hold the source code that they had as text.
        Types that netCDF does not know, such as bfloat16, come back as float32, unless ``like``
        has them.

        Args:
            path: the file.
            like: a model, or a tree of parameters, of the structure that was trained, whose numbers
                do not matter; ``params`` is then what it was before it was saved. Without it,
                ``params`` is a dictionary from the path of each array to that array.

        Raises:
            ValueError: if the file holds anything else, or no parameters such as ``like`` has.
            FileNotFoundError: if there is no file.

        >>> import os, tempfile
        >>> from gdlab import Axis, SweepResult, sgd, sweep
        >>> tx, start = sgd(Axis("learning_rate", [0.1, 0.25])), {"x": 1.0, "y": 2.0}
        >>> loss = lambda w: w["x"] ** 2 + w["y"] ** 2
        >>> path = os.path.join(tempfile.mkdtemp(), "rates.nc")
        >>> sweep(loss, start, tx, steps=1, keep_params="all").save(path)
        >>> SweepResult.load(path, like=start).model(learning_rate=0.25)
        {'x': Array(0.5, dtype=float32), 'y': Array(1., dtype=float32)}
        """
        from gdlab.sweeps.results import storage

        return cls(**storage.load(path, like))

    def to_xarray(self) -> Any:
        """An ``xarray.Dataset`` with labelled dimensions; needs the extra ``lab``.

        Every variable says in ``attrs["role"]`` whether it is a metric, an auxiliary value or part
        of the history; one whose name is taken gets its role in front. The attributes of the
        dataset are JSON.
        """
        return labelled.dataset(self)

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame`` with a row for each lane; needs the extra ``lab``."""
        return labelled.frame(self)

    @checked
    def plot(
        self, metric: str = "final_loss", *, maximize: bool | None = None, ax: Any = None
    ) -> Any:
        """The metric against the axes, with what diverged marked; needs the extra ``lab``.

        One axis is a curve, the median over seeds with their range, or a scatter if it was
        sampled. Two axes are a heat map. A third and a fourth axis are a panel for each of their
        values, as are several optimizers or problems. Several axes that were sampled, and whatever
        has too many panels, are parallel coordinates: a line for each point, on which the optimizer
        is one more coordinate.

        Args:
            metric: "final_loss", or the name of an evaluation metric.
            maximize: whether more is better, unless the name of the metric tells.
            ax: the matplotlib axes to draw on, or an array of them for several panels; new ones
                unless given.

        Returns:
            The matplotlib axes, an array of them for several panels.

        Raises:
            ValueError: if there is no axis to plot against.

        >>> from gdlab import Axis, sgd, sweep
        >>> rates, decays = Axis("learning_rate", [0.1, 0.3, 1.0, 3.0]), [0.0, 0.5, 0.9, 0.99]
        >>> tx = sgd(rates, momentum=Axis("momentum", decays))
        >>> ax = sweep(lambda w: 0.5 * w**2, 1.0, tx, steps=30).plot()
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('momentum', 'learning rate')
        """
        from gdlab.plots.sweeps.sweep import plot_sweep

        return plot_sweep(self, metric, maximize=maximize, ax=ax)

    @checked
    def plot_curves(
        self, metric: str | None = None, point: Mapping[str, Any] | None = None, *, ax: Any = None
    ) -> Any:
        """Training and validation of a point over its steps, and epochs; needs the extra ``lab``.

        Args:
            metric: the name of a metric on the way; the first one unless given.
            point: name of an axis → its value; the point with the best final loss unless given.
            ax: the matplotlib axes to draw on; new ones unless given.

        Returns:
            The matplotlib axes.

        Raises:
            ValueError: if the sweep did not evaluate on the way, there is no such metric, or
                several points are left.
        """
        from gdlab.plots.sweeps.training_curves import plot_curves

        return plot_curves(self, metric, point, ax)

    @checked
    def plot_history(
        self,
        axis: str,
        metric: str = "final_loss",
        *,
        maximize: bool | None = None,
        ax: Any = None,
    ) -> Any:
        """The value of an axis in each member of a population over the steps; needs ``lab``.

        Args:
            axis: the name of an axis that population-based training changed.
            metric: what colours the members, "final_loss" or the name of an evaluation metric.
            maximize: whether more is better, unless the name of the metric tells.
            ax: the matplotlib axes to draw on; new ones unless given.

        Returns:
            The matplotlib axes.

        Raises:
            ValueError: if the axis has no history.
        """
        from gdlab.plots.sweeps.history import plot_history

        return plot_history(self, axis, metric, maximize=maximize, ax=ax)

    def __repr__(self) -> str:
        return summary.line(self)

    def _repr_html_(self) -> str:
        return summary.html(self)
