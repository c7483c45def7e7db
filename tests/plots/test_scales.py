"""The scales on which values stand evenly."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gdlab.plots.scales import cells, norm_of, set_spacing, spacing


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        (np.linspace(0.1, 2.0, 20), "linear"),
        (np.geomspace(1e-4, 1.0, 9), "log"),
        (np.array([0.5, 0.9, 0.99, 0.999]), "decay"),
        (np.array([0.0, 0.9, 0.99]), "decay"),
        (np.array([0.8, 0.9]), "linear"),
        (np.array([-1.0, 0.9, 0.99, 0.999]), "linear"),
        (np.array([3.0]), "linear"),
    ],
)
def test_values_stand_on_the_scale_that_spaces_them_evenly(values, scale):
    assert spacing(values) == scale


def test_the_ends_of_a_cell_of_decays_are_halfway_in_nines():
    left, right = cells(np.array([0.9, 0.99, 0.999]))
    np.testing.assert_allclose(1 - left, [10**-0.5, 10**-1.5, 10**-2.5])
    np.testing.assert_allclose(1 - right, [10**-1.5, 10**-2.5, 10**-3.5])


def test_decays_are_drawn_at_equal_distances_for_each_nine():
    ax = plt.figure().subplots()
    decays = np.array([0.9, 0.99, 0.999, 0.9999])
    set_spacing(ax, "x", decays)
    ax.set_xlim(0.9, 0.9999)
    places = ax.transData.transform(np.stack([decays, np.zeros(4)], axis=-1))[:, 0]
    np.testing.assert_allclose(np.diff(places), np.diff(places)[0])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0.9", "0.99", "0.999", "0.9999"]


def test_losses_that_are_zero_but_for_rounding_do_not_take_all_the_colours():
    norm = norm_of(np.array([1e-90, 1e-3, 1.0]))
    assert (norm.vmin, norm.vmax) == (1e-16, 1.0)
