"""CAME: the residual of the momentum."""

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import agree, gdlab_path, steps_of

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(14)
STEPS = 10
RATES = np.linspace(0.3, 0.1, STEPS)
MATRIX = RANDOM.normal(size=(4, 3))
GRADS = RANDOM.normal(size=(STEPS, 4, 3))


def path(grads=GRADS, params=MATRIX, **settings):
    return gdlab_path(lambda lr: gdlab.came(lr, **settings), RATES, grads, params)


def test_a_vector_moves_as_with_averaged_adafactor():
    links = lambda lr: gdlab.chain(  # noqa: E731
        gdlab.scale_by_factored_rms(decay=0.999),
        gdlab.clip_by_block_rms(1.0),
        gdlab.ema(0.9),
        gdlab.scale_by_learning_rate(lr),
    )
    agree(path(GRADS[:, 0], MATRIX[0]), gdlab_path(links, RATES, GRADS[:, 0], MATRIX[0]))


def test_scaling_the_loss_changes_nothing():
    agree(path(1e3 * GRADS), path(), rtol=1e-9, atol=1e-10)


def test_directions_that_stray_are_slowed_down():
    # The first row always has one gradient, and the last one changes its sign at each step.
    grads = np.ones((STEPS, 2, 3))
    grads[1::2, 1] = -1
    size = np.abs(steps_of(path(grads, 0 * grads[0], b3=0.5), 0 * grads[0])).mean(axis=(0, 2))
    assert size[0] > 3 * size[1]


def test_what_is_not_factored_keeps_no_residual():
    state = gdlab.came(0.1).init({"vector": jnp.zeros(3), "matrix": jnp.zeros((4, 3))})
    assert state.residual_rows["vector"] == ()
    assert state.residual_rows["matrix"].shape == (4, 1)
