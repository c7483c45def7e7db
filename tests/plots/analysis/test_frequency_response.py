"""Gain and phase of averages, whose transfer functions are known."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gdlab import plots

FREQUENCY = np.linspace(0, 0.5, 2001)
DELAY = np.exp(-2j * np.pi * FREQUENCY)


def average(decay):
    return (1 - decay) / (1 - decay * DELAY)


def cutoff(decay):
    """Where (1 − β)² / |1 − β·e^(−2πif)|² is ½."""
    return np.arccos((4 * decay - 1 - decay**2) / (2 * decay)) / (2 * np.pi)


def marked(ax):
    return [line for line in ax.lines if line.get_marker() == "D"]


def test_gain_is_in_decibels_and_phase_in_degrees():
    gain, phase = plots.frequency_response(FREQUENCY, average(0.9))
    x, decibels = gain.lines[0].get_data()
    assert x[-1] == 0.5
    assert decibels[-1] == pytest.approx(20 * np.log10(0.1 / 1.9))
    assert phase.lines[0].get_ydata()[-1] == pytest.approx(0, abs=1e-9)
    assert phase.lines[0].get_ydata().min() == pytest.approx(-np.degrees(np.arcsin(0.9)), abs=1e-3)
    assert (gain.get_ylabel(), phase.get_ylabel()) == ("gain (dB)", "phase (degrees)")
    assert phase.get_xlabel() == "frequency (cycles per step)"


def test_the_frequency_of_minus_3_db_is_marked():
    gain, _ = plots.frequency_response(FREQUENCY, average(0.9))
    (mark,) = marked(gain)
    assert mark.get_xdata() == pytest.approx([cutoff(0.9)], rel=1e-3)
    assert mark.get_ydata() == pytest.approx([10 * np.log10(0.5)])
    assert mark.get_label() == f"−3 dB at {cutoff(0.9):.3g} cycles per step"


def test_it_exists_only_for_decays_above_3_minus_2_roots_of_2():
    bound = 3 - 2 * np.sqrt(2)
    assert not marked(plots.frequency_response(FREQUENCY, average(bound - 1e-3))[0])
    assert marked(plots.frequency_response(FREQUENCY, average(bound + 1e-3))[0])


def test_3_db_count_from_the_gain_at_frequency_0():
    gain, _ = plots.frequency_response(FREQUENCY, 10 * average(0.9))
    (mark,) = marked(gain)
    assert mark.get_xdata() == pytest.approx([cutoff(0.9)], rel=1e-3)
    assert mark.get_ydata() == pytest.approx([20 + 10 * np.log10(0.5)])


def test_frequencies_are_logarithmic_so_that_0_is_left_out():
    for ax in plots.frequency_response(FREQUENCY, average(0.9)):
        assert ax.get_xscale() == "log"
        assert ax.lines[0].get_xdata()[0] == FREQUENCY[1]


def test_a_zero_of_the_filter_does_not_set_the_scale():
    zero = (1 + DELAY + DELAY**2 + DELAY**3) / 4
    gain, _ = plots.frequency_response(FREQUENCY, zero)
    assert gain.get_ylim()[0] == pytest.approx(-80)
    exact = np.where(np.arange(len(FREQUENCY)) == 1000, 0, zero)
    gain, _ = plots.frequency_response(FREQUENCY, exact)
    assert np.isnan(gain.lines[0].get_ydata()[999])


def test_the_phase_goes_on_beyond_half_a_turn():
    _, phase = plots.frequency_response(FREQUENCY, DELAY**3)
    assert phase.lines[0].get_ydata()[-1] == pytest.approx(-540)


def test_it_draws_on_the_axes_it_is_given():
    _, given = plt.subplots(2, 1)
    assert list(plots.frequency_response(FREQUENCY, average(0.5), ax=given)) == list(given)
    with pytest.raises(ValueError, match="2 panels need as many axes, not 1"):
        plots.frequency_response(FREQUENCY, average(0.5), ax=given[0])


def test_several_filters_differ_in_colour_and_dashes_and_are_named_with_their_cutoffs():
    panels = plots.frequency_response(FREQUENCY, {"fast": average(0.5), "slow": average(0.9)})
    plots.frequency_response(FREQUENCY, average(0.99), panels)
    for ax in panels:
        curves = [line for line in ax.lines if len(line.get_xdata()) == len(FREQUENCY) - 1]
        assert len({line.get_color() for line in curves}) == 3
        assert len({line.get_linestyle() for line in curves}) == 3
    assert [text.get_text() for text in panels[0].get_legend().get_texts()] == [
        f"fast, −3 dB at {cutoff(0.5):.3g} cycles per step",
        f"slow, −3 dB at {cutoff(0.9):.3g} cycles per step",
        f"−3 dB at {cutoff(0.99):.3g} cycles per step",
    ]


def test_no_filters_are_refused():
    with pytest.raises(ValueError, match="name → response, not an empty one"):
        plots.frequency_response(FREQUENCY, {})
