"""Flax linen's ``TrainState`` and ``nnx.Optimizer``, each with its limits."""

import functools

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, nnx
from flax.training.train_state import TrainState

import gdlab

IMAGES = jnp.linspace(-1, 1, 24).reshape(8, 3)
LABELS = IMAGES @ jnp.array([[1.0], [-2.0], [0.5]])


class Network(linen.Module):
    @linen.compact
    def __call__(self, x):
        return linen.Dense(1)(linen.tanh(linen.Dense(4)(x)))


def train_state(tx):
    network = Network()
    params = network.init(jax.random.key(0), IMAGES)
    return TrainState.create(apply_fn=network.apply, params=params, tx=tx)


def train_step(state):
    def loss(params):
        return jnp.mean((state.apply_fn(params, IMAGES) - LABELS) ** 2)

    value, grads = jax.value_and_grad(loss)(state.params)
    return state.apply_gradients(grads=grads), value


class Model(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.Linear(3, 4, rngs=rngs)
        self.out = nnx.Linear(4, 1, rngs=rngs)

    def __call__(self, x):
        return self.out(nnx.tanh(self.hidden(x)))


@nnx.jit
def nnx_step(model, optimizer):
    def loss(model):
        return jnp.mean((model(IMAGES) - LABELS) ** 2)

    value, grads = nnx.value_and_grad(loss)(model)
    optimizer.update(model, grads)
    return value


def nnx_losses(tx, steps=4):
    model = Model(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)
    return [float(nnx_step(model, optimizer)) for _ in range(steps)]


def test_a_linen_train_state_trains_with_gdlab_as_with_optax():
    losses = {}
    for library in (gdlab, optax):
        state = train_state(library.adamw(0.03, weight_decay=0.01))
        step = jax.jit(train_step, donate_argnums=0)
        losses[library] = []
        for _ in range(6):
            state, value = step(state)
            losses[library].append(value)
        assert state.step == 6
    np.testing.assert_allclose(losses[gdlab], losses[optax], rtol=1e-4)
    assert losses[gdlab][-1] < 0.8 * losses[gdlab][0]


def test_a_train_state_is_donated_whole():
    state = train_state(gdlab.adam(0.03))
    before = jax.tree.leaves((state.params, state.opt_state))
    jax.jit(train_step, donate_argnums=0)(state)
    assert all(leaf.is_deleted() for leaf in before)


def test_a_train_state_holds_its_optimizer_statically_so_a_new_one_retraces():
    traces = []

    @jax.jit
    def step(state):
        traces.append(None)
        return train_step(state)[0]

    state = train_state(gdlab.adam(0.03))
    for _ in range(3):
        state = step(state)
    assert len(traces) == 1
    step(state.replace(tx=gdlab.set_hyperparameters(state.tx, {"learning_rate": 0.01})))
    assert len(traces) == 2


def test_an_optimizer_passed_beside_the_train_state_does_not_retrace():
    traces = []

    @jax.jit
    def step(state, tx):
        traces.append(None)
        return train_step(state.replace(tx=tx))[0].replace(tx=state.tx)

    tx = gdlab.sgd(0.03)
    state = train_state(tx)
    slow, fast = (
        step(state, gdlab.set_hyperparameters(tx, {"learning_rate": rate})) for rate in (0.01, 0.1)
    )
    assert len(traces) == 1
    # The step of gradient descent is proportional to the learning rate; what is compared is the
    # difference of parameters of order one, rounded to 1e-7.
    jax.tree.map(
        lambda w, s, f: np.testing.assert_allclose(f - w, 10 * (s - w), rtol=1e-4, atol=3e-6),
        state.params,
        slow.params,
        fast.params,
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda library: library.adam(0.03),
        lambda library: library.adam(library.cosine_decay_schedule(0.1, 10)),
        lambda library: library.chain(library.clip_by_global_norm(0.5), library.sgd(0.1, 0.9)),
    ],
    ids=["adam", "schedule", "chain"],
)
def test_an_nnx_optimizer_takes_a_transformation_of_numbers_as_it_is(make):
    losses = nnx_losses(make(gdlab))
    np.testing.assert_allclose(losses, nnx_losses(make(optax)), rtol=1e-4)
    assert losses[-1] < losses[0]


def test_an_nnx_optimizer_steps_outside_jit_as_well():
    model = Model(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, gdlab.adam(0.03), wrt=nnx.Param)
    grads = nnx.grad(lambda model: jnp.mean((model(IMAGES) - LABELS) ** 2))(model)
    before = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    optimizer.update(model, grads)
    after = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    # Adam's first step is the learning rate, against the sign of each gradient; the tolerance is
    # that of a difference of parameters of order one.
    jax.tree.map(
        lambda w0, w1, g: np.testing.assert_allclose(w1 - w0, -0.03 * jnp.sign(g), atol=1e-6),
        before,
        after,
        nnx.to_pure_dict(nnx.state(grads, nnx.Param)),
    )


def test_nnx_refuses_hyperparameters_that_are_arrays_unless_they_are_closed_over():
    tx = gdlab.adam(jnp.array(0.03))
    with pytest.raises(ValueError, match=r"[Ss]tatic"):
        nnx_losses(tx)
    wrapped = nnx_losses(optax.GradientTransformationExtraArgs(*tx))
    np.testing.assert_allclose(wrapped, nnx_losses(gdlab.adam(0.03)), rtol=1e-5)


def test_an_nnx_optimizer_hands_keywords_on_to_gdlab():
    model = Model(nnx.Rngs(0))
    graph, _ = nnx.split(model)
    grad_fn = jax.grad(lambda params: jnp.mean((nnx.merge(graph, params)(IMAGES) - LABELS) ** 2))
    optimizer = nnx.Optimizer(model, gdlab.nesterov(0.05, 0.9), wrt=nnx.Param)
    with pytest.raises(ValueError, match="grad_fn"):
        optimizer.update(model, grad_fn(nnx.state(model)))

    tx = gdlab.nesterov(0.05, 0.9)
    params = nnx.as_pure(nnx.state(model))
    state = tx.init(params)
    for _ in range(2):
        optimizer.update(model, grad_fn(nnx.state(model)), grad_fn=grad_fn)
        updates, state = tx.update(grad_fn(params), state, params, grad_fn=grad_fn)
        params = gdlab.apply_updates(params, updates)
    # Flax adds the updates to parameters of order one by a program of its own, and each of the two
    # steps rounds a dozen times.
    close = functools.partial(
        np.testing.assert_allclose, rtol=0, atol=2 * 12 * np.finfo(np.float32).eps
    )
    jax.tree.map(close, nnx.as_pure(nnx.state(model)), params)


def test_flaxs_serialization_stores_and_restores_a_state():
    tx = gdlab.chain(gdlab.accumulate(gdlab.adam(gdlab.linear_schedule(0.1, 0.0, 5)), 2))
    params = {"w": jnp.array([1.0, -2.0])}
    state = tx.init(params)
    for _ in range(3):
        _, state = tx.update(params, state, params)
    stored = flax.serialization.to_bytes({"opt_state": state})
    back = flax.serialization.from_bytes({"opt_state": tx.init(params)}, stored)["opt_state"]
    assert jax.tree.structure(back) == jax.tree.structure(state)
    for one, other in zip(jax.tree.leaves(back), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(one, other)
    other = gdlab.sgd(0.1, 0.9).init(params)
    with pytest.raises(ValueError, match=r"the stored state holds .*, not \['trace'\]"):
        flax.serialization.from_bytes({"opt_state": other}, stored)
