"""Choices among values whose runs are written down."""

import numpy as np

from gdlab.analysis.runs.robust_choice import robust_order

RATES = np.geomspace(0.01, 1, 21)


def curves(ends):
    """Runs of eight steps that stay at their end from the fourth on."""
    falls = np.linspace(1, 0, 5)[:, None] * (1 - np.asarray(ends)) + ends
    return np.vstack([falls, np.repeat([ends], 4, axis=0)]).T


def test_a_low_end_among_high_ones_is_not_taken():
    ends = np.abs(np.log10(RATES / 0.1)) / 2 + 0.1
    ends[15] = 1e-6
    assert robust_order("learning_rate", RATES, curves(ends), 0.0)[0] == 10


def test_a_run_that_touches_the_minimum_in_its_last_step_alone_gains_little():
    loss = curves(np.where(np.arange(21) < 10, 0.2, 0.3))
    loss[12:, -1] = 0
    assert robust_order("learning_rate", RATES, loss, 0.0)[0] < 10


def test_the_edge_of_stability_is_kept_two_rates_away():
    ends = np.where(np.arange(21) < 15, 1 - RATES, np.nan)
    order = robust_order("learning_rate", RATES, curves(ends), 0.0)
    assert order[0] == 12
    assert sorted(order) == list(range(15))


def test_values_far_from_each_other_have_no_neighbours():
    ends = np.array([0.5, 0.1, np.nan])
    assert robust_order("learning_rate", np.array([0.1, 0.2, 0.4]), curves(ends), 0.0)[0] == 1


def test_decays_are_neighbours_by_their_distance_from_one():
    ends = np.array([0.5, 0.1, np.nan])
    values = np.array([0.9, 0.99, 0.999])
    assert list(robust_order("momentum", values, curves(ends), 0.0)) == [1, 0]


def test_of_runs_that_are_at_the_minimum_for_half_of_the_steps_the_quickest_is_first():
    loss = np.array([[1, 0.5, 0.2, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0], [1, 0.9, 0, 0, 0, 0, 0]])
    assert robust_order("learning_rate", np.array([0.1, 0.11, 0.12]), loss, 0.0)[0] == 1
