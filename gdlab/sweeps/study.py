"""Sweeps whose points Optuna chooses: a batch of trials in each call of the devices."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.axes.grid import RESERVED, axes_with_paths
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Count
from gdlab.core.axis import SampledAxis
from gdlab.core.representation import as_written
from gdlab.core.transformation import GradientTransformation
from gdlab.sweeps.live import live_picture
from gdlab.sweeps.plan.arguments import opened
from gdlab.sweeps.plan.axis_arguments import AxisArguments
from gdlab.sweeps.plan.policies import PopulationBasedTraining
from gdlab.sweeps.proposals.proposer import Proposer
from gdlab.sweeps.proposals.rounds import Round, joined, keeping_results, require_rereadable
from gdlab.sweeps.results.result import SweepResult
from gdlab.sweeps.results.scoring import scores
from gdlab.sweeps.sweep import sweep

if TYPE_CHECKING:
    import optuna

TRIAL = "trial"
"""The dimension along which the trials lie."""
INSTEAD = {
    "samples": "Optuna chooses the values: say how many by trials",
    "sampling": "Optuna chooses the values: give the study a sampler",
    "checkpoint": "the storage of the study is what a later call goes on from",
}
"""Arguments of a sweep that do not apply to a study → advice on what to use instead."""


@checked
def optimize_study(
    study: "optuna.Study",
    loss: Callable[..., Any],
    params: Any,
    tx: GradientTransformation,
    data: Any = None,
    *,
    trials: Count,
    batch: Count,
    metric: str = "final_loss",
    hyperparameters: Mapping[str, Any] | None = None,
    live: bool | Callable[[SweepResult], Any] = False,
    **arguments: Any,
) -> SweepResult:
    """Let an Optuna study choose the values of sampled axes, a batch of trials at a time.

    Each :meth:`gdlab.Axis.uniform` or :meth:`gdlab.Axis.log_uniform` is a parameter of the study
    under its name. A round asks the study for a batch of trials, trains all of them as one sweep,
    and tells the study the median of the metric over the seeds. All rounds have the same shape,
    since the last one is padded, so only the first compiles.

    A trial without a finite median, which diverged or was dropped by a policy, is reported to
    Optuna as pruned, not as failed: samplers ignore failed trials and would choose similar ones
    again, while Optuna's default sampler, TPE, counts trials that were pruned without a value as
    the worst. Trials that Ctrl-C or an error interrupts are reported as failed.

    Args:
        study: a study of one objective, whose direction says whether more of the metric is better.
            Trials that were enqueued come first; a study that is loaded from its storage goes on.
        loss: as in :func:`gdlab.sweep`.
        params: likewise.
        tx: an optimizer whose axes are all sampled.
        data: as in :func:`gdlab.sweep`; a loader is iterated over anew in each round.
        trials: the number of trials in this call; fewer if the sampler runs out of points, as a
            grid sampler does.
        batch: the number of trials that are trained together. The study chooses all trials of a
            batch before it knows the result of any: larger batches are faster, smaller ones are
            better informed.
        metric: "final_loss", or the name of an evaluation metric.
        hyperparameters: as in :func:`gdlab.sweep`.
        live: as in :func:`gdlab.sweep`, for each round.
        **arguments: any other argument of :func:`gdlab.sweep` but ``samples``, ``sampling`` and
            ``checkpoint``, such as ``steps`` and ``seeds``.

    Returns:
        All trials of this call in one result, over the dimension ``trial`` of their numbers.

    Raises:
        ValueError: if the study has several objectives, there is nothing for it to choose, or the
            sweep refuses its arguments.
        KeyboardInterrupt: on Ctrl-C; like every exception on the way, it has the result so far in
            its attribute ``result``.

    >>> import optuna
    >>> from gdlab import Axis, optimize_study, set_hyperparameters, sgd
    >>> study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    >>> tx = sgd(Axis.log_uniform("learning_rate", 1e-3, 10.0))
    >>> result = optimize_study(study, lambda w: w**2, 1.0, tx, trials=20, batch=8, steps=10)
    >>> result.dims, len(study.trials)
    (('trial', 'seed'), 20)
    >>> tuned = set_hyperparameters(tx, study.best_params)
    """
    _require_fitting(study, arguments)
    require_rereadable(data, trials, batch, "trials")
    width = min(batch, trials)
    places = AxisArguments(tx, dict(hyperparameters or {}), opened(loss, params))
    axes = _parameters(places)
    picture = live_picture(live) or False
    maximize = study.direction.name == "MAXIMIZE"
    rounds: list[Round] = []
    has_more = True
    for begin in range(0, trials, width):
        numbers: list[int] = []
        with (
            keeping_results(rounds, numbers, places, TRIAL),
            _asked(study, axes, min(width, trials - begin)) as asked,
        ):
            numbers += [trial.number for trial in asked]
            # The last round is padded with copies of its last trial, so that no new program is
            # compiled.
            padded = [*asked, *asked[-1:] * (width - len(asked))]
            values = {name: np.asarray([trial.params[name] for trial in padded]) for name in axes}
            paired = places.with_values(values, TRIAL)._asdict()
            result: Any = sweep(loss, data=data, live=picture, **paired, **arguments)
            rounds.append(Round(result, numbers))
            found = scores(result, metric, maximize=maximize)
            for trial, score in zip(asked, found.tolist(), strict=False):
                has_more &= _tell(study, trial, score)
        if not has_more:
            break
    return joined(rounds, places, TRIAL)


@contextlib.contextmanager
def _asked(
    study: "optuna.Study", axes: Mapping[str, SampledAxis], count: int
) -> "Iterator[list[optuna.Trial]]":
    """A context with new trials of a study; an exception reports those that are left as failed."""
    from optuna.distributions import BaseDistribution, FloatDistribution
    from optuna.trial import TrialState

    distributions: dict[str, BaseDistribution] = {
        name: FloatDistribution(*_bounds(axis), log=axis.distribution == "log_uniform")
        for name, axis in axes.items()
    }
    asked: list[optuna.Trial] = []
    try:
        while len(asked) < count:
            asked.append(study.ask(distributions))
        yield asked
    except BaseException:
        for trial in asked:
            study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
        raise


def _tell(study: "optuna.Study", trial: "optuna.Trial", score: float) -> bool:
    """Report the score of a trial to the study, and return whether its sampler has more to try."""
    from optuna.trial import TrialState

    value, state = (score, None) if np.isfinite(score) else (None, TrialState.PRUNED)
    try:
        study.tell(trial, value, state)
    except RuntimeError:
        # An exhausted sampler, such as that of a grid, stops the study after a report, which Optuna
        # refuses outside of its own loop.
        told = next(
            known for known in study.get_trials(deepcopy=False) if known.number == trial.number
        )
        if not told.state.is_finished():
            raise
        return False
    return True


def _require_fitting(study: Any, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that do not fit a study.

    Raises:
        ValueError: naming the argument.
    """
    if not all(hasattr(study, method) for method in ("ask", "tell", "directions")):
        raise TypeError(f"study must be a study of Optuna, not {study!r}")
    if len(study.directions) > 1:
        raise ValueError(
            f"study has {len(study.directions)} objectives, but each trial is told one, the metric"
        )
    for name, advice in INSTEAD.items():
        if arguments.get(name) is not None:
            raise ValueError(f"{name}={arguments[name]!r} does not apply: {advice}")
    if isinstance(policy := arguments.get("policy"), Proposer):
        raise ValueError(
            f"policy: {policy!r} chooses the points, and so does the study: call sweep without one"
        )
    if isinstance(policy, PopulationBasedTraining):
        raise ValueError(
            "policy: population-based training changes the hyperparameters on the way, so a trial "
            "would not tell of those that the study chose"
        )


