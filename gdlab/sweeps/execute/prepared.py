"""A planned run with its programs, traced but not yet compiled."""

from typing import NamedTuple

from gdlab.axes.naming import DIMENSIONS, FIELDS, require_own_names
from gdlab.sweeps.execute.lane_programs import LanePrograms
from gdlab.sweeps.plan.assembly import PlannedRun
from gdlab.sweeps.plan.brackets import Bracket, brackets_of
from gdlab.sweeps.plan.policies import Policy


class PreparedRun(NamedTuple):
    """A planned run whose programs have been traced and checked."""

    planned: PlannedRun
    programs: LanePrograms
    brackets: list[Bracket]

    @classmethod
    def of(cls, planned: PlannedRun, policy: Policy | None) -> "PreparedRun":
        """The run, prepared.

        Raises:
            ValueError, TypeError: whatever tracing finds wrong; or if a metric or target does not
                exist, or a metric has a name that the result uses otherwise.
        """
        programs, grid = LanePrograms(planned.task), planned.grid
        brackets = brackets_of(policy, planned.task)
        if policy is not None:
            _require_known("policy", policy.metric, ("loss", *programs.metrics))
        evaluation = planned.task.structure.evaluation
        if evaluation is not None and evaluation.patience is not None:
            _require_known("patience", evaluation.patience.metric, tuple(programs.metrics))
        for name, _ in planned.task.structure.targets:
            _require_known("targets", name, ("loss", "gradient_norm", *programs.aux))
        taken = {*FIELDS, *DIMENSIONS, *grid.sizes, *grid.axes}
        require_own_names(programs.metrics, taken, "a metric that evaluate returns")
        # As a target this name means the norm of the gradient.
        taken |= {"gradient_norm"}
        require_own_names(programs.aux, taken, "an auxiliary value of the loss")
        return cls(planned, programs, brackets)


def _require_known(argument: str, name: str, known: tuple[str, ...]) -> None:
    """Refuse a name that is not among the known ones."""
    if name not in known:
        raise ValueError(
            f"{argument}: there is no {name!r}; there are {', '.join(map(repr, known))}"
        )
