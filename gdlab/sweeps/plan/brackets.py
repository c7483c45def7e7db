"""The brackets of a sweep's points, and the intervals of its steps between rungs."""

import itertools
from typing import NamedTuple

import numpy as np

from gdlab.sweeps.plan.policies import Policy
from gdlab.sweeps.plan.task import ProgramStructure, Rows, SweepTask
from gdlab.training.loader import Stream


class RungInterval(NamedTuple):
    """The steps between two rungs, before the first one or after the last one."""

    begin: int
    end: int
    rows: Rows
    """The rows of the records of its steps."""
    last: bool
    """True if no rung follows."""


class Bracket(NamedTuple):
    """Points that compete with each other and with no others."""

    number: int
    places: np.ndarray
    """The indices of the points among all points of the sweep."""
    intervals: list[RungInterval]


def brackets_of(policy: Policy | None, task: SweepTask) -> list[Bracket]:
    """The brackets of a policy that have points; without a policy, one bracket of all points.

    Raises:
        ValueError: if the rungs of the policy do not rise or do not end, or several brackets would
            read an iterator of batches.
    """
    steps = task.structure.steps
    places = policy.brackets(task.size, steps) if policy else [np.arange(task.size)]
    brackets = [
        Bracket(number, points, _intervals(policy, number, task.structure))
        for number, points in enumerate(places)
        if len(points)
    ]
    if isinstance(task.data, Stream) and task.data.read_once and len(brackets) > 1:
        raise ValueError(
            f"data is an iterator, which can be read once, but each of the {len(brackets)} "
            "brackets of the policy begins anew: give a loader that can be iterated over again"
        )
    return brackets


def _intervals(
    policy: Policy | None, bracket: int, structure: ProgramStructure
) -> list[RungInterval]:
    steps = structure.steps
    # The rungs may be an endless iterator: one more than there are steps is enough to refuse it.
    rungs = policy.rungs_of(bracket, steps) if policy else []
    rungs = list(itertools.islice(rungs, steps))
    if rungs != sorted({rung for rung in rungs if 0 < rung < steps}):
        shown = f"{rungs[:8]}" + (" …" if len(rungs) > 8 else "")
        raise ValueError(
            f"the rungs of a policy must rise and lie between 0 and {steps}, not {shown}"
        )
    # One more step than asked for, whose loss is that of the final parameters.
    return [
        RungInterval(begin, end, structure.rows(begin, end), last=end > steps)
        for begin, end in itertools.pairwise([0, *rungs, steps + 1])
    ]
