"""Adagrad, diagonal and with the full matrix."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import gdlab
from tests.paths import GRADS, LEARNING_RATE, PARAMS, STEPS, agree, differ, gdlab_path, steps_of

pytestmark = pytest.mark.x64


def diagonal(**settings):
    return lambda lr: gdlab.adagrad(lr, initial_accumulator_value=0.0, **settings)


def full(**settings):
    return lambda lr: gdlab.full_matrix_adagrad(lr, **settings)


@pytest.mark.parametrize("settings", [{"eps": 0.0}, {"eps": 1e-2}, {"eps_in_sqrt": False}])
def test_full_matrix_on_one_hot_gradients_is_the_diagonal_form(settings):
    one_hot = GRADS * np.eye(len(PARAMS))[np.arange(STEPS) % len(PARAMS)]
    agree(
        gdlab_path(full(**settings), grads=one_hot), gdlab_path(diagonal(**settings), grads=one_hot)
    )


def test_full_matrix_multiplies_by_the_inverse_root_of_the_outer_products():
    # Every step's matrix is regular, since G₀ is the identity.
    path = gdlab_path(full(initial_accumulator_value=1.0, eps=0.0))
    for t in (0, 1, 2, 9, STEPS - 1):
        total = np.eye(5) + GRADS[: t + 1].T @ GRADS[: t + 1]
        step = -LEARNING_RATE[t] * scipy.linalg.solve(scipy.linalg.sqrtm(total), GRADS[t])
        agree(steps_of(path)[t], step, atol=1e-12)


def test_full_matrix_turns_with_the_problem_and_the_diagonal_form_does_not():
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(5, 5)))[0]
    turned, straight = (
        gdlab_path(full(eps=1e-2), grads=GRADS @ q, params=PARAMS @ q) for q in (turn, np.eye(5))
    )
    # While G is singular, rounding outside its range is divided by √ε = 0.1.
    agree(turned, straight @ turn, rtol=1e-10, atol=1e-11)
    turned, straight = (
        gdlab_path(diagonal(eps=1e-2), grads=GRADS @ q, params=PARAMS @ q)
        for q in (turn, np.eye(5))
    )
    assert differ(turned, straight @ turn)


@pytest.mark.parametrize("eps", [0.0, 1e-12])
def test_directions_without_a_gradient_stay_untouched_however_small_the_epsilon(eps):
    direction = np.array([1.0, 2.0, -1.0, 0.5, 3.0])
    grads = np.outer(GRADS[:, 0], direction)
    path = gdlab_path(full(eps=eps), grads=grads)
    across = scipy.linalg.null_space(direction[None])
    agree(steps_of(path) @ across, np.zeros((STEPS, 4)))


def test_full_matrix_takes_a_whole_tree_as_one_vector():
    tree = {"a": jnp.asarray(GRADS[0, :2]), "b": jnp.asarray(GRADS[0, 2:].reshape(3, 1))}
    tx = gdlab.full_matrix_adagrad(0.1, initial_accumulator_value=0.5)
    updates, _ = tx.update(tree, tx.init(tree))
    flat = jnp.asarray(GRADS[0])
    expected, _ = tx.update(flat, tx.init(flat))
    agree(updates["a"], expected[:2])
    agree(updates["b"], expected[2:, None])


def test_size_of_the_steps_is_not_changed_by_the_units_of_the_loss():
    for make in (diagonal(eps=0.0), full(eps=0.0)):
        # In the matrix, a direction counts as empty by its share of the largest eigenvalue.
        agree(gdlab_path(make, grads=1024 * GRADS), gdlab_path(make), atol=1e-11)
