"""What small networks are made of."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Layer(NamedTuple):
    """How a layer before the last one of a network is applied; what else it is, its kernel says."""

    stride: int = 1
    """How far apart the patches are that a convolution looks at."""
    skip: bool = False
    """Whether it hands on what it is given, x, beside what it makes of it: x + relu(x ∗ K + b)."""


def activations(
    layers: Mapping[str, Layer], params: Mapping[str, Any], images: jax.Array
) -> dict[str, jax.Array]:
    """Layer → what it hands on to the next one, in the order of the layers."""
    x, found = images, {}
    for name, (stride, skip) in layers.items():
        if params[name]["kernel"].ndim == 4:
            new = jax.nn.relu(convolved(params[name], x, stride))
        else:
            x = x.reshape(len(x), -1)
            new = jax.nn.relu(affine(params[name], x))
        found[name] = x = x + new if skip else new
    return found


def he_kernel(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Normal numbers with the variance 2/fan-in, which a relu hands on unchanged.

    Source: K. He et al., Delving deep into rectifiers, 2015, equation 10.
    """
    return jax.nn.initializers.he_normal()(key, shape)


def affine(layer: Mapping[str, jax.Array], x: jax.Array) -> jax.Array:
    """x W + b, or x W if the layer has no bias."""
    return _biased(layer, x @ layer["kernel"])


def convolved(layer: Mapping[str, jax.Array], images: jax.Array, stride: int) -> jax.Array:
    """The convolution of images (n, height, width, in) with a 3×3 kernel (3, 3, in, out), plus b.

    Images are padded by a zero on each side. It is a product of patches with the kernel.
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
    """An image (height, width, channels), moved; what comes in from outside is zero."""
    height, width, channels = image.shape
    padded = jnp.pad(image, ((height, height), (width, width), (0, 0)))
    corner = height - jnp.asarray(down), width - jnp.asarray(right), jnp.zeros((), int)
    return jax.lax.dynamic_slice(padded, corner, (height, width, channels))


def shifted_at_random(key: jax.Array, images: jax.Array, most: int) -> jax.Array:
    """Each image moved by at most so many pixels in either direction: a digit stays that digit."""
    down, right = jax.random.randint(key, (2, len(images)), -most, most + 1)
    return jax.vmap(shifted)(images, down, right)


def dropped_out(key: jax.Array, x: jax.Array, probability: float) -> jax.Array:
    """Features set to zero at random, the others scaled up, so that the mean stays.

    Source: N. Srivastava et al., Dropout, 2014.
    """
    kept = jax.random.bernoulli(key, 1 - probability, x.shape)
    return jnp.where(kept, x / (1 - probability), 0)


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """The mean of −log of the probability that the softmax gives to the label."""
    log_probabilities = jax.nn.log_softmax(logits)
    return -jnp.mean(jnp.take_along_axis(log_probabilities, jnp.asarray(labels)[:, None], axis=1))
