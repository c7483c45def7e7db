"""Muon: what it does to which leaves, and where libraries depart from its author's code."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import adamw, apply_updates, minimize, muon, scale_by_muon
from tests.oracles.matrix import MATRICES
from tests.oracles.method import GRADS, PARAMS
from tests.paths import differ, gdlab_path, optax_path
from tests.references import matrix as ref

pytestmark = pytest.mark.x64

STEPS = 12
RATE = np.geomspace(0.3, 0.03, STEPS)
START = {name: PARAMS[name] for name in MATRICES}
GIVEN = {name: GRADS[name][:STEPS] for name in MATRICES}


def test_nesterov_momentum_is_that_of_the_authors_code_and_not_dozats():
    given = {"learning_rate": RATE, "grads": GIVEN, "params": START}
    ours = gdlab_path(lambda lr: muon(lr, eps=0.0), **given)
    official = {name: ref.muon(GIVEN[name], START[name], learning_rate=RATE) for name in MATRICES}
    theirs = optax_path(lambda lr: optax.contrib.muon(lr, eps=0.0), **given)
    for name in MATRICES:
        np.testing.assert_allclose(ours[name], official[name], rtol=1e-12)
        assert differ(ours[name], theirs[name])


def test_what_is_no_matrix_takes_the_steps_of_adamw_at_its_own_rate():
    params = {"bias": jnp.array([1.0, -2.0]), "kernel": jnp.eye(2), "scale": jnp.array(0.5)}
    tx = muon(0.1, adam_learning_rate=0.01, adam_weight_decay=0.3, adam_b1=0.8, adam_b2=0.9)
    other = adamw(0.01, 0.8, 0.9, weight_decay=0.3)
    state, alone = tx.init(params), other.init(params)
    for step in range(3):
        gradient = jax.tree.map(lambda w: jnp.cos(w + step), params)  # noqa: B023
        updates, state = tx.update(gradient, state, params)
        expected, alone = other.update(gradient, alone, params)
        for name in ("bias", "scale"):
            np.testing.assert_allclose(updates[name], expected[name], rtol=1e-12)
        assert differ(updates["kernel"], expected["kernel"])
        params = apply_updates(params, updates)
    del state, alone


@pytest.mark.parametrize("nesterov", [True, False])
def test_scaling_the_loss_changes_no_step_of_a_matrix(nesterov):
    def path(factor):
        grads = jax.tree.map(lambda g: factor * g, GIVEN)
        make = lambda lr: muon(lr, eps=0.0, nesterov=nesterov, weight_decay=0.1)  # noqa: E731
        return gdlab_path(make, RATE, grads, START)

    once, much = path(1.0), path(1e6)
    for name in MATRICES:
        np.testing.assert_allclose(once[name], much[name], rtol=1e-9)


def test_the_accumulating_buffer_has_the_same_direction():
    g = jnp.asarray(GIVEN["wide"])
    tx = scale_by_muon(eps=0.0, nesterov=False)
    state, buffer = tx.init(START["wide"]), 0.0
    for step in range(5):
        direction, state = tx.update(g[step], state)
        buffer = 0.95 * buffer + np.asarray(g[step])
        np.testing.assert_allclose(direction, ref.newton_schulz(buffer), rtol=1e-10)


def test_each_step_has_the_size_of_the_learning_rate_in_the_spectral_norm():
    def loss(w):
        return 0.5 * jnp.sum((w - jnp.arange(12.0).reshape(3, 4)) ** 2)

    tx = muon(0.5, "polar_express", 8)
    path = minimize(loss, jnp.zeros((3, 4)), tx, steps=6).path
    sizes = np.linalg.norm(np.diff(path, axis=0), 2, axis=(1, 2))
    # The step is as long as the learning rate times √(out/in).
    np.testing.assert_allclose(sizes, 0.5 * (4 / 3) ** 0.5, rtol=1e-6)


def test_a_bare_matrix_and_a_bare_vector_are_trees_as_well():
    for start in (jnp.ones((2, 3)), jnp.ones(3)):
        tx = muon(0.1)
        updates, _ = tx.update(start, tx.init(start), start)
        assert updates.shape == start.shape
        assert np.all(np.isfinite(updates))
