"""The handwritten digits that come with scikit-learn."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits


@functools.cache
def digits():
    """All images, of 8 × 8 pixels in [0, 1], and their labels, as arrays of NumPy."""
    found = load_digits()
    return found.images / 16, found.target.astype(np.int32)


def random_batch(key, size):
    """So many different images and labels."""
    images, labels = digits()
    chosen = jax.random.choice(key, len(labels), (size,), replace=False)
    return jnp.asarray(images)[chosen], jnp.asarray(labels)[chosen]
