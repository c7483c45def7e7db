"""ALI-G beside Polyak's step and beside momentum."""

import jax.numpy as jnp
import pytest

import gdlab
from tests.optimizers.momentum.test_polyak_sgd import path
from tests.paths import agree

pytestmark = pytest.mark.x64


def test_alig_without_momentum_is_polyaks_step():
    agree(path(gdlab.alig(0.4, momentum=0.0)), path(gdlab.polyak_sgd(0.4, eps=1e-5)))


def test_alig_whose_cap_always_holds_is_nesterovs_momentum():
    # The loss is much larger than the square of its gradient.
    high = lambda w: 1e3 + 0.5 * jnp.sum(w**2)  # noqa: E731
    agree(path(gdlab.alig(0.1, 0.9), high), path(gdlab.sgd(0.1, 0.9, nesterov=True), high))
