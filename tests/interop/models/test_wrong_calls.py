"""Calls that are easily made wrong with a model are refused, and told what would work."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from gdlab import Axis, adam, minimize, sgd, sweep
from gdlab.interop import trainable
from tests.interop.models.networks import (
    DATA,
    EquinoxNet,
    LinenNet,
    NnxNet,
    make_linen,
    nnx_loss,
    squared_error,
)

KEY = jax.random.key(3)
RATES = Axis("learning_rate", [1e-3, 1e-2])


class Numbered(nnx.Module):
    def __init__(self):
        self.number = nnx.Param(jnp.arange(3))


def on_minimize(model):
    minimize(nnx_loss, model, adam(0.01), 3, data=DATA, key=KEY)


def on_sweep(model):
    sweep(nnx_loss, model, adam(RATES), DATA, steps=3, progress=False)


def linear(key):
    return eqx.nn.Linear(3, 1, key=key)


REFUSED = {
    "an NNX class": (NnxNet, "NNX class NnxNet: give a module, such as NnxNet(nnx.Rngs(0))"),
    "a linen class": (LinenNet, "linen class LinenNet: give module.bind(variables)"),
    "linen modules in a list": (lambda: [make_linen(KEY)], "LinenNet stands in a list: give one"),
    "a module without arrays": (eqx.nn.Dropout, "the model has no inexact array"),
    "integers": (Numbered, "at 'number' is int32, which has no gradient"),
    "an empty tree": (dict, "has no arrays, so there is nothing to train"),
    "text": (lambda: {"w": 1.0, "name": "mlp"}, "at 'name' is of the type str, not an array"),
}


@pytest.mark.parametrize("call", [on_minimize, on_sweep])
@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_trained_is_refused(call, make, message):
    model = make if make in (NnxNet, LinenNet) else make()
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        call(model)


@pytest.mark.parametrize(
    ("start", "message"),
    [(linear, "x0 is a function.*give what it returns"), (EquinoxNet, "class.*give an instance")],
)
def test_minimize_takes_no_function_that_makes_a_model(start, message):
    with pytest.raises(TypeError, match=message):
        on_minimize(start)


def test_a_result_without_parameters_says_how_they_are_kept():
    widths = {"narrow": 2, "wide": 3}
    made = {
        name: lambda key, width=width: eqx.nn.MLP(3, 1, width, 1, key=key)
        for name, width in widths.items()
    }

    def loss(model):
        return jnp.mean((jax.vmap(model)(DATA["x"]) - DATA["y"]) ** 2)

    losses = dict.fromkeys(widths, loss)
    result = sweep(losses, made, sgd(RATES), steps=1, keep_params="all", progress=False)
    with pytest.raises(ValueError, match=r"problems.*alike.*rerun\(point, keep_params='all'\)"):
        result.model(problem="wide", learning_rate=1e-2, seed=0)
    again = result.rerun({"problem": "wide", "learning_rate": 1e-2}, keep_params="all")
    assert again.model().layers[0].weight.shape == (3, 3)


def test_what_init_returns_is_looked_at_as_well():
    with pytest.raises(TypeError, match="what init returns at 'number' is int32"):
        on_sweep(lambda key: Numbered())


def test_a_filter_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match="wrt is no filter of the model: it takes a function"):
        on_minimize(trainable(linear(KEY), {"no such field": True}))


def test_a_sweep_takes_no_models_as_auxiliary_values_or_metrics():
    def loss(model, batch):
        return squared_error(jax.vmap(model)(batch["x"]), batch), model

    with pytest.raises(TypeError, match=r"auxiliary value.*must be a scalar.*'aux' is.*Linear"):
        sweep(loss, linear, sgd(RATES), DATA, steps=2, has_aux=True, progress=False)
    alone = lambda model, batch: loss(model, batch)[0]  # noqa: E731
    with pytest.raises(TypeError, match=r"what evaluate returns must be a scalar.*Linear"):
        sweep(
            alone, linear, sgd(RATES), DATA, steps=2, evaluate=lambda model: model, progress=False
        )
