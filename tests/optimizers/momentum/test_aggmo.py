"""Aggregated momentum beside momentum."""

from functools import partial

import jax.numpy as jnp
import pytest

import gdlab
from tests.paths import PARAMS, agree, differ, gdlab_path

pytestmark = pytest.mark.x64


def test_aggregated_momentum_of_one_or_of_equal_memories_is_momentum():
    momentum = gdlab_path(partial(gdlab.sgd, momentum=0.9))
    agree(gdlab_path(partial(gdlab.aggmo, betas=(0.9,))), momentum)
    agree(gdlab_path(partial(gdlab.aggmo, betas=(0.9, 0.9))), momentum)
    assert differ(gdlab_path(partial(gdlab.aggmo, betas=(0.5, 0.9))), momentum)


def test_velocity_of_a_constant_gradient_grows_to_the_mean_of_the_limits():
    tx = gdlab.aggmo(1.0, betas=(0.0, 0.5, 0.75))
    state = tx.init(jnp.asarray(PARAMS))
    for _ in range(200):
        updates, state = tx.update(jnp.asarray(PARAMS), state)
    agree(updates, -(1 + 2 + 4) / 3 * PARAMS)


def test_each_beta_is_a_leaf_of_its_own():
    numbers = gdlab.hyperparameters(gdlab.aggmo(1.0, betas=(0.0, 0.5)))
    assert numbers == {"learning_rate": 1.0, "betas.0": 0.0, "betas.1": 0.5}
