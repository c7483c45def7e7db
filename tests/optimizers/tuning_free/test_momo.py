"""MoMo: Polyak's step size at one end, momentum and Adam at the other."""

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, LEARNING_RATE, PARAMS, agree, gdlab_path
from tests.references.momo import loss

pytestmark = pytest.mark.x64
NEVER = -1e12
"""A lower bound so low that the model never cuts off a step."""


def test_without_momentum_it_is_polyaks_step_size_with_a_largest_one():
    path = gdlab_path(lambda lr: gdlab.momo(lr, 0.0, 6.5))
    w, capped = PARAMS, []
    for g, eta, after in zip(GRADS, LEARNING_RATE, path, strict=True):
        polyak = max(loss(w) - 6.5, 0) / np.vdot(g, g)
        capped.append(polyak > eta)
        w = w - min(polyak, eta) * g
        agree(after, w)
    assert 0.1 < np.mean(capped) < 0.9


def test_below_all_losses_it_is_momentum_that_starts_from_the_first_gradient():
    path = gdlab_path(lambda lr: gdlab.momo(lr, 0.9, NEVER))
    first = gdlab_path(lambda lr: gdlab.sgd(lr), grads=GRADS[:1])
    agree(path[0], first[0])
    w, d = PARAMS, GRADS[0]
    for t, (g, eta) in enumerate(zip(GRADS, LEARNING_RATE, strict=True)):
        d = g if t == 0 else 0.9 * d + 0.1 * g
        w = w - eta * d
        agree(path[t], w)


def test_below_all_losses_momo_adam_is_adam():
    agree(gdlab_path(lambda lr: gdlab.momo_adam(lr, lower_bound=NEVER)), gdlab_path(gdlab.adam))


@pytest.mark.parametrize("bound", [NEVER, 2.0, 2.4])
@pytest.mark.parametrize("make", [gdlab.momo, gdlab.momo_adam])
def test_with_decay_a_step_goes_to_the_minimum_of_the_model(make, bound):
    rate, decay, f = 0.5, 0.8, 2.5
    w, g = jnp.array([1.0, -2.0]), jnp.array([3.0, 0.5])
    # The metric of the first step of Adam is the size of the gradient.
    metric = jnp.abs(g) if make is gdlab.momo_adam else jnp.ones(2)

    def model(y):
        loss = jnp.maximum(f + jnp.sum(g * (y - w)), bound)
        return loss + jnp.sum(metric * ((y - w) ** 2 / rate + decay * y**2)) / 2

    tx = make(rate, weight_decay=decay, lower_bound=bound)
    updates, _ = tx.update(g, tx.init(w), w, value=jnp.array(f))
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    reached = np.asarray(w + updates)
    around = reached + 1e-3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert all(model(y) > model(reached) for y in around)


@pytest.mark.parametrize("make", [gdlab.momo, gdlab.momo_adam])
def test_at_the_lower_bound_nothing_moves(make):
    # The loss that is told is ½‖w‖², and the gradient is not its own.
    w = jnp.array([1.0, -2.0])
    tx = make(10.0, lower_bound=2.5)
    updates, _ = tx.update(jnp.ones(2), tx.init(w), w, value=jnp.array(2.5))
    np.testing.assert_allclose(updates, 0, atol=1e-14)


def test_the_smallest_gradients_have_steps_as_well():
    # optax takes gradients below 1.5e-8 for none.
    tx, w = gdlab.momo(1.0), jnp.zeros(1)
    updates, _ = tx.update(jnp.array([1e-12]), tx.init(w), w, value=jnp.array(1.0))
    agree(updates, [-1e-12])


@pytest.mark.parametrize("make", [gdlab.momo, gdlab.momo_adam])
def test_without_the_loss_it_says_what_is_missing(make):
    tx = make()
    with pytest.raises(ValueError, match=r"the keyword value is needed by momo.*value=loss"):
        tx.update(jnp.ones(2), tx.init(jnp.ones(2)), jnp.ones(2))


@pytest.mark.parametrize("make", [gdlab.momo, gdlab.momo_adam])
def test_an_adapted_bound_rises_from_far_below_to_the_least_loss(make):
    tx = make(1.0, lower_bound=-100.0, adapt_lower_bound=True)
    run = gdlab.minimize(lambda w: jnp.sum((w - 1) ** 2) + 5, jnp.zeros(2), tx, steps=300)
    assert 3 < run.state.loss_model.bound < 5.01


@pytest.mark.parametrize("make", [gdlab.momo, gdlab.momo_adam])
def test_an_adapted_bound_does_not_follow_losses_below_its_own_lower_bound(make):
    w = jnp.array([1.0, -2.0])
    tx = make(1.0, lower_bound=5.0, adapt_lower_bound=True)
    _, state = tx.update(jnp.ones(2), tx.init(w), w, value=jnp.array(1.0))
    agree(state.loss_model.bound, 5)
