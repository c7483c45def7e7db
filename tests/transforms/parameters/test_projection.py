"""Updates that keep the parameters where they may be."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import (
    apply_updates,
    chain,
    keep_params_nonnegative,
    minimize,
    project_onto_box,
    project_params,
    sgd,
)

RNG = np.random.default_rng(0)
PARAMS = {"a": np.abs(RNG.normal(size=5)), "b": np.abs(RNG.normal(size=(2, 3)))}
UPDATES = {"a": RNG.normal(size=5), "b": RNG.normal(size=(2, 3))}


def updated(tx, params=PARAMS):
    updates, params = (jax.tree.map(jnp.asarray, tree) for tree in (UPDATES, params))
    return tx.update(updates, tx.init(params), params)[0]


def test_parameters_stay_nonnegative_as_with_optax():
    ours, theirs = updated(keep_params_nonnegative()), updated(optax.keep_params_nonnegative())
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    after = apply_updates(jax.tree.map(jnp.float32, PARAMS), ours)
    assert min(float(leaf.min()) for leaf in jax.tree.leaves(after)) == 0


def test_a_step_that_stays_in_the_box_is_unchanged_to_the_bit():
    ours = updated(project_onto_box(-100.0, 100.0))
    jax.tree.map(np.testing.assert_array_equal, ours, jax.tree.map(np.float32, UPDATES))


@pytest.mark.sampled(1)
@pytest.mark.x64
@pytest.mark.parametrize(
    "projection",
    [
        optax.projections.projection_non_negative,
        optax.projections.projection_l2_ball,
        optax.projections.projection_simplex,
        optax.projections.projection_l1_ball,
    ],
)
def test_every_projection_of_optax_can_follow_a_method(projection):
    updates, params = (jax.tree.map(jnp.asarray, tree) for tree in (UPDATES, PARAMS))
    tx = project_params(projection)
    with jax.numpy_dtype_promotion("standard"):
        step, _ = tx.update(updates, tx.init(params), params)
        expected = projection(jax.tree.map(jnp.add, params, updates))
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14),
        apply_updates(params, step),
        expected,
    )


@pytest.mark.x64
def test_projected_descent_finds_the_nearest_point_of_a_ball():
    target = jnp.array([3.0, 4.0])
    tx = chain(sgd(0.3), project_params(optax.projections.projection_l2_ball))
    run = minimize(lambda w: 0.5 * jnp.sum((w - target) ** 2), jnp.zeros(2), tx, steps=60)
    np.testing.assert_allclose(run.params, target / 5, rtol=1e-8)
