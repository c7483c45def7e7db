"""Distance over gradients: what its step sizes do not depend on, and its average."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab import apply_updates, evaluation_params
from tests.paths import agree, gdlab_path, optax_path
from tests.references.distance_over_gradients import dog as paper

RANDOM = np.random.default_rng(5)
STEPS = 20
GRADS = RANDOM.normal(size=(STEPS, 3)) + np.array([1.0, -2.0, 0.0])
START = np.array([1.0, -2.0, 0.5])
WITHOUT_EPSILON = {
    "dog": partial(gdlab.dog, eps=0.0, init_value=0.1),
    "ldog": partial(gdlab.ldog, eps=0.0, reps_rel=0.1),
    "dowg": partial(gdlab.dowg, eps=0.0, init_estim_sq_dist=0.01),
}


def path(tx, grads=GRADS, params=START):
    return gdlab_path(lambda _: tx, grads=grads, params=params)


@pytest.mark.x64
@pytest.mark.parametrize("name", WITHOUT_EPSILON)
def test_the_scale_of_the_loss_changes_nothing(name):
    tx = WITHOUT_EPSILON[name]()
    np.testing.assert_allclose(path(tx, 1e4 * GRADS), path(tx), rtol=1e-11)


@pytest.mark.x64
@pytest.mark.parametrize("name", WITHOUT_EPSILON)
def test_a_rotation_of_the_parameters_is_one_of_the_run(name):
    rotation, _ = np.linalg.qr(RANDOM.normal(size=(3, 3)))
    tx = WITHOUT_EPSILON[name]()
    turned = path(tx, GRADS @ rotation.T, rotation @ START)
    np.testing.assert_allclose(turned, path(tx) @ rotation.T, rtol=1e-11, atol=1e-13)


@pytest.mark.x64
def test_on_one_array_the_layer_wise_form_is_the_plain_one():
    agree(path(gdlab.ldog(reps_rel=1e-3)), path(gdlab.dog(init_value=1e-3)))


@pytest.mark.x64(rank_promotion="allow")
def test_the_layer_wise_form_is_that_of_optax():
    theirs = optax.scale_by_distance_over_gradients(1e-3, param_dtype="float64")
    make = lambda lr: optax.chain(theirs, optax.scale_by_learning_rate(lr))  # noqa: E731
    agree(gdlab_path(partial(gdlab.ldog, reps_rel=1e-3)), optax_path(make))


@pytest.mark.x64
def test_the_distance_is_that_of_all_arrays_and_layer_wise_that_of_each():
    grads, params = {"a": GRADS, "b": 100 * GRADS}, {"a": START, "b": START}
    together = gdlab_path(lambda _: gdlab.dog(init_value=1e-3), grads=grads, params=params)
    alone = gdlab_path(lambda _: gdlab.ldog(reps_rel=1e-3), grads=grads, params=params)
    np.testing.assert_allclose(alone["b"], alone["a"], rtol=1e-6)  # ε is all that differs
    moved = {name: np.abs(walk - START).max() for name, walk in together.items()}
    assert moved["b"] > 50 * moved["a"]


@pytest.mark.x64
def test_the_average_weighs_late_points_by_a_power_of_the_step():
    tx = gdlab.dog(init_value=0.1, averaging=8.0)
    points, averages, state, params = [], [], tx.init(jnp.asarray(START)), jnp.asarray(START)
    update = jax.jit(tx.update)
    for g in jnp.asarray(GRADS):
        updates, state = update(g, state, params)
        params = apply_updates(params, updates)
        points.append(params)
        averages.append(evaluation_params(state, params))
    expected = partial(paper, GRADS, START, learning_rate=np.ones(STEPS), init_value=0.1)
    agree(points, expected())
    agree(averages, expected(averaging=8.0))
    # In closed form: step k weighs k(k + 1)…(k + 7).
    k = np.arange(1, STEPS + 1)
    weights = np.prod(k[:, None] + np.arange(8), axis=1) * 1.0
    agree(averages[-1], weights @ np.array(points) / weights.sum())


def test_the_distance_grows_from_a_millionth_until_a_minimum_is_near():
    run = gdlab.minimize(lambda w: jnp.sum((w - 300.0) ** 2), jnp.zeros(2), gdlab.dog(), steps=300)
    np.testing.assert_allclose(run.params, 300, rtol=1e-3)


def test_steps_survive_gradients_whose_squares_overflow_or_vanish():
    for scale in (1e25, 1e-25):
        tx = gdlab.dog(eps=0.0, init_step="distance", init_value=0.5)
        g = jnp.array([3.0, 4.0]) * scale
        updates, _ = tx.update(g, tx.init(jnp.zeros(2)), jnp.zeros(2))
        np.testing.assert_allclose(updates, [-0.3, -0.4], rtol=1e-6)


def test_an_initial_step_in_the_form_of_optax_is_refused_with_the_choices_here():
    with pytest.raises(TypeError, match="init_step must be 'heuristic', 'distance' or"):
        gdlab.dog(init_step=("distance", 0.1))
