"""The picture of a network against counts by hand, and against what the network hands on."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Rectangle

from gdlab import plots, problems
from gdlab.plots.networks.maps import maps_of, places


def words(ax):
    return [" ".join(text.get_text().split()) for text in ax.texts]


def marked(ax, linewidth=1.3):
    rectangles = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    return [patch for patch in rectangles if patch.get_linewidth() == linewidth]


@pytest.fixture(scope="module")
def strided():
    return problems.convolutional_network((4, 8))


def test_layers_are_named_sized_and_counted_as_by_hand(strided):
    found = words(plots.network(strided))
    for expected in (
        "image", "8×8", "conv0", "4 channels 8×8 stride 1", "conv1", "8 channels 4×4 stride 2",
        "out", "10 classes",
        "the same 3×3×1 weights at every place", "the same 3×3×4 weights at every place",
        "9·1·4 + 4 = 40 weights", "9·4·8 + 8 = 296 weights", "128·10 + 10 = 1,290 weights",
        "in all 1,626 weights",
        # 64 values to 256, and 256 to 128, each with a bias.
        "a dense layer: 16,640", "a dense layer: 32,896",
    ):  # fmt: skip
        assert expected in found, expected


def test_without_biases_none_are_counted():
    found = words(plots.network(problems.convolutional_network((2,), (2,), bias=False)))
    assert {"9·1·2 = 18 weights", "a dense layer: 2,048", "32·10 = 320 weights"} <= set(found)


def test_numbers_are_those_that_the_network_hands_on(strided):
    image = strided.data[0][3]
    ax = plots.network(strided, image=image)
    shown = [np.ma.filled(picture.get_array(), np.nan) for picture in ax.images]
    found = strided.activations(strided.start, image[None])
    np.testing.assert_array_equal(shown[0], image[..., 0])
    for mosaic, name, side in ((shown[1], "conv0", 8), (shown[2], "conv1", 4)):
        maps = np.asarray(found[name])[0]
        drawn = mosaic[~np.isnan(mosaic)]
        assert drawn.size == maps.size
        np.testing.assert_array_equal(np.sort(drawn), np.sort(maps.ravel()))
        np.testing.assert_array_equal(mosaic[:side, :side], maps[..., 0])
        np.testing.assert_array_equal(mosaic[-side:, -side:], maps[..., -1])


def test_a_pixel_is_marked_where_the_framed_patch_is_all_it_sees():
    """The gradient of a pixel with respect to the image is nonzero within its patch alone."""
    problem = problems.convolutional_network((1,), (2,), bias=False)
    rng = np.random.default_rng(0)
    params = {
        "conv0": {"kernel": rng.uniform(0.5, 1.0, (3, 3, 1, 1)).astype(np.float32)},
        "out": problem.start["out"],
    }
    ax = plots.network(problem, params)
    patch, pixel, *_ = marked(ax)
    unit = pixel.get_width()
    assert patch.get_width() == pytest.approx(3 * unit)
    corners = [
        np.array([picture.get_extent()[0], picture.get_extent()[3]]) for picture in ax.images
    ]
    left, top = np.round((np.array(patch.get_xy()) - corners[0]) / unit).astype(int)
    column, row = np.round((np.array(pixel.get_xy()) - corners[1]) / unit).astype(int)
    images = np.eye(64, dtype=np.float32).reshape(64, 8, 8, 1)
    seen = np.asarray(problem.activations(params, images)["conv0"])[:, row, column, 0] > 0
    expected = np.zeros((8, 8), bool)
    expected[top : top + 3, left : left + 3] = True
    np.testing.assert_array_equal(seen.reshape(8, 8), expected)


def test_one_kernel_is_drawn_at_two_places_in_one_colour_and_another_in_another(strided):
    drawn = marked(plots.network(strided))
    # Two patches and the pixels they feed, for each of two convolutions.
    assert len(drawn) == 8
    colors = [patch.get_edgecolor() for patch in drawn]
    assert len(set(colors[:4])) == len(set(colors[4:])) == 1
    assert colors[0] != colors[4]
    assert [patch.get_linestyle() == "-" for patch in drawn] == 2 * [True, True, False, False]
    assert len({patch.get_xy() for patch in drawn}) == 8


def test_channels_that_are_too_many_are_counted_and_not_drawn():
    ax = plots.network(problems.convolutional_network((40,), (4,)), channels=12)
    assert "12 of 40 channels 2×2 stride 4" in words(ax)
    mosaic = np.ma.filled(ax.images[1].get_array(), np.nan)
    assert np.count_nonzero(~np.isnan(mosaic)) == 12 * 4


def test_probabilities_are_bars_and_the_highest_is_written():
    problem = problems.dense_network([3])
    params = problem.start | {
        "out": {"kernel": np.zeros((3, 10)), "bias": np.log([1, 1, 1, 1, 1, 1, 12, 1, 1, 1])}
    }
    ax = plots.network(problem, params)
    widths = np.array([bar.patches[0].get_width() for bar in ax.containers])
    np.testing.assert_allclose(widths / widths.sum(), np.array([1] * 6 + [12, 1, 1, 1]) / 21)
    assert "57 %" in words(ax)


def test_dense_and_pooled_layers_say_what_they_are():
    dense = words(plots.network(problems.dense_network([4, 4], skip=True)))
    assert {"dense0", "dense1", "4 units", "64·4 + 4 = 260 weights", "4·4 + 4 = 20 weights"} <= set(
        dense
    )
    pooled = words(plots.network(problems.convolutional_network((3,), pool=True, blocks=1)))
    assert {"pool", "3 means", "over all places", "conv0block0", "3·10 + 10 = 40 weights"} <= set(
        pooled
    )


def test_it_fits_the_width_of_a_page_and_no_words_touch_each_other():
    ax = plots.network(problems.convolutional_network())
    assert ax.figure.get_size_inches()[0] == pytest.approx(7.2)
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text()]
    for number, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.x1 <= ax.figure.bbox.width
        assert not any(box.overlaps(other) for other in boxes[:number])


def test_it_draws_on_the_axes_it_is_given(strided):
    _, ax = plt.subplots()
    assert plots.network(strided, ax=ax) is ax


@pytest.mark.parametrize(
    ("before", "after", "stride", "expected"),
    [
        (8, 8, 1, [2, 5]),
        (8, 4, 2, [1, 3]),
        # Only row 1 sees nothing over the border, and both are wanted.
        (4, 2, 2, [0, 1]),
        (2, 1, 2, [0]),
    ],
)
def test_places_are_two_that_see_different_rows(before, after, stride, expected):
    assert places(before, after, stride) == expected


@pytest.mark.parametrize(("channels", "columns"), [(1, 1), (4, 1), (8, 2), (16, 4), (10, 5)])
def test_grids_of_maps_are_low_and_full(channels, columns):
    assert maps_of(np.zeros((8, 8, channels)), 32).columns == columns


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"problem": problems.booth()}, "problem: .* is no network"),
        ({"image": np.zeros((8, 8))}, r"image must be of shape \(8, 8, 1\), not \(8, 8\)"),
        ({"params": {"out": np.zeros(3)}}, "has parameters of shape"),
        ({"channels": 0}, "channels must be at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(strided, settings, said):
    with pytest.raises(ValueError, match=said):
        plots.network(**({"problem": strided} | settings))
