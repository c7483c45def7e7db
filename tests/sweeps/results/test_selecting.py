"""``select`` against indexing by hand, and against xarray's own selection."""

import numpy as np
import pytest

from tests.sweeps.made import made, on_rates, sampled


@pytest.fixture
def grid():
    rng = np.random.default_rng(0)
    coords = {
        "optimizer": ["sgd", "adam"],
        "learning_rate": np.array([0.1, 0.2, 0.4], np.float32),
        "b1": [0.5, 0.9],
    }
    shape = (2, 3, 2, 2)
    return made(
        rng.uniform(1, 2, shape), coords, seeds=[3, 5],
        metrics={"accuracy": rng.uniform(size=shape)},
        kept={"w": rng.normal(size=(*shape, 4))},
        params_dims=("optimizer", "learning_rate", "b1", "seed"),
    )  # fmt: skip


def test_a_value_drops_its_dimension_and_stays_as_a_coordinate(grid):
    part = grid.select(learning_rate=0.2)
    assert part.dims == ("optimizer", "b1", "seed")
    assert part.axes == {"b1": "b1"}
    assert part.coords["learning_rate"] == pytest.approx(0.2)
    np.testing.assert_array_equal(part.loss, grid.loss[:, 1])
    np.testing.assert_array_equal(part.metrics["accuracy"], grid.metrics["accuracy"][:, 1])
    np.testing.assert_array_equal(part.params["w"], grid.params["w"][:, 1])
    assert part.params_dims == part.dims


def test_a_selection_agrees_with_that_of_xarray(grid):
    part = grid.select(optimizer="adam", b1=[0.9, 0.5], learning_rate=slice(0.15, 0.5), seed=[5])
    own = part.to_xarray()
    theirs = grid.to_xarray().sel(
        optimizer="adam", b1=[0.9, 0.5], learning_rate=slice(0.15, 0.5), seed=[5]
    )
    for name in own.variables:
        np.testing.assert_array_equal(own[name], theirs[name])
        assert own[name].dims == theirs[name].dims


def test_seeds_are_always_a_dimension(grid):
    part = grid.select(seed=5)
    assert part.dims == grid.dims
    np.testing.assert_array_equal(part.coords["seed"], [5])
    np.testing.assert_array_equal(part.final_loss, grid.final_loss[..., 1:])


def test_an_optimizer_takes_its_own_with_it(grid):
    assert grid.select(optimizer="adam").optimizers == grid.optimizers[1:]
    assert grid.select(optimizer=["adam", "sgd"]).optimizers == grid.optimizers[::-1]


def test_ranges_have_both_ends_also_in_float32(grid):
    np.testing.assert_allclose(grid.select(learning_rate=slice(0.1, 0.2)).coords["learning_rate"],
                               [0.1, 0.2], rtol=1e-6)  # fmt: skip
    assert len(grid.select(learning_rate=slice(None, 0.15)).coords["learning_rate"]) == 1


def test_a_number_means_what_it_equals_before_what_is_next_to_it():
    rates = np.float32(1) + np.arange(3, dtype=np.float32) * np.finfo(np.float32).eps
    result = on_rates([[1], [2], [3]], rates)
    assert result.select(learning_rate=float(rates[1])).final_loss == 2
    assert result.select(learning_rate=[rates[2], rates[0]]).final_loss.tolist() == [[3], [1]]


def test_large_seeds_are_told_apart():
    result = on_rates([[1, 2]], [0.1], seeds=[10_000_000, 10_000_001])
    assert result.select(seed=10_000_001).final_loss == 2


def test_conditions_on_sampled_axes_keep_the_samples_that_meet_all():
    result = sampled([[1], [2], [3], [4]], [0.1, 0.2, 0.2, 0.4], [0.9, 0.8, 0.7, 0.8])
    part = result.select(learning_rate=slice(0.15, None), b1=0.8)
    np.testing.assert_array_equal(part.coords["sample"], [1, 3])
    np.testing.assert_array_equal(part.final_loss, [[2], [4]])
    np.testing.assert_array_equal(part.coords["learning_rate"], [0.2, 0.4])
    one = result.select(sample=2)
    assert one.dims == ("seed",)
    assert one.coords["b1"] == 0.7
    with pytest.raises(ValueError, match="no sample meets the conditions on learning_rate, b1"):
        result.select(learning_rate=0.1, b1=0.8)


def test_parents_are_counted_among_the_members_that_are_left():
    history = {
        "learning_rate": np.array([[0.1, 0.1, 0.3, 0.4]]),
        "parent": np.array([[0, 0, 2, 3]]),
    }
    result = sampled(np.ones((4, 1)), [0.1, 0.2, 0.3, 0.4], [0.9] * 4, history=history)
    part = result.select(sample=[1, 2, 3])
    np.testing.assert_array_equal(part.history["learning_rate"], [[0.1, 0.3, 0.4]])
    np.testing.assert_array_equal(part.history["parent"], [[-1, 1, 2]])


def test_the_parameters_of_the_best_point_go_when_points_do():
    result = on_rates(
        [[1.0, 2.0], [3.0, 4.0]], [0.1, 0.2], kept=np.arange(2.0), params_dims=("seed",)
    )
    assert result.select(learning_rate=0.2).params is None
    np.testing.assert_array_equal(result.select(seed=1).params, [1.0])


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"learning_rate": 0.3}, r"there is no learning_rate 0\.3; there are 0\.1, 0\.2, 0\.4"),
        ({"learning_rate": [0.1, 0.3]}, r"there is no learning_rate 0\.3; there are 0\.1, 0\.2"),
        ({"optimizer": ["sgd", "nadam"]}, "there is no optimizer nadam; there are adam, sgd"),
        ({"optimizer": "nadam"}, "there is no optimizer nadam; there are adam, sgd"),
        ({"b2": 0.9}, "no dimension or axis 'b2'; there are optimizer, learning_rate, b1, seed"),
        ({"optimizer": slice("a", "b")}, "is no range"),
        ({"b1": slice(0.6, 0.7)}, "no b1 meets the conditions on b1"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(grid, conditions, message):
    with pytest.raises(ValueError, match=message):
        grid.select(**conditions)
