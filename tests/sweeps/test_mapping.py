"""``map_axes`` against NumPy on the grid itself."""

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, adam, map_axes
from tests.sweeps.counting import count_compilations

X, Y = np.linspace(-1, 2, 5), np.array([0.5, 1.0, 4.0])


def wave(x, y, *, phase=0.0):
    return {"wave": jnp.sin(x * y + phase), "both": (x + y, jnp.stack([x, y, x * y]))}


def expected(phase=0.0):
    x, y = np.meshgrid(X, Y, indexing="ij")
    return np.sin(x * y + phase), x + y, np.stack([x, y, x * y], axis=-1)


def assert_is_grid(mapped, phase=0.0):
    wave_, total, stack = expected(phase)
    np.testing.assert_allclose(mapped.values["wave"], wave_, atol=1e-6)
    np.testing.assert_allclose(mapped.values["both"][0], total, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(mapped.values["both"][1], stack, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("chunk", ["auto", 1, 4, 7, 15, 1000])
def test_a_tree_of_arrays_comes_back_over_the_grid(chunk):
    mapped = map_axes(wave, lane_chunk=chunk)(Axis("x", X), Axis("y", Y))
    assert mapped.dims == ("x", "y")
    assert_is_grid(mapped)


def test_what_does_not_fit_into_memory_is_mapped_in_parts(monkeypatch):
    monkeypatch.setattr("gdlab.devices.memory.free_bytes", lambda device: 400)
    assert_is_grid(map_axes(wave)(Axis("x", X), Axis("y", Y)))


def test_axes_may_stand_in_keywords_and_deep_in_trees():
    mapped = map_axes(lambda tree, *, phase: jnp.sin(tree["deep"][1] + phase))(
        {"deep": (0.0, Axis("x", X))}, phase=Axis("phase", Y)
    )
    assert mapped.dims == ("x", "phase")
    np.testing.assert_allclose(mapped.values, np.sin(np.add.outer(X, Y)), atol=1e-6)


def test_axes_may_stand_in_an_optimizer():
    w, rates = jnp.array([1.0, -2.0]), np.array([0.1, 0.2, 0.4])
    mapped = map_axes(lambda tx: tx.update(w, tx.init(w), w)[0])(adam(Axis("rate", rates)))
    # The first step of Adam is the learning rate in every direction.
    np.testing.assert_allclose(mapped.values, np.multiply.outer(-rates, [1.0, -1.0]), rtol=1e-5)


def test_axes_of_one_name_and_along_one_dimension_move_together():
    pair = [Axis("x", Y), Axis("y", 2 * Y, along="x"), Axis("x", Y)]
    mapped = map_axes(lambda *numbers: jnp.stack(numbers))(*pair)
    assert mapped.dims == ("x",)
    assert mapped.axes == {"x": "x", "y": "x"}
    np.testing.assert_allclose(mapped.values, np.stack([Y, 2 * Y, Y], axis=1), rtol=1e-6)


@pytest.mark.parametrize("chunk", ["auto", 5])
def test_sampled_axes_share_a_dimension(chunk):
    mapped = map_axes(wave, samples=12, lane_chunk=chunk)(
        Axis.uniform("x", -1.0, 2.0), Axis.log_uniform("y", 0.1, 10.0), phase=Axis("phase", [0, 1])
    )
    assert mapped.dims == ("sample", "phase")
    x, y = mapped.coords["x"], mapped.coords["y"]
    assert x.shape == y.shape == (12,)
    np.testing.assert_allclose(
        mapped.values["wave"], np.sin((x * y)[:, None] + np.array([0, 1])), atol=1e-5
    )
    np.testing.assert_array_equal(mapped.coords["sample"], np.arange(12))


def test_a_function_without_axes_is_called_once():
    mapped = map_axes(wave)(2.0, 3.0)
    assert mapped.dims == ()
    np.testing.assert_allclose(mapped.values["wave"], np.sin(6.0), rtol=1e-6)


def test_a_dataset_has_labels():
    data = map_axes(wave)(Axis("x", X), Axis("y", Y)).to_xarray()
    assert data["wave"].dims == ("x", "y")
    assert data["both.1"].dims == ("x", "y", "both.1_0")
    row = data.sel(x=X[2], y=4.0, method="nearest")
    np.testing.assert_allclose(row["both.1"], [X[2], 4.0, 4 * X[2]], rtol=1e-6)


def test_a_dataset_of_samples_has_each_axis_along_them():
    mapped = map_axes(lambda x, y: x - y, samples=6)(
        Axis.uniform("x", 0.0, 1.0), Axis.uniform("y", 0.0, 1.0)
    )
    data = mapped.to_xarray()
    assert data["value"].dims == ("sample",)
    assert data["x"].dims == data["y"].dims == ("sample",)
    np.testing.assert_allclose(data["value"], data["x"] - data["y"], rtol=1e-6)


def test_other_values_compile_nothing():
    def run(shift):
        map_axes(wave)(Axis("x", X + shift), Axis("y", Y), phase=shift)

    run(0.0)
    assert count_compilations(lambda: run(1.0)) == 0


def test_the_mapped_function_is_called_by_its_name():
    assert map_axes(wave).__name__ == "wave"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: map_axes(wave, lane_chunk=0),
            "lane_chunk must be a whole number between 1 and 2147483647 or 'auto', not 0",
        ),
        (lambda: map_axes(wave)(Axis("x", X), Axis("x", X[:2])), "another axis is named 'x'"),
        (lambda: map_axes(wave)(Axis("seed", X), 1.0), "has a dimension 'seed'"),
        (lambda: map_axes(wave)(Axis.uniform("x", 0, 1), 1.0), "axis 'x' is sampled"),
        (lambda: map_axes(wave, samples=3)(Axis("x", X), 1.0), "no axis is sampled"),
    ],
)
def test_axes_that_clash_are_refused_before_anything_is_compiled(call, message):
    def refused():
        with pytest.raises(ValueError, match=message):
            call()

    assert count_compilations(refused) == 0
