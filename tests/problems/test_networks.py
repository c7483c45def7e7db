"""Networks against JAX's own convolution, their symmetries, and what training makes of them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import problems
from gdlab.problems.layers import convolved, dropped_out, shifted, shifted_at_random


def with_biases(params, seed=0):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: leaf + 0.1 * rng.normal(size=leaf.shape), params)


def few(problem, count=20):
    return jax.tree.map(lambda leaf: leaf[:count], problem.data)


@pytest.mark.x64(rank_promotion="allow")
@pytest.mark.parametrize(("size", "stride"), [(8, 1), (8, 2), (7, 2), (5, 3)])
def test_convolution_of_patches_is_that_of_lax(size, stride):
    rng = np.random.default_rng(0)
    images, kernel = rng.normal(size=(4, size, size, 3)), rng.normal(size=(3, 3, 3, 5))
    layer = {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(rng.normal(size=5))}
    expected = jax.lax.conv_general_dilated(
        jnp.asarray(images),
        layer["kernel"],
        (stride, stride),
        ((1, 1), (1, 1)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    actual = convolved(layer, jnp.asarray(images), stride)
    np.testing.assert_allclose(actual, expected + layer["bias"], rtol=1e-12)


@pytest.mark.parametrize(("down", "right"), [(0, 0), (1, 0), (-2, 3), (0, -1)])
def test_shifted_image_is_the_one_of_numpy(down, right):
    image = np.random.default_rng(0).normal(size=(8, 8, 1)).astype(np.float32)
    expected = np.zeros_like(image)
    for row, column in itertools.product(range(8), range(8)):
        if 0 <= row - down < 8 and 0 <= column - right < 8:
            expected[row, column] = image[row - down, column - right]
    np.testing.assert_array_equal(shifted(jnp.asarray(image), down, right), expected)


def test_random_shifts_are_all_those_that_are_allowed_and_no_others():
    point = jnp.zeros((8, 8, 1)).at[4, 4].set(1)
    moved = shifted_at_random(jax.random.key(0), jnp.broadcast_to(point, (500, 8, 8, 1)), 1)
    places = {tuple(place) for place in np.argwhere(np.asarray(moved)[..., 0])[:, 1:].tolist()}
    assert places == set(itertools.product((3, 4, 5), repeat=2))


def test_dropout_keeps_the_mean_and_drops_its_part():
    dropped = np.asarray(dropped_out(jax.random.key(0), jnp.ones(20_000), 0.3))
    assert set(np.unique(dropped)) == {0.0, np.float32(1) / np.float32(0.7)}
    # Four standard errors of so many throws.
    assert (dropped == 0).mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 20_000))


def test_network_without_a_key_is_neither_shifted_nor_dropped_out():
    random = problems.dense_network([8], dropout=0.5, shift=1)
    plain = problems.dense_network([8])
    images, _ = few(plain)
    np.testing.assert_array_equal(
        random.model(plain.start, images), plain.model(plain.start, images)
    )


def test_dense_network_is_the_one_of_numpy():
    problem = problems.dense_network([6, 6], skip=True)
    params, (images, labels) = with_biases(problem.start), few(problem)
    x = images.reshape(len(images), -1).astype(np.float64)
    first, second, out = (
        {name: np.asarray(leaf, np.float64) for name, leaf in params[layer].items()}
        for layer in ("dense0", "dense1", "out")
    )
    x = np.maximum(x @ first["kernel"] + first["bias"], 0)
    x = x + np.maximum(x @ second["kernel"] + second["bias"], 0)
    logits = x @ out["kernel"] + out["bias"]
    expected = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(20), labels])
    np.testing.assert_allclose(problem(params, (images, labels)), expected, rtol=1e-5)


def sizes_of_features(params, images, skip):
    """The mean square after each hidden layer, by a loop in NumPy."""
    x, sizes = images.reshape(len(images), -1), []
    for i in range(len(params) - 1):
        new = np.maximum(x @ params[f"dense{i}"]["kernel"], 0)
        x = x + new if skip and i > 0 else new
        sizes.append(np.mean(x**2))
    return np.array(sizes)


def test_features_keep_their_size_through_many_layers_with_skip_connections():
    widths = [256] * 17
    problem = problems.dense_network(widths, skip=True)
    sizes = sizes_of_features(problem.start, few(problem)[0], skip=True)
    # In a wide layer of inputs of mean m and mean square q, relu(s xW) has the mean s √(q/π).
    mean, square, scale, expected = np.sqrt(1 / np.pi), 1.0, 1 / 16, [1.0]
    for _ in widths[1:]:
        added = scale * np.sqrt(square / np.pi)
        mean, square = mean + added, square + 2 * mean * added + scale**2 * square
        expected.append(square)
    np.testing.assert_allclose(sizes / sizes[0], expected, rtol=0.1)
    assert 1 < sizes[-1] / sizes[0] < 4


def test_kernels_without_skip_connections_have_the_variance_of_he():
    problem = problems.dense_network([256] * 17)
    for i in range(1, 17):
        assert np.var(problem.start[f"dense{i}"]["kernel"]) == pytest.approx(2 / 256, rel=0.05)
    sizes = sizes_of_features(problem.start, few(problem)[0], skip=False)
    # Its logarithm walks at random, by about √(5/width) a layer.
    assert 0.1 < sizes[-1] / sizes[0] < 10


def test_logits_of_a_deep_network_with_skip_connections_start_as_small_as_of_a_shallow_one():
    def size(blocks, skip):
        shape = {"channels": (8, 16), "blocks": blocks, "skip": skip, "pool": True}
        problem = problems.convolutional_network(**shape)
        return np.std(problem.model(problem.start, few(problem)[0]))

    assert 0.5 < size(8, skip=True) / size(0, skip=True) < 5


def test_kernels_of_convolutions_that_are_added_are_smaller_by_their_number():
    params = problems.convolutional_network((8, 16), blocks=2).start
    for name, factor in {"conv0block1": 4, "conv1block0": 4, "conv1": 1}.items():
        kernel = params[name]["kernel"]
        expected = 2 / np.prod(kernel.shape[:-1]) / factor**2
        assert np.var(kernel) == pytest.approx(expected, rel=0.2), name


def test_swapping_hidden_units_changes_nothing():
    problem = problems.dense_network([5])
    params, batch = with_biases(problem.start), few(problem)
    for order in itertools.islice(itertools.permutations(range(5)), 0, None, 17):
        order = np.array(order)
        swapped = {
            "dense0": jax.tree.map(lambda leaf: leaf[..., order], params["dense0"]),  # noqa: B023
            "out": params["out"] | {"kernel": params["out"]["kernel"][order]},
        }
        # Hidden units are sums of 64 pixels, in a product whose columns have changed places.
        np.testing.assert_allclose(
            problem(swapped, batch), problem(params, batch), rtol=64 * np.finfo(np.float32).eps
        )


def test_scaling_one_layer_up_and_the_next_down_changes_nothing_without_biases():
    problem = problems.convolutional_network((2, 3), bias=False)
    params, batch = problem.start, few(problem)
    scaled = params | {
        "conv0": {"kernel": 4 * params["conv0"]["kernel"]},
        "conv1": {"kernel": params["conv1"]["kernel"] / 4},
    }
    np.testing.assert_allclose(problem(scaled, batch), problem(params, batch), rtol=1e-6)


def test_skip_connections_add_what_a_block_is_given():
    blocks = {
        skip: problems.convolutional_network((2,), blocks=1, skip=skip) for skip in (False, True)
    }
    params = blocks[1].start
    params = params | {"conv0block0": jax.tree.map(np.zeros_like, params["conv0block0"])}
    images, _ = few(blocks[1])
    without = problems.convolutional_network((2,))
    same = without.model({name: params[name] for name in ("conv0", "out")}, images)
    np.testing.assert_allclose(blocks[1].model(params, images), same, rtol=1e-6)
    np.testing.assert_array_equal(blocks[0].model(params, images), 0 * same)


def test_weights_of_a_convolutional_network_are_those_of_its_shared_kernels():
    problem = problems.convolutional_network((8, 16, 32))
    convolutions = 9 * (1 * 8 + 8 * 16 + 16 * 32) + 8 + 16 + 32
    assert problem.size == convolutions + 2 * 2 * 32 * 10 + 10


def test_seeds_of_init_give_different_starts():
    problem = problems.dense_network([8])
    first, other = (problem.init(jax.random.key(seed)) for seed in (0, 1))
    np.testing.assert_array_equal(first["out"]["kernel"], problem.start["out"]["kernel"])
    assert (first["out"]["kernel"] != other["out"]["kernel"]).all()


def trained_on_shifted_images(problem):
    falling = gdlab.adam(gdlab.cosine_decay_schedule(0.02, 1000))
    setting = {"batch_size": 64, "key": jax.random.key(0), "keep_path": False}
    run = gdlab.minimize(problem, problem.start, falling, 1000, data=problem.data, **setting)
    return problems.measure_network(problem, run.params)


@pytest.mark.slow
def test_on_shifted_images_convolutions_are_worth_a_dense_layer_of_half_as_many_weights_more():
    convolutional = trained_on_shifted_images(problems.convolutional_network((6, 12, 16), shift=1))
    dense = trained_on_shifted_images(problems.dense_network([64], shift=1))
    assert convolutional.weights < 0.65 * dense.weights
    # One of 360 images is 0.003; other starts are off by about 0.01.
    assert convolutional.accuracy > dense.accuracy + 0.01
    assert convolutional.shifted_accuracy > dense.shifted_accuracy - 0.01
    assert convolutional.consistency > 0.92


def test_pooled_features_of_a_shape_within_the_image_do_not_see_where_it_is():
    problem = problems.convolutional_network((3, 5), (1, 1), pool=True)
    image = jnp.zeros((8, 8, 1)).at[3:5, 3:5].set(jnp.array([[[1.0], [0.5]], [[0.2], [0.7]]]))
    params = with_biases(problem.start)
    # The biases are taken away, since the padding does not see them.
    params = {name: {**layer, "bias": 0 * layer["bias"]} for name, layer in params.items()}
    here, there = (problem.model(params, shifted(image, *by)[None]) for by in ((0, 0), (1, -1)))
    np.testing.assert_allclose(here, there, rtol=1e-5)


def test_measures_are_those_of_a_loop_over_images_and_shifts():
    problem = problems.dense_network([8])
    params = with_biases(problem.start)
    images, labels = few(problem, 5)
    measures = problems.measure_network(problem, params, (images, labels))
    read = lambda image: np.asarray(problem.model(params, image[None]))[0].argmax()  # noqa: E731
    kept, right = [], []
    for image, label in zip(images, labels, strict=True):
        for down, right_by in itertools.product((-1, 0, 1), repeat=2):
            if (down, right_by) != (0, 0):
                rolled = np.asarray(shifted(jnp.asarray(image), down, right_by))
                kept.append(read(rolled) == read(image))
                right.append(read(rolled) == label)
    assert measures.consistency == pytest.approx(np.mean(kept))
    assert measures.shifted_accuracy == pytest.approx(np.mean(right))
    assert measures.weights == 64 * 8 + 8 + 80 + 10
