"""Layers of small networks."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.checks.checked import checked_class
from gdlab.checks.kinds import Count


@checked_class
@dataclasses.dataclass(frozen=True)
class Layer:
    """The settings of a hidden layer that its kernel does not determine."""

    stride: Count = 1
    """The stride of a convolution."""
    skip: bool = False
    """True if the layer has a skip connection: x + relu(x ∗ K + b)."""


def activations(
    layers: Mapping[str, Layer], params: Mapping[str, Any], images: jax.Array
) -> dict[str, jax.Array]:
    """Name of a layer → its output, in the order of the layers."""
    x, found = images, {}
    for name, layer in layers.items():
        if params[name]["kernel"].ndim == 4:
            new = jax.nn.relu(convolved(params[name], x, layer.stride))
        else:
            x = x.reshape(len(x), -1)
            new = jax.nn.relu(affine(params[name], x))
        found[name] = x = x + new if layer.skip else new
    return found


def started(
    key: jax.Array, layers: Mapping[str, Layer], shapes: Mapping[str, tuple[int, ...]], bias: bool
) -> dict[str, dict[str, jax.Array]]:
    """Initial parameters: normal kernels of variance 2/fan-in, and zero biases.

    With this variance, ReLU layers preserve the size of features. The kernels of n layers with skip
    connections are scaled by 1/n: the outputs of ReLU are positive, so that means add up rather
    than variances, and branches of scale s multiply the features by up to (1 + s)ⁿ, which is
    bounded for s = 1/n but not for s = 1/√n.

    Args:
        key: PRNG key.
        layers: the hidden layers.
        shapes: the shapes of all kernels, including that of the last layer.
        bias: whether layers have a bias.

    Source: K. He et al., Delving deep into rectifiers, 2015, equation 10; B. Hanin, D. Rolnick, How
    to start training: the effect of initialization and architecture, 2018.
    """
    branches = sum(layer.skip for layer in layers.values())
    # Drawn as one array, since a generator for each of many arrays takes seconds to compile.
    sizes = np.array([math.prod(shape) for shape in shapes.values()])
    drawn = jnp.split(jax.random.normal(key, (int(sizes.sum()),)), np.cumsum(sizes)[:-1].tolist())
    params = {}
    for (name, shape), numbers in zip(shapes.items(), drawn, strict=True):
        scale = math.sqrt(2 / math.prod(shape[:-1]))
        if name in layers and layers[name].skip:
            scale /= branches
        params[name] = {"kernel": scale * numbers.reshape(shape)}
        if bias:
            params[name]["bias"] = jnp.zeros(shape[-1])
    return params


def affine(layer: Mapping[str, jax.Array], x: jax.Array) -> jax.Array:
    """x W + b, or x W if the layer has no bias."""
    return _biased(layer, x @ layer["kernel"])


def convolved(layer: Mapping[str, jax.Array], images: jax.Array, stride: int) -> jax.Array:
    """The convolution of images (n, height, width, in) with a 3×3 kernel (3, 3, in, out), plus b.

    Images are padded by one zero on each side. It is computed as a product of patches with the
    kernel.
    """
    kernel = layer["kernel"]
    *_, before, after = kernel.shape
    _, height, width, _ = images.shape
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    neighbours = [
        padded[:, row : row + height : stride, column : column + width : stride]
        for row in range(3)
        for column in range(3)
    ]
    patches = jnp.concatenate(neighbours, axis=-1)
    return _biased(layer, patches @ kernel.reshape(9 * before, after))


def _biased(layer: Mapping[str, jax.Array], x: jax.Array) -> jax.Array:
    if "bias" not in layer:
        return x
    return x + jnp.broadcast_to(layer["bias"], x.shape)


def shifted(image: jax.Array, down: jax.Array | int, right: jax.Array | int) -> jax.Array:
    """An image (height, width, channels), shifted and filled with zeros."""
    height, width, channels = image.shape
    padded = jnp.pad(image, ((height, height), (width, width), (0, 0)))
    corner = height - jnp.asarray(down), width - jnp.asarray(right), jnp.zeros((), int)
    return jax.lax.dynamic_slice(padded, corner, (height, width, channels))


def shifted_at_random(key: jax.Array, images: jax.Array, most: int) -> jax.Array:
    """Shift each image at random by at most ``most`` pixels, which keeps a digit the same digit."""
    down, right = jax.random.randint(key, (2, len(images)), -most, most + 1)
    return jax.vmap(shifted)(images, down, right)


def dropped_out(key: jax.Array, x: jax.Array, probability: float) -> jax.Array:
    """Dropout: features set to zero at random, the others scaled up to keep the mean.

    Source: N. Srivastava et al., Dropout, 2014.
    """
    kept = jax.random.bernoulli(key, 1 - probability, x.shape)
    return jnp.where(kept, x / (1 - probability), 0)
