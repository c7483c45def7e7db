"""The averages of the lecture, as they are drawn."""

import numpy as np
import pytest

from gdlab import debias, ema, moving_average, plots

PRICES = [12.30, 11.00, 10.20, 10.50, 11.10]


def drawn(ax):
    return {line.get_label(): np.asarray(line.get_ydata()) for line in ax.lines}


def test_the_averages_of_five_prices_are_those_worked_out_by_hand():
    lines = drawn(
        plots.averages(
            PRICES,
            {
                "mean": debias(moving_average(5)),
                "β = 0.2": ema(0.2, initial_value=12.30),
                "β = 0.5": ema(0.5, initial_value=12.30),
            },
        )
    )
    np.testing.assert_array_equal(lines["values"], PRICES)
    assert lines["mean"][-1] == pytest.approx(11.02, abs=1e-12)
    by_hand = [12.30, 11.26, 10.412, 10.4824, 10.97648]
    np.testing.assert_allclose(lines["β = 0.2"], by_hand, rtol=1e-12)
    by_hand = [12.30, 11.65, 10.925, 10.7125, 10.90625]
    np.testing.assert_allclose(lines["β = 0.5"], by_hand, rtol=1e-12)


def test_what_is_no_series_is_refused():
    with pytest.raises(ValueError, match=r"values must be a series of finite numbers"):
        plots.averages([[1.0, 2.0]], {"mean": ema(0.9)})
    with pytest.raises(ValueError, match=r"values must be a series .* not \[ 1. nan\]"):
        plots.averages([1.0, np.nan], {"mean": ema(0.9)})
    with pytest.raises(ValueError, match=r"transformations must be .* name → transformation"):
        plots.averages([1.0], {})


def test_an_average_of_another_library_will_do():
    optax = pytest.importorskip("optax")
    averages = {"optax's": optax.ema(0.9, debias=False), "own": ema(0.9)}
    theirs, own = plots.averages(PRICES, averages).lines[1:]
    np.testing.assert_allclose(theirs.get_ydata(), own.get_ydata(), rtol=1e-6)
