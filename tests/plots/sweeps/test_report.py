"""What is drawn of a report whose numbers are known."""

import numpy as np
import pytest

from tests.sweeps.made import made, on_rates

RATES = [0.01, 0.1, 1.0]


def report(seeds=4):
    final = np.arange(24.0).reshape(2, 3, 4)[..., :seeds] ** 1.5 + 1
    coords = {"optimizer": ["sgd", "adam"], "learning_rate": RATES}
    return made(final, coords, seeds=range(seeds)).report(target=6.0)


def test_a_report_draws_tuning_differences_and_the_profile():
    judged = report()
    tuning, differences, profile = judged.plot()
    for line, each in zip(tuning.lines, judged.of_kind("tuning"), strict=True):
        np.testing.assert_allclose(line.get_ydata(), each.expected)
        np.testing.assert_allclose(line.get_xdata(), each.evaluations * np.array([1, 2, 3]))
    (each,) = judged.of_kind("difference")
    interval = next(line for line in differences.lines if len(line.get_xdata()) == 2
                    and line.get_linewidth() == 2)  # fmt: skip
    np.testing.assert_allclose(interval.get_xdata(), [each.low, each.high])
    assert [text.get_text() for text in differences.get_yticklabels()] == ["sgd over adam"]
    assert [line.get_label() for line in profile.lines] == ["sgd", "adam"]


def test_the_profile_ends_at_the_share_that_is_solved():
    (judged,) = report().of_kind("profile")
    *_, panel = report().plot()
    for line, (name, ratios) in zip(panel.lines, judged.ratios.items(), strict=True):
        assert line.get_ydata()[-1] == np.mean(np.isfinite(ratios)), name
        assert (line.get_xdata()[0], line.get_ydata()[0]) == (1, 0)


def test_a_sweep_of_one_optimizer_has_the_cost_of_tuning_alone():
    (panel,) = on_rates(np.ones((3, 2)), RATES).report().plot()
    assert panel.get_xlabel() == "evaluations spent on tuning"


def test_a_loss_that_falls_to_zero_leaves_its_decades_in_view():
    (panel,) = on_rates([[0.0], [1e-4], [1.0]], [0.1, 0.2, 0.4]).report().plot()
    assert panel.get_yscale() == "log"


def test_without_anything_to_compare_there_is_nothing_to_draw():
    with pytest.raises(ValueError, match="no tuning, no differences and no profile"):
        on_rates([[1.0]], [0.1]).report().plot()
