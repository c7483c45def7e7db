"""Sizes of steps on a constant gradient, which have closed forms."""

import numpy as np

from gdlab import adagrad, plots, rmsprop


def test_steps_are_drawn_as_their_closed_forms():
    t = np.arange(1, 51)
    ax = plots.step_sizes(
        np.full(50, -3.0),
        {
            "Adagrad": adagrad(0.1, initial_accumulator_value=0.0, eps=0.0),
            "RMSProp": rmsprop(0.1, decay=0.9, eps=0.0),
        },
    )
    adagrads, rmsprops = (line.get_ydata() for line in ax.lines)
    np.testing.assert_allclose(adagrads, 0.1 / np.sqrt(t), rtol=1e-12)
    np.testing.assert_allclose(rmsprops, 0.1 / np.sqrt(1 - 0.9**t), rtol=1e-12)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
