"""Equinox: modules as parameters, filtered or not."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab

INPUTS = jnp.linspace(-1, 1, 24).reshape(8, 3)
TARGETS = INPUTS @ jnp.array([1.0, -2.0, 0.5])
DOZEN = 12 * np.finfo(np.float32).eps
"""What a dozen roundings come to."""


def network():
    return eqx.nn.MLP(3, "scalar", 4, 2, activation=jnp.tanh, key=jax.random.key(0))


def loss(model):
    return jnp.mean((jax.vmap(model)(INPUTS) - TARGETS) ** 2)


@eqx.filter_jit
def step(model, state, tx, apply_updates):
    value, grads = eqx.filter_value_and_grad(loss)(model)
    updates, state = tx.update(grads, state, eqx.filter(model, eqx.is_inexact_array))
    return apply_updates(model, updates), state, value


def losses(tx, apply_updates=eqx.apply_updates, steps=5):
    model = network()
    state = tx.init(eqx.filter(model, eqx.is_inexact_array))
    values = []
    for _ in range(steps):
        model, state, value = step(model, state, tx, apply_updates)
        values.append(value)
    return values


@pytest.mark.sampled(2)
@pytest.mark.parametrize("method", ["adam", "adamw", "rmsprop", "adagrad"])
def test_an_equinox_loop_trains_with_gdlab_as_with_optax(method):
    ours = losses(getattr(gdlab, method)(0.03))
    np.testing.assert_allclose(ours, losses(getattr(optax, method)(0.03)), rtol=1e-4)
    assert ours[-1] < ours[0]


def test_gdlab_applies_updates_to_a_module_with_functions_among_its_leaves():
    # Another function is another program, which may round a dozen times a step in another way.
    np.testing.assert_allclose(
        losses(gdlab.adam(0.03), gdlab.apply_updates), losses(gdlab.adam(0.03)), rtol=5 * DOZEN
    )


@pytest.mark.sampled(1)
@pytest.mark.parametrize("jitted", [False, True])
def test_a_whole_module_can_be_the_parameters(jitted):
    model, tx = network(), gdlab.adamw(0.03)
    filtered = eqx.filter(model, eqx.is_inexact_array)
    grads = eqx.filter_grad(loss)(model)
    wrap = eqx.filter_jit if jitted else lambda function: function

    def one_step(params):
        return wrap(tx.update)(grads, tx.init(params), params)

    (whole, whole_state), (updates, state) = one_step(model), one_step(filtered)
    # The same operations on the same leaves, but in programs that are compiled each by itself.
    close = functools.partial(np.testing.assert_allclose, rtol=DOZEN)
    jax.tree.map(close, whole, updates)
    ours, theirs = (eqx.filter(s, eqx.is_array) for s in (whole_state, state))
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        close(one, other)


def test_frozen_layers_are_none_and_stay_as_they_are():
    model = network()
    trained = eqx.tree_at(
        lambda mask: mask.layers[-1],
        jax.tree.map(lambda _: False, model),
        jax.tree.map(eqx.is_inexact_array, model.layers[-1]),
    )
    params, frozen = eqx.partition(model, trained)
    tx = gdlab.adam(0.03)
    grads = eqx.filter_grad(lambda params: loss(eqx.combine(params, frozen)))(params)
    updates, state = tx.update(grads, tx.init(params), params)
    after = eqx.apply_updates(model, updates)
    assert len(jax.tree.leaves(eqx.filter(updates, eqx.is_array))) == 2
    assert after.layers[0].weight is model.layers[0].weight
    assert not np.array_equal(after.layers[-1].weight, model.layers[-1].weight)
    assert sum(leaf.size for leaf in jax.tree.leaves(state)) == 2 * (4 + 1) + 2 * 3


def test_filter_jit_takes_numbers_as_structure_and_arrays_as_data():
    traces = []

    @eqx.filter_jit
    def one_step(model, state, tx):
        traces.append(None)
        updates, state = tx.update(eqx.filter_grad(loss)(model), state)
        return eqx.apply_updates(model, updates), state

    model = network()
    for rates, traced in (((0.1, 0.2), 2), (jnp.array([0.1, 0.2]), 1)):
        traces.clear()
        for rate in rates:
            tx = gdlab.sgd(rate)
            one_step(model, tx.init(eqx.filter(model, eqx.is_inexact_array)), tx)
        assert len(traces) == traced


def test_leaves_are_changed_by_tree_at():
    tx = gdlab.chain(gdlab.clip(1.0), gdlab.adam(1e-3, b1=0.8))
    changed = eqx.tree_at(lambda tx: tx.chain[1].learning_rate, tx, 0.5)
    assert changed == gdlab.chain(gdlab.clip(1.0), gdlab.adam(0.5, b1=0.8))
    both = eqx.tree_at(lambda tx: (tx.learning_rate, tx.b1), gdlab.adam(1e-3), (0.5, 0.8))
    assert both == gdlab.adam(0.5, b1=0.8)


def test_matrices_of_a_module_with_functions_among_its_leaves_decay():
    model = network()
    params = eqx.filter(model, eqx.is_inexact_array)
    for mask in (gdlab.matrices(model), gdlab.matrices):
        tx = gdlab.adamw(0.1, weight_decay=0.5, mask=mask)
        updates, _ = tx.update(jax.tree.map(jnp.zeros_like, params), tx.init(params), params)
        layer = updates.layers[0]
        np.testing.assert_allclose(layer.weight, -0.05 * model.layers[0].weight, rtol=1e-6)
        assert not layer.bias.any()
