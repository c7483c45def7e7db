"""SPlus: signs in a basis, and the weights that are evaluated."""

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import agree, gdlab_path, steps_of

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(10)
STEPS = 10
RATES = np.linspace(0.3, 0.1, STEPS)
SQUARE = RANDOM.normal(size=(4, 4))
GRADS = RANDOM.normal(size=(STEPS, 4, 4))


def path(grads=GRADS, params=SQUARE, **settings):
    settings = {"weight_decay": 0.0, "every": 2} | settings
    return gdlab_path(lambda lr: gdlab.splus(lr, **settings), RATES, grads, params)


def test_a_vector_moves_as_with_signum_at_another_rate():
    grads, params = GRADS[:, 0], SQUARE[0]
    signum = gdlab_path(lambda lr: gdlab.signum(lr, 0.9), 0.01 * RATES, grads, params)
    agree(path(grads, params, other_scale=0.01), signum)


def test_where_nothing_is_turned_a_matrix_moves_as_with_signum_over_its_mean_dimension():
    signum = gdlab_path(lambda lr: gdlab.signum(lr, 0.9), RATES / 4, GRADS, SQUARE)
    agree(path(max_dim=3), signum)


def test_every_step_has_the_norm_of_a_matrix_of_signs():
    norms = np.linalg.norm(steps_of(path(), SQUARE), axis=(1, 2))
    agree(norms, RATES * 2 / 8 * 4)


def test_turning_the_coordinates_turns_the_path_after_the_first_step_and_scaling_changes_nothing():
    left, right = (np.linalg.qr(RANDOM.normal(size=(4, 4)))[0] for _ in range(2))
    turned = steps_of(path(left @ GRADS @ right, left @ SQUARE @ right), left @ SQUARE @ right)
    agree(turned[1:], (left @ steps_of(path(), SQUARE) @ right)[1:], rtol=1e-8, atol=1e-8)
    agree(path(1e3 * GRADS), path(), rtol=1e-9, atol=1e-10)


def test_the_weights_to_evaluate_are_an_average():
    tx = gdlab.splus(0.1, average_decay=0.5)
    params = jnp.asarray(SQUARE)
    updates, state = tx.update(jnp.asarray(GRADS[0]), tx.init(params), params)
    middle = 0.5 * SQUARE + 0.5 * (SQUARE + np.asarray(updates))
    agree(gdlab.evaluation_params(state, params), middle)
