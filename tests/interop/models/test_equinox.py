"""Equinox modules, against loops as Equinox's users write them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import adam, minimize, sgd, sweep
from gdlab.interop import trainable
from tests.interop.models.networks import DATA, EquinoxNet, equinox_loss

KEY = jax.random.key(3)


class Stateful(eqx.Module):
    """Dropout, and batch norm whose statistics are in a state beside it."""

    first: eqx.nn.Linear
    norm: eqx.nn.BatchNorm
    dropout: eqx.nn.Dropout
    last: eqx.nn.Linear

    def __init__(self, key):
        keys = jax.random.split(key)
        self.first = eqx.nn.Linear(3, 4, use_bias=False, key=keys[0])
        self.norm = eqx.nn.BatchNorm(4, "batch", mode="batch")
        self.dropout = eqx.nn.Dropout(0.5)
        self.last = eqx.nn.Linear(4, 1, key=keys[1])

    def __call__(self, x, state, key):
        x, state = self.norm(self.first(x), state)
        return self.last(self.dropout(jax.nn.relu(x), key=key)), state


def stateful_loss(model, batch, key, model_state):
    keys = jax.random.split(key, len(batch["x"]))
    batched = jax.vmap(model, axis_name="batch", in_axes=(0, None, 0), out_axes=(0, None))
    outputs, model_state = batched(batch["x"], model_state, keys)
    return jnp.mean((outputs - batch["y"]) ** 2), model_state


def by_hand(model, state, steps):
    """The loop of the Equinox documentation."""
    tx = optax.adam(0.01)
    kept = tx.init(eqx.filter(model, eqx.is_inexact_array))

    @eqx.filter_jit
    def step(model, state, kept, key):
        compute = eqx.filter_value_and_grad(stateful_loss, has_aux=True)
        (loss, state), grads = compute(model, DATA, key, state)
        updates, kept = tx.update(grads, kept)
        return loss, eqx.apply_updates(model, updates), state, kept

    losses = []
    for number in range(steps):
        key = jax.random.fold_in(KEY, number)
        loss, model, state, kept = step(model, state, kept, key)
        losses.append(loss)
    return losses, model, state


def test_each_step_is_that_of_a_filtered_loop_with_batch_norm_and_dropout():
    model, state = eqx.nn.make_with_state(Stateful)(KEY)
    losses, theirs, statistics = by_hand(model, state, 5)
    model, state = eqx.nn.make_with_state(Stateful)(KEY)
    run = minimize(stateful_loss, model, adam(0.01), 5, data=DATA, key=KEY, model_state=state)
    np.testing.assert_allclose(run.values[:-1], losses, rtol=1e-5)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)  # noqa: E731
    jax.tree.map(close, *(eqx.filter(one, eqx.is_array) for one in (run.params, theirs)))
    jax.tree.map(close, run.model_state, statistics)


@pytest.mark.slow
def test_a_state_can_be_swept_over_and_evaluated():
    def init(key):
        return eqx.nn.make_with_state(Stateful)(key)[0]

    def evaluate(model, model_state):
        model = eqx.nn.inference_mode(model)
        outputs = jax.vmap(lambda x: model(x, model_state, None)[0])(DATA["x"])
        return {"at_rest": jnp.mean((outputs - DATA["y"]) ** 2)}

    state = eqx.nn.make_with_state(Stateful)(KEY)[1]
    result = sweep(
        stateful_loss, init, adam(0.01), DATA, steps=4, seeds=2, model_state=state,
        evaluate=evaluate, progress=False,
    )  # fmt: skip
    assert np.isfinite(result.metrics["at_rest"]).all()
    assert result.metrics["at_rest"][0] != result.metrics["at_rest"][1]


def test_what_is_not_inexact_stays_and_a_filter_freezes_more():
    model = EquinoxNet(KEY)
    run = minimize(equinox_loss, model, adam(0.1), 3, data=DATA, key=KEY)
    np.testing.assert_array_equal(run.params.numbers, model.numbers)
    assert run.params.activation is model.activation
    nothing = jax.tree.map(lambda _: False, model)
    last = eqx.tree_at(lambda tree: tree.last.weight, nothing, replace=True)
    run = minimize(equinox_loss, trainable(model, last), adam(0.1), 3, data=DATA, key=KEY)
    np.testing.assert_array_equal(run.params.last.bias, model.last.bias)
    np.testing.assert_array_equal(run.params.first.weight, model.first.weight)
    assert not np.allclose(run.params.last.weight, model.last.weight)
    assert len(jax.tree.leaves(run.state.mu)) == 1
    with pytest.raises(ValueError, match="no inexact array that the filter chooses"):
        minimize(equinox_loss, trainable(model, nothing), adam(0.1), 3, data=DATA, key=KEY)


@pytest.mark.slow
def test_shared_weights_stay_one():
    layers = eqx.nn.Linear(2, 2, key=KEY), eqx.nn.Linear(2, 2, key=KEY)
    shared = eqx.nn.Shared(layers, lambda pair: pair[1].weight, lambda pair: pair[0].weight)

    def loss(shared):
        one, other = shared()
        return jnp.sum((other(one(jnp.ones(2))) - 1.0) ** 2)

    run = minimize(loss, shared, sgd(0.05), 100)
    one, other = run.params()
    assert one.weight is other.weight
    assert run.values[-1] < 1e-3
    assert len(jax.tree.leaves(run.path)) == len(jax.tree.leaves(shared))


def test_a_filter_is_refused_for_plain_arrays():
    with pytest.raises(TypeError, match="trainable takes a Flax NNX module or an Equinox module"):
        minimize(lambda w: w**2, trainable(jnp.ones(()), True), sgd(0.1), 3)
