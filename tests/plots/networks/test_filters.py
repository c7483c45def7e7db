"""Kernels in a picture: where each of them stands, and which colour zero has."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gdlab import plots, problems

RNG = np.random.default_rng(0)
PARAMS = {
    "conv0": {"kernel": RNG.normal(size=(3, 3, 1, 5)), "bias": np.zeros(5)},
    "conv1": {"kernel": RNG.normal(size=(3, 3, 5, 4))},
    "out": {"kernel": RNG.normal(size=(16, 10))},
}


def mosaic(ax):
    return np.ma.filled(ax.images[0].get_array(), np.nan)


def test_a_kernel_stands_in_a_column_with_a_square_for_each_channel_it_is_given():
    ax = plots.filters(PARAMS, "conv1")
    drawn, kernel = mosaic(ax), PARAMS["conv1"]["kernel"]
    assert drawn.shape == (5 * 4 - 1, 4 * 4 - 1)
    for given in range(5):
        for made in range(4):
            square = drawn[4 * given : 4 * given + 3, 4 * made : 4 * made + 3]
            np.testing.assert_array_equal(square, kernel[:, :, given, made])
    assert np.isnan(drawn[3]).all()
    assert np.isnan(drawn[:, 7]).all()
    assert ax.get_title(loc="left") == "conv1: 4 kernels of 3×3×5"


def test_the_first_layer_is_drawn_unless_another_is_named_and_its_kernels_stand_side_by_side():
    ax = plots.filters(PARAMS)
    assert mosaic(ax).shape == (3, 5 * 4 - 1)
    np.testing.assert_array_equal(mosaic(ax)[:, 16:], PARAMS["conv0"]["kernel"][:, :, 0, 4])


def test_a_unit_of_a_dense_layer_that_sees_the_image_is_an_image():
    problem = problems.dense_network([18])
    drawn = mosaic(plots.filters(problem))
    kernel = problem.start["dense0"]["kernel"]
    assert drawn.shape == (2 * 9 - 1, 16 * 9 - 1)
    np.testing.assert_allclose(drawn[9:, 9:17], kernel[:, 17].reshape(8, 8))
    assert np.isnan(drawn[9:, 18:]).all()


def test_another_dense_layer_is_a_matrix():
    ax = plots.filters(PARAMS, "out")
    np.testing.assert_array_equal(mosaic(ax), PARAMS["out"]["kernel"].T)
    assert ax.get_title(loc="left") == "out: 10 units of 16 weights"


def test_zero_is_white_and_all_panels_have_one_scale():
    larger = {name: {"kernel": 3 * own["kernel"]} for name, own in PARAMS.items()}
    panels = plots.filters({"before": PARAMS, "after": larger}, "conv0")
    most = 3 * np.abs(PARAMS["conv0"]["kernel"]).max()
    for panel in panels:
        (image,) = panel.images
        assert image.get_clim() == pytest.approx((-most, most))
        assert min(image.cmap(image.norm(0.0))[:3]) > 0.95
        red, _, blue, _ = image.cmap(image.norm(0.5 * most))
        assert red > blue
    assert [panel.get_title(loc="left").split(",")[0] for panel in panels] == ["before", "after"]
    assert [ax.get_ylabel() for ax in panels[0].figure.axes][-1] == "weight"


def test_it_draws_on_the_axes_it_is_given():
    _, ax = plt.subplots()
    assert plots.filters(PARAMS, ax=ax) is ax


@pytest.mark.parametrize(
    ("params", "layer", "said"),
    [
        (PARAMS, "conv7", "layer must be one of conv0, conv1, out, not 'conv7'"),
        ({"a": PARAMS, "b": {"out": PARAMS["out"]}}, "conv0", "one of 'b' of out, not 'conv0'"),
        ({"a": np.zeros(3)}, None, "params of 'a' are not those of a network"),
        (problems.booth(), None, "params are not those of a network"),
        (np.zeros(3), None, "params must be parameters, a network"),
    ],
)
def test_what_has_no_such_kernels_is_refused(params, layer, said):
    with pytest.raises(ValueError, match=said):
        plots.filters(params, layer)


def test_each_kernel_has_an_outline_since_weights_near_zero_are_pale():
    ax = plots.filters(problems.convolutional_network((4, 8)), "conv1")
    (outlines,) = ax.collections
    assert len(outlines.get_paths()) == 4 * 8
    assert outlines.get_paths()[0].get_extents().size.tolist() == [3, 3]
