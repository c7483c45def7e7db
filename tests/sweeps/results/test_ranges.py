"""Stretches of an axis against those that can be read off the numbers."""

import numpy as np
import pytest

from gdlab import Axis, sgd, sweep
from tests.sweeps.made import made, on_rates, sampled

NAN = np.nan


def test_the_edge_of_gradient_descent_brackets_two_over_the_curvature():
    curvature = 4.0
    rates = np.array([0.6, 0.1, 0.49, 0.51, 0.3])
    result = sweep(
        lambda w: 0.5 * curvature * w**2, 1.0, sgd(Axis("learning_rate", rates)), steps=2000,
        record_every=1000,
    )  # fmt: skip
    value, (below, above) = result.edge()
    assert value == below < 2 / curvature < above
    np.testing.assert_allclose([below, above], [0.49, 0.51], rtol=1e-6)
    np.testing.assert_allclose(result.stable_range(), [0.1, 0.49], rtol=1e-6)
    assert type(value) is float


def test_the_edge_is_before_the_first_value_at_which_any_seed_diverged():
    result = on_rates([[1, 1], [1, NAN], [1, 1]], [0.1, 0.2, 0.4])
    assert result.edge() == pytest.approx((0.1, pytest.approx((0.1, 0.2))))


def test_without_divergence_the_edge_is_open_above_and_with_nothing_else_unknown():
    assert on_rates([[1], [1]], [0.25, 0.5]).edge() == (0.5, (0.5, np.inf))
    value, (below, above) = on_rates([[NAN], [1]], [0.25, 0.5]).edge()
    assert np.isnan([value, below]).all()
    assert above == 0.25
    assert np.isnan(on_rates([[NAN], [1]], [0.25, 0.5]).stable_range()).all()


def test_a_pruned_value_is_stable_and_one_that_was_not_run_is_passed_over():
    status = [["ok"], ["pruned"], ["not run"], ["diverged"]]
    result = on_rates([[1], [NAN], [NAN], [NAN]], [0.125, 0.25, 0.5, 1], status=status)
    assert result.edge() == (0.25, (0.25, 1.0))


def test_there_is_an_edge_for_each_point_of_the_other_axes():
    final = [[[1], [1], [NAN]], [[1], [NAN], [NAN]]]
    coords = {"b1": [0.5, 0.9], "learning_rate": [0.25, 0.5, 1.0]}
    edge = made(final, coords, seeds=[0]).edge()
    np.testing.assert_array_equal(edge.value, [0.5, 0.25])
    np.testing.assert_array_equal(edge.bracket, [[0.5, 0.25], [1.0, 0.5]])


def test_an_axis_that_was_sampled_alone_is_sorted():
    coords = {"sample": np.arange(3), "learning_rate": [1.0, 0.25, 0.5]}
    result = made([[NAN], [2], [1]], coords, {"learning_rate": "sample"}, seeds=[0])
    assert result.edge() == (0.5, (0.5, 1.0))


@pytest.mark.parametrize("choices", [[False, True], ["relu", "tanh"]])
def test_choices_without_an_order_have_neither_edge_nor_basin(choices):
    result = made([[1.0], [2.0]], {"choice": choices}, seeds=[0])
    for stretch in (result.edge, result.stable_range, result.basin):
        with pytest.raises(ValueError, match=f"'choice' chooses among {choices[0]}, {choices[1]}"):
            stretch("choice")


def test_axes_that_were_sampled_together_have_no_edge():
    result = sampled([[1], [2]], [0.1, 0.2], [0.9, 0.8])
    with pytest.raises(ValueError, match="'learning_rate' lies along 'sample' together with b1"):
        result.edge()


def test_an_axis_that_is_a_dimension_has_an_edge_whatever_lies_along_it():
    coords = {"learning_rate": [0.25, 0.5], "b1": [0.9, 0.8]}
    axes = dict.fromkeys(coords, "learning_rate")
    paired = made([[1], [NAN]], coords, axes, seeds=[0])
    assert paired.edge() == (0.25, (0.25, 0.5))
    assert "learning_rate = 0.25; 0.5 diverges" in paired._repr_html_()


def test_unknown_axes_are_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"no axis 'b1'; there are learning_rate"):
        on_rates([[1]], [0.1]).edge("b1")


LOSSES = [[3.0, 1.9, 1.0, 2.0, 2.1, 1.5, NAN]]
POWERS = 2.0 ** np.arange(7)


def test_the_basin_is_the_stretch_around_the_best_within_the_factor():
    result = on_rates(np.transpose(LOSSES), POWERS)
    assert result.basin() == (2.0, 8.0)
    assert result.basin(tol=1.0) == (4.0, 4.0)
    assert result.basin(tol=2.5) == (2.0, 32.0)
    assert result.basin(tol=1e9) == (1.0, 32.0)


def test_the_basin_of_what_is_to_be_large_is_above_the_best_over_the_factor():
    accuracy = np.array([[0.1], [0.4], [0.8], [0.5], [0.3]])
    result = on_rates(np.ones((5, 1)), POWERS[:5], metrics={"accuracy": accuracy})
    assert result.basin(metric="accuracy", maximize=True) == (2.0, 8.0)


def test_there_is_a_basin_for_each_point_of_the_other_axes():
    final = [[[1], [1.5], [4]], [[NAN], [8], [4]], [[NAN], [NAN], [NAN]]]
    coords = {"b1": [0.5, 0.9, 0.99], "learning_rate": [0.25, 0.5, 1.0]}
    low, high = made(final, coords, seeds=[0]).basin()
    np.testing.assert_array_equal(low, [0.25, 0.5, NAN])
    np.testing.assert_array_equal(high, [0.5, 1.0, NAN])


def test_a_factor_of_a_negative_median_and_one_below_one_are_refused():
    with pytest.raises(ValueError, match="final_loss has negative medians"):
        on_rates([[-1.0], [1.0]], [0.1, 0.2]).basin()
    with pytest.raises(ValueError, match=r"tol must be a number of at least 1, not 0\.5"):
        on_rates([[1.0]], [0.1]).basin(tol=0.5)
