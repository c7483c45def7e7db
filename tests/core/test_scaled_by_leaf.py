"""A shared number times a factor for each leaf."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import (
    Axis,
    adamw,
    chain,
    clip,
    hyperparameters,
    linear_schedule,
    scaled_by_leaf,
    set_hyperparameters,
    sgd,
    sweep,
)
from tests.names import NAMES

PARAMS = {"hidden": jnp.ones((2, 2)), "output": jnp.ones(3)}
FACTORS = [("hidden", 0.5), ("output", 2.0)]


def rates(tx, params=PARAMS):
    """The step of gradient descent on a gradient of ones, by leaf: minus its learning rate."""
    ones = jax.tree.map(jnp.ones_like, params)
    updates, _ = tx.update(ones, tx.init(params), params)
    return {name: -float(jnp.ravel(leaf)[0]) for name, leaf in updates.items()}


@pytest.mark.parametrize(
    "factors",
    [
        FACTORS,
        {"hidden": 0.5, "output": 2.0},
        lambda params: {"hidden": 1.0 / len(params["hidden"]), "output": 2.0},
    ],
    ids=["patterns", "tree", "function"],
)
def test_each_leaf_has_the_number_times_its_factor(factors):
    assert rates(sgd(scaled_by_leaf(0.25, factors))) == {"hidden": 0.125, "output": 0.5}


def test_a_schedule_is_followed_by_all_leaves():
    tx = sgd(scaled_by_leaf(linear_schedule(1.0, 0.0, 4), FACTORS))
    state, seen = tx.init(PARAMS), []
    for _ in range(3):
        updates, state = jax.jit(tx.update)(PARAMS, state)
        seen.append((-float(updates["hidden"][0, 0]), -float(updates["output"][0])))
    assert seen == [(0.5, 2.0), (0.375, 1.5), (0.25, 1.0)]


def test_the_number_is_one_leaf_that_can_be_set_and_differentiated():
    tx = sgd(scaled_by_leaf(0.25, FACTORS))
    assert hyperparameters(tx) == {"learning_rate.value": 0.25}
    assert rates(set_hyperparameters(tx, {"learning_rate.value": 1.0}))["hidden"] == 0.5
    total = lambda tx: sum(map(jnp.sum, tx.update(PARAMS, tx.init(PARAMS))[0].values()))  # noqa: E731
    assert jax.tree.leaves(jax.grad(total)(tx)) == [-(4 * 0.5 + 3 * 2.0)]


def test_an_axis_is_swept_for_all_leaves_together():
    # One step of gradient descent on the sum of all parameters.
    loss = lambda params: sum(map(jnp.sum, params.values()))  # noqa: E731
    tx = sgd(scaled_by_leaf(Axis("learning_rate", [0.5, 1.0]), FACTORS))
    result = sweep(loss, PARAMS, tx, steps=1)
    np.testing.assert_allclose(
        result.final_loss[:, 0], [7 - 0.5 * (4 * 0.5 + 3 * 2.0), 7 - (4 * 0.5 + 3 * 2.0)]
    )
    assert rates(result.optimizer_at(result.best())) == {"hidden": 0.5, "output": 2.0}


def test_decay_and_epsilon_are_scaled_as_well():
    # With a gradient of 1, Adam's first direction is 1/(1 + ε).
    tx = adamw(1.0, eps=scaled_by_leaf(1.0, FACTORS), weight_decay=scaled_by_leaf(0.1, FACTORS))
    assert rates(tx) == pytest.approx({"hidden": 1 / 1.5 + 0.05, "output": 1 / 3 + 0.2}, rel=1e-6)


def test_leaves_of_equal_factors_share_one_value_and_so_one_rule():
    params = {f"w{index}": jnp.ones(2) for index in range(6)}
    values = scaled_by_leaf(0.1, [("w[0-2]", 0.5), ("w", 2.0)]).at_leaves(params)
    assert values == [0.05] * 3 + [0.2] * 3
    assert len(set(map(id, values))) == 2


def test_it_is_written_as_the_call_that_made_it():
    tx = chain(clip(1.0), sgd(scaled_by_leaf(0.25, FACTORS)))
    assert eval(repr(tx), NAMES) == tx
    assert copy.deepcopy(tx) == tx


def test_a_value_by_leaf_is_refused_as_the_number():
    with pytest.raises(TypeError, match="value must be one number for all leaves"):
        scaled_by_leaf({"hidden": 0.1}, FACTORS)


def test_a_leaf_without_a_factor_is_named():
    with pytest.raises(ValueError, match="factors: no pattern matches the leaf at 'output'"):
        rates(sgd(scaled_by_leaf(0.1, [("hidden", 0.5)])))
