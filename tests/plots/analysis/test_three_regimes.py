"""Runs of gradient descent on (y − σw)², whose factors are known."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gdlab import minimize, plots, sgd

SIGMA, Y, START = 2.0, 3.0, 5.0
MINIMUM = Y / SIGMA


def run(factor, steps):
    eta = (1 - factor) / (2 * SIGMA**2)
    return np.asarray(minimize(lambda w: (Y - SIGMA * w) ** 2, START, sgd(eta), steps).path)


@pytest.fixture(scope="module")
def paths():
    return {f"run {f}": run(f, steps) for f, steps in ((0.99, 100), (-0.9, 40), (-1.1, 20))}


def test_each_title_names_the_regime_and_the_factor(paths):
    assert [ax.get_title() for ax in plots.three_regimes(paths, MINIMUM)] == [
        "monotone\nrun 0.99, factor 0.99",
        "oscillating\nrun -0.9, factor −0.9",
        "diverging\nrun -1.1, factor −1.1",
    ]


def test_the_curves_are_the_runs_beside_the_minimum(paths):
    for ax, path in zip(plots.three_regimes(paths, MINIMUM), paths.values(), strict=True):
        minimum, iterates = ax.lines
        assert set(minimum.get_ydata()) == {MINIMUM}
        np.testing.assert_array_equal(iterates.get_ydata(), path)


def test_the_regimes_differ_in_colour_and_in_marker_or_dashes(paths):
    looks = [ax.lines[1] for ax in plots.three_regimes(paths, MINIMUM)]
    assert len({line.get_color() for line in looks}) == 3
    assert len({(line.get_marker(), line.get_linestyle()) for line in looks}) == 3


def test_growth_on_one_side_diverges_as_well():
    (ax,) = plots.three_regimes({"η < 0": [1.0, 1.5, 2.25]})
    assert ax.get_title().startswith("diverging")


def test_a_start_at_the_minimum_and_a_run_without_steps_are_refused():
    with pytest.raises(ValueError, match="'a' must be the iterates of one weight"):
        plots.three_regimes({"a": [1.0, 2.0]}, minimum=1.0)
    with pytest.raises(ValueError, match=r"of shape \(1,\)"):
        plots.three_regimes({"a": [1.0]})


def test_it_draws_on_the_axes_it_is_given(paths):
    _, given = plt.subplots(1, 3)
    assert list(plots.three_regimes(paths, MINIMUM, ax=given)) == list(given)
    assert given[0].get_ylabel() == "iterate wₖ"
    with pytest.raises(ValueError, match="3 panels need as many axes, not 2"):
        plots.three_regimes(paths, MINIMUM, ax=given[:2])
