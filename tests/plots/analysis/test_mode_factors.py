"""The factors of modes, a panel for each learning rate."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gdlab import plots
from tests.plots.analysis.test_poles import marks

SIGMA = np.array([2.0, 1.0])
FACTORS = {name: 1 - 2 * eta * SIGMA**2 for name, eta in (("low", 0.05), ("too high", 0.3))}


def test_factors_stand_on_the_real_axis_and_those_outside_the_circle_look_different():
    low, high = plots.mode_factors(FACTORS)
    ((inner, _, places),) = marks(low)
    np.testing.assert_allclose(places, [(0.6, 0), (0.9, 0)])
    (_, color, still_inside), (outer, other_color, outside) = marks(high)
    np.testing.assert_allclose(still_inside, [(0.4, 0)])
    np.testing.assert_allclose(outside, [(-1.4, 0)])
    assert inner != outer
    assert color != other_color


def test_each_title_says_whether_it_converges_and_at_which_rate():
    titles = [panel.get_title() for panel in plots.mode_factors(FACTORS | {"edge": [-1.0, 0.5]})]
    assert titles == ["low\nconverges, ρ = 0.9", "too high\ndiverges, ρ = 1.4",
                      "edge\ndoes not converge, ρ = 1"]  # fmt: skip


def test_all_panels_show_the_same_part_of_the_plane():
    low, high = plots.mode_factors(FACTORS)
    assert low.get_xlim() == high.get_xlim()
    assert low.get_xlim()[0] < -1.4
    assert low.get_xlim()[1] > 1.0


def test_it_draws_on_the_axes_it_is_given_and_needs_one_for_each_panel():
    _, given = plt.subplots(1, 2)
    assert list(plots.mode_factors(FACTORS, ax=given)) == list(given)
    with pytest.raises(ValueError, match="2 panels need as many axes, not 1"):
        plots.mode_factors(FACTORS, ax=given[0])


def test_poles_on_the_real_axis_are_factors_and_others_are_refused():
    (panel,) = plots.mode_factors({"η": np.array([0.6 + 0j, 0.9 + 0j])})
    ((_, _, places),) = marks(panel)
    np.testing.assert_allclose(places, [(0.6, 0), (0.9, 0)])
    with pytest.raises(ValueError, match="the factors of 'η' are not real"):
        plots.mode_factors({"η": [0.5 + 0.5j, 0.5 - 0.5j]})