def _parameters(places: AxisArguments) -> dict[str, SampledAxis]:
    """The axes that the study chooses values for, by name.

    Raises:
        ValueError: if there are no sampled axes, or there are axes of other kinds.
    """
    found: dict[str, SampledAxis] = {}
    for path, axis in axes_with_paths(places):
        if not isinstance(axis, SampledAxis):
            raise ValueError(
                f"{path}: axis {axis.name!r} has a list of values, but a study chooses between "
                "bounds: use Axis.uniform or Axis.log_uniform"
            )
        if axis.name in (*RESERVED, TRIAL):
            raise ValueError(f"{path}: an axis of a study cannot be named {axis.name!r}")
        if repr(found.setdefault(axis.name, axis)) != repr(axis):
            raise ValueError(
                f"{path}: {axis} and {found[axis.name]} have one name, so they are one parameter "
                "of the study and must have the same bounds"
            )
    if not found:
        raise ValueError(
            "there is nothing for the study to choose: put Axis.uniform or Axis.log_uniform in "
            "place of a hyperparameter"
        )
    return found


def _bounds(axis: SampledAxis) -> tuple[float, float]:
    """The bounds of an axis in the digits that the user wrote, without float32 rounding."""
    low, high = as_written(axis.values).tolist()
    return low, high
