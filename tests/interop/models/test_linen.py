"""Bound linen modules, against a TrainState."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen
from flax.training.train_state import TrainState

from gdlab import adam, chain, freeze, minimize, sgd
from gdlab.interop import trainable
from tests.interop.models.networks import DATA, LINEN, LinenNet, make_linen, nnx_loss

KEY = jax.random.key(3)


def by_hand(variables, steps):
    """The loop of the Flax documentation."""
    module = LinenNet()
    state = TrainState.create(
        apply_fn=module.apply, params=variables["params"], tx=optax.adam(0.01)
    )
    statistics = variables["batch_stats"]

    @jax.jit
    def step(state, statistics, key):
        def loss(params):
            outputs, new = state.apply_fn(
                {"params": params, "batch_stats": statistics}, DATA["x"],
                mutable=["batch_stats"], rngs={"dropout": jax.random.fold_in(key, 2)},
            )  # fmt: skip
            return jnp.mean((outputs - DATA["y"]) ** 2), new["batch_stats"]

        (value, new), grads = jax.value_and_grad(loss, has_aux=True)(state.params)
        return value, state.apply_gradients(grads=grads), new

    losses = []
    for number in range(steps):
        value, state, statistics = step(state, statistics, jax.random.fold_in(KEY, number))
        losses.append(value)
    return losses, {"params": state.params, "batch_stats": statistics}


def test_each_step_is_that_of_a_train_state_with_batch_norm_and_dropout():
    model = make_linen(KEY)
    losses, variables = by_hand(model.variables, 5)
    run = minimize(LINEN.loss, model, adam(0.01), 5, data=DATA, key=KEY)
    np.testing.assert_allclose(run.values[:-1], losses, rtol=1e-5)
    jax.tree.map(
        lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6),
        dict(run.params.variables),
        variables,
    )


def test_a_module_without_variables_is_asked_to_be_bound():
    with pytest.raises(TypeError, match=r"LinenNet has no variables.*module\.bind\(variables\)"):
        minimize(nnx_loss, LinenNet(), adam(0.01), 3, data=DATA, key=KEY)
    with pytest.raises(TypeError, match=r"collection 'params'.*gdlab\.freeze"):
        minimize(nnx_loss, trainable(make_linen(KEY), "params"), adam(0.01), 3, data=DATA)
    only_statistics = LinenNet().bind({"batch_stats": make_linen(KEY).variables["batch_stats"]})
    with pytest.raises(ValueError, match=r"no collection 'params'.*batch_stats"):
        minimize(nnx_loss, only_statistics, adam(0.01), 3, data=DATA, key=KEY)


class Boxed(linen.Module):
    @linen.compact
    def __call__(self, x):
        init = linen.with_partitioning(linen.initializers.lecun_normal(), (None, "model"))
        return linen.Dense(1, kernel_init=init, name="last")(x)


def test_a_parameter_with_partitioning_keeps_its_box_and_is_called_by_its_name():
    module = Boxed()
    model = module.bind(module.init(KEY, DATA["x"]))
    plain = module.bind(linen.meta.unbox(model.variables))
    tx = chain(adam(0.1), freeze("^last.kernel$"))
    run, other = (minimize(nnx_loss, start, tx, 3, data=DATA) for start in (model, plain))
    np.testing.assert_array_equal(run.values, other.values)
    kernel = run.params.variables["params"]["last"]["kernel"]
    assert kernel.names == (None, "model")
    np.testing.assert_array_equal(kernel.value, plain.variables["params"]["last"]["kernel"])


class Noisy(linen.Module):
    @linen.compact
    def __call__(self, x):
        w = self.param("w", linen.initializers.ones, (2,))
        return jnp.vdot(w, x) + jax.random.normal(self.make_rng("noise"))


def test_a_stream_of_any_name_is_driven_by_the_key_of_the_step():
    module = Noisy()
    model = module.bind(module.init(KEY, jnp.ones(2)))
    loss = lambda model: model(jnp.ones(2)) ** 2  # noqa: E731
    first, again = (minimize(loss, model, sgd(0.0), 3, key=KEY).values for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert len(np.unique(first)) == 4
    other = minimize(loss, model, sgd(0.0), 3, key=jax.random.key(4)).values
    assert not np.allclose(first, other)


class Growing(linen.Module):
    @linen.compact
    def __call__(self, x):
        if self.has_variable("notes", "first"):
            self.variable("notes", "second", jnp.zeros, ())
        self.variable("notes", "first", jnp.zeros, ())
        return jnp.vdot(self.param("w", linen.initializers.ones, (2,)), x)


def test_a_collection_that_grows_in_a_call_is_refused_by_name():
    module = Growing()
    model = module.bind(module.init(KEY, jnp.ones(2)))
    with pytest.raises(ValueError, match=r"'notes'.*module.init"):
        minimize(lambda model: model(jnp.ones(2)) ** 2, model, sgd(0.1), 3)
