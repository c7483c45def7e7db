"""The rows of a sweep's records, without a list of all its steps."""

import numpy as np
import pytest

from gdlab.sweeps.plan.task import LaneEvaluation, ProgramStructure
from gdlab.training.objective import ByIdentity


def structure(steps, record_every, evaluate_every):
    nothing = dict.fromkeys(ProgramStructure._fields)
    evaluation = LaneEvaluation(ByIdentity(abs), evaluate_every, None)
    given = {"steps": steps, "record_every": record_every, "evaluation": evaluation}
    return ProgramStructure(**nothing | given)


@pytest.mark.parametrize(("every", "other"), [(1, 3), (2, 5), (3, 12), (40, 1)])
def test_the_rows_of_an_interval_are_those_of_the_steps_in_it(every, other):
    steps = 12
    planned = structure(steps, every, other)
    for begin in range(steps + 2):
        for end in range(begin, steps + 2):
            rows = planned.rows(begin, end)
            for found, gap in ((rows.recorded, every), (rows.evaluated, other)):
                kept = [*range(0, steps, gap), steps]
                assert found == [i for i, step in enumerate(kept) if begin <= step < end]
    np.testing.assert_array_equal(planned.recorded_steps, [*range(0, steps, every), steps])
    assert planned.number_recorded == len(planned.recorded_steps)


def test_the_rows_of_few_of_many_steps_are_found_at_once():
    assert structure(2**31 - 1, 1, 10**9).rows(10**9, 10**9 + 3).recorded == [
        10**9, 10**9 + 1, 10**9 + 2,
    ]  # fmt: skip
