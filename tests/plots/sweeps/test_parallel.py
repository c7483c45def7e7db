"""Parallel coordinates of points whose places are known."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm, to_rgb

from gdlab.plots.scales import DIVERGED
from tests.sweeps.made import made, sampled

NAN = np.nan


def collections(ax):
    """Lines, as the heights of each of their corners, and colour of each collection."""
    return [
        (np.array(c.get_segments())[..., 1], c.get_colors())
        for c in ax.collections
        if isinstance(c, LineCollection)
    ]


def test_each_sample_is_a_line_through_its_values():
    # A decade and more is logarithmic: 0.01 is halfway from 0.001 to 0.1.
    ax = sampled([[3.0], [2.0], [1.0]], [0.001, 0.01, 0.1], [0.9, 0.5, 0.8]).plot()
    ((heights, colors),) = collections(ax)
    np.testing.assert_allclose(heights, [[0, 1], [0.5, 0], [1, 0.75]], atol=1e-6)
    assert len(np.unique(colors, axis=0)) == 3
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["learning rate", "b1"]


def test_the_best_line_is_on_top_and_named():
    samples = sampled([[3.0], [2.0], [1.0]], [0.1, 0.2, 0.3], [0.9, 0.5, 0.7])
    for maximize, heights, value in ((False, [1, 0.5], "1"), (True, [0, 1], "3")):
        ax = samples.plot(maximize=maximize)
        line = next(line for line in ax.lines if line.get_color() == "black")
        np.testing.assert_allclose(line.get_ydata(), heights)
        assert ax.get_legend().get_texts()[-1].get_text() == f"best: final loss {value}"
        assert line.get_zorder() > max(c.get_zorder() for c in ax.collections)


def test_lines_without_a_value_are_thin_and_only_those_that_diverged_have_their_colour():
    status = [["ok"], ["diverged"], ["pruned"]]
    ax = sampled([[1.0], [NAN], [NAN]], [0.1, 0.2, 0.3], [0.5, 0.6, 0.7], status=status).plot()
    diverged, pruned, finished = collections(ax)
    np.testing.assert_allclose(diverged[0], [[0.5, 0.5]])
    np.testing.assert_allclose(diverged[1][0, :3], to_rgb(DIVERGED))
    np.testing.assert_allclose(pruned[0], [[1, 1]])
    np.testing.assert_allclose(finished[0], [[0, 0]])
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[:2] == ["diverged", "not run to the end"]


def test_five_axes_are_parallel_and_their_colours_logarithmic_over_decades():
    coords = {"learning_rate": [0.1, 0.2], "b1": [0.5, 0.9], "eps": [1e-8, 1e-4]}
    coords |= {"b2": [0.9], "weight_decay": [0.1]}
    final = np.arange(1.0, 9.0).reshape(2, 2, 2, 1, 1, 1) ** 2
    ax = made(final, coords, seeds=[0]).plot("final_loss")
    ((heights, _),) = collections(ax)
    assert {tuple(line[:3]) for line in heights} == {(i, j, k) for i in (0, 1) for j in (0, 1)
                                                     for k in (0, 1)}  # fmt: skip
    np.testing.assert_allclose(heights[0][:3], [1, 1, 1])  # the worst, beneath all others
    bar = ax.figure.axes[1]
    assert bar.get_yscale() == "log"
    assert bar.get_ylabel() == "final loss"
    np.testing.assert_allclose(bar.get_ylim(), (1, 64))


def test_optimizers_are_one_more_coordinate():
    coords = {"optimizer": ["sgd", "adam"], "sample": [0], "learning_rate": [0.1], "b1": [0.9]}
    axes = {"learning_rate": "sample", "b1": "sample"}
    ax = made([[[1.0]], [[2.0]]], coords, axes, seeds=[0]).plot()
    ((heights, _),) = collections(ax)
    assert ax.get_xticklabels()[0].get_text() == "optimizer"
    # Names in order, and an axis with one value in the middle.
    np.testing.assert_allclose(heights, [[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]])
    assert {"sgd", "adam"} <= {text.get_text() for text in ax.texts}


@pytest.mark.parametrize("final", [[[NAN], [NAN]], [[-1.0], [2.0]], [[1.0], [1.0]]])
def test_colours_fit_whatever_the_values_are(final):
    ax = sampled(final, [0.1, 0.2], [0.5, 0.6]).plot()
    assert len(ax.figure.axes) == (1 if np.isnan(final).all() else 2)
    assert not any(isinstance(c.norm, LogNorm) for c in ax.collections)
