"""What each layer of a network hands on, against the convolutions of JAX and PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import problems
from gdlab.problems.layers import shifted


def by_lax(kernel, x, stride):
    return jax.lax.conv_general_dilated(
        jnp.asarray(x),
        jnp.asarray(kernel),
        (stride, stride),
        ((1, 1), (1, 1)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def by_torch(kernel, x, stride):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    channels_first = torch.from_numpy(np.array(x)).permute(0, 3, 1, 2)
    kernel = torch.from_numpy(np.array(kernel)).permute(3, 2, 0, 1)
    new = torch.nn.functional.conv2d(channels_first, kernel, stride=stride, padding=1)
    return new.permute(0, 2, 3, 1).numpy()


def with_biases(params, seed=0):
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: (leaf + 0.1 * rng.normal(size=leaf.shape)).astype(np.float32), params
    )


@pytest.mark.parametrize("convolution", [by_lax, by_torch])
@pytest.mark.parametrize("skip", [False, True])
def test_maps_of_each_layer_are_those_of_another_convolution(convolution, skip):
    problem = problems.convolutional_network((3, 4), (1, 3), blocks=1, skip=skip)
    params, (images, _) = with_biases(problem.start), problem.data
    found = problem.activations(params, images[:6])
    assert [(name, array.shape) for name, array in found.items()] == [
        ("conv0", (6, 8, 8, 3)),
        ("conv0block0", (6, 8, 8, 3)),
        ("conv1", (6, 3, 3, 4)),
        ("conv1block0", (6, 3, 3, 4)),
    ]
    x = images[:6]
    for name, stride in (("conv0", 1), ("conv0block0", 1), ("conv1", 3), ("conv1block0", 1)):
        new = np.asarray(convolution(params[name]["kernel"], x, stride)) + params[name]["bias"]
        x = np.maximum(new, 0) + (x if skip and "block" in name else 0)
        np.testing.assert_allclose(found[name], x, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(
    "problem",
    [
        lambda: problems.convolutional_network((2, 3), pool=True),
        lambda: problems.convolutional_network((2, 3), bias=False, dropout=0.5, shift=1),
        lambda: problems.dense_network([5, 5], skip=True),
    ],
)
def test_what_the_last_layer_hands_on_makes_the_logits(problem):
    problem = problem()
    params, (images, _) = with_biases(problem.start), problem.data
    last = np.asarray(list(problem.activations(params, images[:6]).values())[-1])
    out = params["out"]
    expected = last.reshape(6, -1) @ out["kernel"] + out.get("bias", 0)
    np.testing.assert_allclose(problem.model(params, images[:6]), expected, rtol=1e-4, atol=1e-5)


def test_pooled_maps_are_means_over_all_places():
    problem = problems.convolutional_network((2, 3), pool=True)
    found = problem.activations(problem.start, problem.data[0][:4])
    assert list(found) == ["conv0", "conv1", "pool"]
    expected = np.asarray(found["conv1"]).reshape(4, 16, 3).sum(axis=1) / 16
    np.testing.assert_allclose(found["pool"], expected, rtol=1e-5)


def test_a_shift_of_the_image_shifts_the_maps_of_layers_without_a_stride():
    problem = problems.convolutional_network((3, 4, 5), (1, 1, 2))
    params = with_biases(problem.start)
    image = jnp.asarray(problem.data[0][0])
    here = problem.activations(params, image[None])
    there = problem.activations(params, shifted(image, 1, 0)[None])
    for depth, name in enumerate(("conv0", "conv1"), start=1):
        # Each layer sees one pixel further over the border, where what came in differs.
        rows, columns = slice(depth, 7 - depth), slice(depth, 8 - depth)
        before, after = np.asarray(here[name])[0], np.asarray(there[name])[0]
        np.testing.assert_allclose(after[1:][rows, columns], before[:-1][rows, columns], rtol=1e-5)
        assert not np.allclose(after[rows, columns], before[rows, columns], rtol=1e-2)
    strided = np.asarray(here["conv2"])[0], np.asarray(there["conv2"])[0]
    assert not np.allclose(strided[1][1:], strided[0][:-1], rtol=1e-2)


def test_layers_say_how_they_are_applied():
    convolutional = problems.convolutional_network((2, 3), (2, 3), blocks=1)
    assert {name: (layer.stride, layer.skip) for name, layer in convolutional.layers.items()} == {
        "conv0": (2, False),
        "conv0block0": (1, True),
        "conv1": (3, False),
        "conv1block0": (1, True),
    }
    dense = problems.dense_network([4, 4, 5], skip=True)
    assert [layer.skip for layer in dense.layers.values()] == [False, True, False]


def test_layers_of_a_network_in_other_units_hand_on_the_same():
    problem = problems.dense_network([4, 3])
    other = problems.rescaled(problem, units=2.0)
    images = problem.held_out[0][:5]
    here, there = (each.activations(each.start, images) for each in (problem, other))
    for name in problem.layers:
        np.testing.assert_allclose(there[name], here[name], rtol=1e-6)


def test_a_function_that_is_no_network_has_no_layers():
    assert problems.booth().activations is None
    assert not problems.booth().layers
