"""Points in groups of like shape, and when the state of a group is kept."""

from types import SimpleNamespace

import numpy as np
import pytest

from gdlab import Checkpointing
from gdlab.sweeps.execute.group_checkpoints import GroupCheckpoints
from gdlab.sweeps.execute.groups import groups_of

PLACES = np.arange(12)


@pytest.mark.parametrize(
    ("at_once", "processes", "widths"),
    [
        (6, 1, [6, 6]),
        (5, 1, [4, 4, 4]),
        (2, 2, [2] * 6),
        # Three groups would leave a process without work.
        (4, 2, [3, 3, 3, 3]),
        (12, 3, [4, 4, 4]),
    ],
)
def test_groups_are_the_fewest_that_fit_and_are_dealt_out_evenly(at_once, processes, widths):
    groups = groups_of(
        "", PLACES, {"rate": PLACES / 10}, 0,
        seeds=2, seeds_at_once=2, points_at_once=at_once, multiple_of=processes, mesh=None,
    )  # fmt: skip
    assert [len(group.places) for group in groups] == widths
    np.testing.assert_array_equal(np.concatenate([group.places for group in groups]), PLACES)


def test_the_state_of_a_group_is_kept_after_so_many_seconds_or_where_it_must_be(tmp_path):
    kept = []
    checkpoint = SimpleNamespace(save=lambda name, value: kept.append((name, int(value[0]))))
    group = SimpleNamespace(name="group0.", steps=3, state=np.zeros(2))

    def checkpoints(seconds):
        asked = Checkpointing(tmp_path, seconds_between_saves=seconds)
        return GroupCheckpoints(checkpoint, asked, False, "", None)

    rare = checkpoints(3600.0)
    rare.save_halfway(group)
    assert kept == []
    rare.save_halfway(group, now=True)
    assert kept == [("group0.halfway", 3)]
    checkpoints(0.0).save_halfway(group)
    assert len(kept) == 2
