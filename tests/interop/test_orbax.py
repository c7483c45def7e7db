"""Orbax: what a checkpoint keeps, a resumed run continues to the bit."""

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

import gdlab

OPTIMIZERS = {
    "adam": gdlab.adam(1e-2),
    "scheduled": gdlab.chain(
        gdlab.clip_by_global_norm(1.0),
        gdlab.adamw(gdlab.warmup_cosine_decay_schedule(0.0, 0.1, 3, 12), mask="w"),
    ),
    "accumulating": gdlab.accumulate(gdlab.sgd(0.1, momentum=0.9), 2),
    "arrays": gdlab.rmsprop(jnp.array(0.01), decay=jnp.array(0.8)),
}


def start():
    return {"w": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "b": jnp.array([0.3, -0.7])}


@jax.jit
def step(params, state, tx):
    grads = jax.grad(lambda p: jnp.sum(jnp.cos(p["w"])) + jnp.sum(p["b"] ** 4))(params)
    updates, state = tx.update(grads, state, params)
    return gdlab.apply_updates(params, updates), state


def run(params, state, tx, steps):
    for _ in range(steps):
        params, state = step(params, state, tx)
    return params, state


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_resumed_run_continues_to_the_bit(name, tmp_path):
    tx = OPTIMIZERS[name]
    params, state = run(start(), tx.init(start()), tx, 5)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "5", {"params": params, "state": state, "tx": tx})
    uninterrupted = run(params, state, tx, 5)

    # A new process knows how the state is made, but none of its values.
    blank = jax.tree.map(lambda number: 0 * number, tx)
    like = {
        "params": jax.eval_shape(start),
        "state": jax.eval_shape(tx.init, jax.eval_shape(start)),
        "tx": blank,
    }
    with ocp.StandardCheckpointer() as checkpointer:
        found = checkpointer.restore(tmp_path / "5", like)
    assert jax.tree.structure(found["state"]) == jax.tree.structure(state)
    jax.tree.map(np.testing.assert_array_equal, found["tx"], tx)
    resumed = run(found["params"], found["state"], found["tx"], 5)
    jax.tree.map(np.testing.assert_array_equal, resumed, uninterrupted)


def test_numbers_are_restored_as_the_numbers_they_were(tmp_path):
    tx = gdlab.adam(3e-4, b1=0.95)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "tx", tx)
        checkpointer.wait_until_finished()
        found = checkpointer.restore(tmp_path / "tx", gdlab.adam(1.0))
    assert repr(found) == "adam(0.0003, b1=0.95)"


def test_a_restored_optimizer_may_continue_with_another_learning_rate(tmp_path):
    tx = gdlab.adam(1e-2)
    params, state = run(start(), tx.init(start()), tx, 3)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "state", state)
        checkpointer.wait_until_finished()
        found = checkpointer.restore(
            tmp_path / "state", jax.eval_shape(gdlab.adam(1.0).init, start())
        )
    other = gdlab.set_hyperparameters(tx, {"learning_rate": 1e-3})
    jax.tree.map(
        np.testing.assert_array_equal, run(params, found, other, 2), run(params, state, other, 2)
    )
