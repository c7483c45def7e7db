"""Which axes of an array are a matrix: letters, patterns, trees, and what does not fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.transforms.matrices.matrix_axes import matrix_view

CUBE = jnp.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("letters", "shape", "fans"),
    [
        ("bio", (2, 3, 4), (3, 4)),
        ("oib", (4, 3, 2), (3, 2)),
        ("iio", (1, 6, 4), (6, 4)),
        ("ioo", (1, 2, 12), (2, 12)),
        ("ioi", (1, 8, 3), (8, 3)),
    ],
)
def test_matrices_come_back_where_they_were(letters, shape, fans):
    view = matrix_view(letters, CUBE.shape)
    matrices = view.matrices(CUBE)
    assert (
        matrices.reshape(-1, *matrices.shape[-2:]).shape[1:] == fans == (view.fan_in, view.fan_out)
    )
    assert matrices.size == np.prod(shape)
    np.testing.assert_array_equal(view.restored(matrices, CUBE), CUBE)


def test_the_rows_of_a_matrix_are_its_inputs():
    np.testing.assert_array_equal(matrix_view("boi", CUBE.shape).matrices(CUBE), CUBE.mT)
    np.testing.assert_array_equal(matrix_view("iio", CUBE.shape).matrices(CUBE), CUBE.reshape(6, 4))


WAYS = {
    "a list of patterns": [("conv", "iio"), ("embed", None)],
    "a tree": {"conv": "iio", "embed": None, "dense": "io", "bias": None},
    "a function": lambda params: {"conv": "iio", "embed": None, "dense": "io", "bias": None},
}


@pytest.mark.parametrize("way", WAYS)
def test_axes_are_given_by_patterns_by_a_tree_or_by_a_function(way):
    params = {
        "conv": CUBE,
        "embed": jnp.ones((2, 8)),
        "dense": jnp.ones((2, 8)),
        "bias": jnp.ones(8),
    }
    updates, _ = gdlab.scale_by_shape(WAYS[way]).update(params, (), params)
    expected = {"conv": 1.0, "embed": 1.0, "dense": 2.0, "bias": 1.0}
    factors = jax.tree.map(lambda u, w: float(u.ravel()[-1] / w.ravel()[-1]), updates, params)
    assert factors == pytest.approx(expected)
    state = gdlab.muon(0.1, muon_weight_dimension_numbers=WAYS[way]).init(params)
    is_there = lambda tree: {name for name, leaf in tree.items() if leaf is not None}  # noqa: E731
    assert is_there(state.groups["muon"].mu) == {"conv", "dense"}
    assert is_there(state.groups["adam"].nu) == {"embed", "bias"}


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ("bio", r"'bio' names 3 axes, but the array has the shape \(2, 3\)"),
        ("ii", "a letter for each.*not 'ii'"),
        ("xy", "a letter for each.*not 'xy'"),
        ({"w": 1}, "a letter for each.*not 1"),
        ([("v", "io")], "pattern 'v' matches none of the paths"),
    ],
)
def test_letters_that_do_not_fit_are_refused(axes, message):
    params = {"w": jnp.ones((2, 3))}
    with pytest.raises(ValueError, match=message):
        gdlab.scale_by_shape(axes).update(params, (), params)
    with pytest.raises(ValueError, match=message):
        gdlab.muon(0.1, muon_weight_dimension_numbers=axes).init(params)
