"""AdaMax's norm, unrolled."""

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, STEPS, agree, path_along

pytestmark = pytest.mark.x64


def test_infinity_norm_is_the_largest_of_the_decayed_gradients():
    decay = 0.8
    ages = np.subtract.outer(np.arange(STEPS), np.arange(STEPS))
    weights = np.where(ages >= 0, decay ** np.maximum(ages, 0), 0)
    path = path_along(gdlab.infinity_norm(decay), jnp.asarray(GRADS), jnp.zeros(5))
    norms = np.diff(path, axis=0, prepend=0)
    agree(norms, (weights[:, :, None] * np.abs(GRADS)).max(axis=1))
