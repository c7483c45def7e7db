"""Adadelta: steps in the parameters' units."""

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, PARAMS, STEPS, agree, differ, gdlab_path

pytestmark = pytest.mark.x64


def test_steps_have_the_units_of_the_parameters_if_epsilon_has_them_too():
    # ε stands beside squared steps and beside squared gradients, so both take the same factor.
    c = 50.0
    plain, with_epsilon, without = (
        gdlab_path(lambda lr, eps=eps: gdlab.adadelta(lr, eps=eps), grads=k * GRADS, params=params)
        for eps, k, params in (
            (1e-3, 1, PARAMS),
            (1e-3 * c**2, c, c * PARAMS),
            (1e-3, c, c * PARAMS),
        )
    )
    agree(with_epsilon, c * plain)
    assert differ(without, c * plain)


def test_units_of_the_loss_matter_only_where_gradients_are_small_beside_epsilon():
    grads = np.where(np.abs(GRADS) > 0.1, GRADS, 0.0)
    paths = [gdlab_path(gdlab.adadelta, grads=k * grads) for k in (1, 1000)]
    # ε = 1e-6 is 1e-4 of the smallest mean square.
    agree(*paths, rtol=0, atol=1e-4)
    assert differ(*(gdlab_path(gdlab.adadelta, grads=k * grads) for k in (1e-3, 1)))


def test_adadelta_decays_coupled_weights_where_the_mask_says_so():
    make = lambda lr: gdlab.adadelta(lr, weight_decay=0.1)  # noqa: E731
    tx = gdlab.adadelta(1.0, weight_decay=0.1, weight_decay_mask="kernel")
    params = {"kernel": jnp.asarray(PARAMS), "bias": jnp.asarray(PARAMS)}
    grads = {"kernel": jnp.asarray(GRADS[0]), "bias": jnp.asarray(GRADS[0])}
    updates, _ = tx.update(grads, tx.init(params), params)
    plain = gdlab.adadelta(1.0)
    for name, gradient in {"kernel": GRADS[0] + 0.1 * PARAMS, "bias": GRADS[0]}.items():
        expected, _ = plain.update(jnp.asarray(gradient), plain.init(params["bias"]))
        agree(updates[name], expected)
    assert differ(gdlab_path(make), gdlab_path(gdlab.adadelta))


def test_first_step_of_adadelta_is_set_by_epsilon():
    path = gdlab_path(
        lambda lr: gdlab.adadelta(lr, rho=0.75, eps=0.21),
        learning_rate=np.ones(STEPS),
        grads=np.full((STEPS, 1), 2.0),
        params=np.zeros(1),
    )
    agree(path[0], -2 * np.sqrt(0.21 / 1.21))
