"""Hyperball: the norm of each matrix is held, and each step has the same angle."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import adamw, apply_updates, hyperball, scale_by_adam, scale_by_muon
from tests.oracles.method import GRADS, PARAMS
from tests.paths import gdlab_path

pytestmark = pytest.mark.x64

DIRECTIONS = {"adamh": scale_by_adam(), "muonh": scale_by_muon()}
RATE = np.geomspace(0.5, 0.05, 20)


@pytest.mark.parametrize("name", DIRECTIONS)
def test_the_norm_is_held_and_steps_have_the_angle_of_the_learning_rate(name):
    grads, start = GRADS["wide"][:20], PARAMS["wide"]
    path = gdlab_path(lambda lr: hyperball(DIRECTIONS[name], lr), RATE, grads, start)
    norms = np.linalg.norm(path, axis=(1, 2))
    np.testing.assert_allclose(norms, np.linalg.norm(start), rtol=1e-14)
    before = np.concatenate([start[None], path[:-1]])
    cosines = np.sum(before * path, axis=(1, 2)) / norms**2
    # A step of length ηR turns by the arc sine of η at most.
    assert np.all(np.arccos(cosines) <= np.arcsin(RATE) + 1e-9)
    assert np.all(np.arccos(cosines) > 0.1 * RATE)


def test_scaling_the_weights_scales_the_path():
    grads, start = GRADS["wide"][:20], PARAMS["wide"]
    make = lambda lr: hyperball(scale_by_muon(), lr)  # noqa: E731
    once = gdlab_path(make, RATE, grads, start)
    np.testing.assert_allclose(gdlab_path(make, RATE, grads, 100 * start), 100 * once, rtol=1e-10)


def test_what_is_no_matrix_takes_the_steps_of_adamw():
    params = {"bias": jnp.array([1.0, -2.0]), "kernel": jnp.eye(2)}
    tx = hyperball(scale_by_adam(), 0.1, adam_learning_rate=0.01, adam_weight_decay=0.3)
    other = adamw(0.01, weight_decay=0.3)
    gradient = jax.tree.map(jnp.cos, params)
    updates, _ = tx.update(gradient, tx.init(params), params)
    expected, _ = other.update(gradient, other.init(params), params)
    np.testing.assert_allclose(updates["bias"], expected["bias"], rtol=1e-12)


def test_in_low_precision_the_norm_does_not_drift():
    # The radius is that of the start, and not that of the last step.
    params = jnp.asarray(PARAMS["wide"], jnp.bfloat16)
    tx = hyperball(scale_by_adam(), 0.05)
    state, length = tx.init(params), jnp.linalg.norm(params.astype(jnp.float32))
    update = jax.jit(tx.update)
    for g in GRADS["wide"][:60]:
        updates, state = update(jnp.asarray(g, jnp.bfloat16), state, params)
        params = apply_updates(params, updates)
    # Each weight, and the update, is rounded to eight bits.
    np.testing.assert_allclose(jnp.linalg.norm(params.astype(jnp.float32)), length, rtol=2**-7)
