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

    The loss of a lane is NaN after the lane diverged or was pruned, and stays at its last value
    after the lane converged. Evaluation metrics are those of the last good parameters.
    ``result.loss[i, j, s]`` is the loss curve of a run; :meth:`to_xarray` has labels.
    """

    dims: tuple[str, ...]
    """The dimensions of a lane: ``problem`` and ``optimizer`` if there are several, those of the
    axes (on a grid one for each axis, ``sample`` for all sampled axes), and ``seed``."""
    coords: dict[str, np.ndarray]
    """The values along each dimension and of each axis, and the recorded ``step``."""
    axes: dict[str, str]
    """Name of an axis → the dimension along which its values lie."""
    loss: np.ndarray
    """The loss of each lane at the recorded steps, of shape ``(*dims, step)``."""
    aux: dict[str, np.ndarray]
    """The auxiliary values of the loss, each of the shape of ``loss``."""
    metrics: dict[str, np.ndarray]
    """The values of ``evaluate`` at the end of each lane, of shape ``dims``."""
    curves: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    """The values of ``evaluate`` on the way, if asked for by ``evaluate_every``, of shape
    ``(*dims, evaluation_step)``."""
    status: np.ndarray
    """The end of each lane, of shape ``dims``: "ok" if it took all steps, "diverged", "converged"
    if it reached its targets or ran out of patience, "pruned" by a policy, "unfinished" if the
    sweep was interrupted, or "not run", as in a hole between merged results."""
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
    """The trained parameters, if kept, as trees of arrays; ``params`` turns them into models."""
    params_dims: tuple[str, ...] = ()
    """The leading dimensions of the kept arrays: ``dims`` for all runs, ``seed`` for the best."""
    recipe: Any = None
    """The call that made the result; None if the result was loaded or merged."""

    def __post_init__(self) -> None:
        if self.kept is not None and not self.params_dims:
            raise ValueError("kept needs params_dims, the names of their leading dimensions")

    @property
    def params(self) -> Any:
        """The trained parameters, a tree or a model with leading axes of ``params_dims``.

        They are ``None`` unless ``keep_params`` kept them; :meth:`model` returns those of one lane.
        If shapes differ along a dimension, they are a dictionary from its labels to such trees.
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
        """The point with the best score over its lanes; a lane without a value counts as the worst.

        Lanes that were not run, as in holes between merged results, are ignored. An interrupted
        lane counts with its last recorded loss; the score is then called ``loss_so_far``. After
        population-based training a point is identified by its initial values; ``history`` has the
        later ones.

        Args:
            metric: "final_loss", or the name of an evaluation metric.
            over: the dimension or dimensions whose lanes are combined into one score.
            rule: the statistic that combines them: "median", "mean", "min" or "max".
            maximize: whether more is better, unless the name of the metric tells, as those of
                losses, errors and accuracies do.

        Returns:
            The value of each axis at the best point, the label of every other dimension, and the
            score.

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
        """The index of the point of :meth:`best` along each dimension that is not in ``over``."""
        return scoring.best_index(self, metric, over=over, rule=rule, maximize=maximize)

    @checked
    def stable_range(self, axis: str = "learning_rate") -> tuple[Any, Any]:
        """The smallest and the largest value of an axis at which no seed diverged.

        The range starts at the lowest value and ends before the first one that diverges.

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

        It is the contiguous range around the best value in which the median over the seeds is
        within a factor ``tol`` of the best median.

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

        A single number or name drops its dimension and leaves a coordinate without one; ``seed`` is
        never dropped. A list of labels, or a range ``slice(low, high)`` that includes both ends,
        keeps the dimension. Axes that were sampled together share a dimension, so conditions on
        them keep the samples that meet all conditions. A number matches a label that is equal to it
        in float32.

        Parameters of the best point alone (``keep_params="best"``) are lost by any selection but
        one of ``seed``.

        Args:
            **conditions: name of a dimension or an axis → the label, list of labels or range to
                keep.

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
        """The trained model of one lane, of the type of ``params``: a module, or a tree of arrays.

        Args:
            **labels: conditions as for :meth:`select` that leave one lane with kept parameters;
                with ``keep_params="best"`` only ``seed`` may be among them.

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
        """Sweep one point again, or all points that agree with ``point``.

        A policy then acts on these points alone, and nothing is saved in a checkpoint unless
        ``changes`` give a folder.

        Args:
            point: name of an axis → its value, such as :meth:`best` returns it; ``optimizer``,
                ``problem``, ``sample`` and ``seed`` can be chosen as well. Metrics in it are
                ignored.
            changes: other arguments of :func:`gdlab.sweep`, such as ``keep_params="all"``.

        Raises:
            ValueError: if no point agrees, or this result was loaded or merged, so that it does not
                know its loss function.

        >>> from gdlab import Axis, sgd, sweep
        >>> result = sweep(lambda w: w**2, 1.0, sgd(Axis("learning_rate", [0.1, 0.4])), steps=3)
        >>> result.rerun(result.best(), keep_params="all").params
        array([[0.00800...]], dtype=float32)
        """
        return rerunning.rerun(self, point, changes)

    @checked
    def extend(self, axis: str, values: Sequence[float]) -> "SweepResult":
        """This result with more values of an axis; only the missing ones are run.

        Args:
            axis: the name of an axis that is a dimension.
            values: the additional values; those that the axis has already are not run again.

        Raises:
            ValueError: if there is no such axis, it was sampled, or this result was loaded or
                merged, so that it does not know its loss function.

        >>> from gdlab import Axis, sgd, sweep
        >>> result = sweep(lambda w: w**2, 1.0, sgd(Axis("learning_rate", [0.1, 0.4])), steps=3)
        >>> result.extend("learning_rate", [0.2, 0.4]).coords["learning_rate"]
        array([0.1, 0.2, 0.4])
        """
        return rerunning.extended(self, axis, values)

    @checked
    def merge(self, *others: "SweepResult") -> "SweepResult":
        """Merge results of the same sweep into one result over the union of their labels.

        Lanes that no result has are holes with the status "not run". If two results have the same
        lane, the run that came further counts. Numbers that are equal in float32 are the same
        label. Labels stay sorted if they were. Samples with the same values on all axes are the
        same sample; others are appended and numbered anew. Parameters are kept if all results have
        those of all runs. The optimizers are the first result's, so that their axes hold its values
        alone; ``coords`` holds all values.

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

        The report says whether the best point lies at the edge of a range; how good the best of k
        trials is expected to be, and which optimizer leads at equal budgets; how wide the basin is
        in each hyperparameter; whether one optimizer is significantly better than another, with
        confidence intervals and the number of seeds that a claim would need; and how soon each
        reaches a target loss, with a performance profile. It raises an alarm where an optimizer
        loses to a special case of itself. With one seed or one optimizer the report is shorter.

        Args:
            metric: "final_loss", or the name of an evaluation metric.
            maximize: whether more is better, unless the name of the metric tells.
            tolerance: the factor of the best score within which a point is nearly as good; 2 unless
                given, 1.1 where more is better.
            target: the loss for which the report says how many steps each optimizer needs to reach
                it; by default nine tenths of the way from the start to the best end of any run.
            confidence: the confidence of the intervals; one minus it is the level of the tests.
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

        The file is written as a whole or not at all. It keeps the permissions of a file that it
        replaces, and a symbolic link is followed. Any reader of netCDF can open it; its attributes
        name the versions, the device and the git revision that made it.

        Args:
            path: the file, which is replaced if it exists.
        """
        from gdlab.sweeps.results import storage

        storage.save(self, path)

    @classmethod
    @checked
    def load(cls, path: str | os.PathLike[str], *, like: Any = None) -> "SweepResult":
        """Read a result that :meth:`save` wrote; needs the extra ``lab``.

        Nothing in the file is executed: ``optimizers`` hold their source code as text. Dtypes that
        netCDF does not have, such as bfloat16, come back as float32, unless ``like`` has them.

        Args:
            path: the file.
            like: a model or a tree of parameters with the structure of the trained one and any
                values; ``params`` then has this structure. Without it, ``params`` is a dictionary
                from the path of each array to the array.

        Raises:
            ValueError: if the file is damaged or holds anything else, or its parameters do not have
                the structure of ``like``.
            FileNotFoundError: if the file does not exist.

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

        ``attrs["role"]`` of a variable says whether it is a metric, an auxiliary value or part of
        the history; a variable whose name is taken is prefixed with its role. The attributes of the
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
        """Plot the metric against the axes, and mark what diverged; needs the extra ``lab``.

        One axis makes a curve of the median over seeds with their range, or a scatter plot if it
        was sampled. Two axes make a heat map. A third and a fourth axis, and several optimizers or
        problems, make a panel for each of their values. Several sampled axes, and results with too
        many panels, make parallel coordinates: a line for each point, with the optimizer as one
        more coordinate.

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
        """Plot the training loss and a metric of one point over the steps; needs the extra ``lab``.

        Args:
            metric: the name of a metric that was evaluated on the way; by default the first one.
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
        """Plot an axis over the steps, a line for each member of a population; needs ``lab``.

        Args:
            axis: the name of an axis that population-based training changed.
            metric: the metric that colours the members: "final_loss", or the name of an evaluation
                metric.
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
