"""A small network with dropout in each library, and with batch norm where the module holds it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from flax import linen, nnx

INPUTS = jax.random.normal(jax.random.key(1), (12, 3))
DATA = {"x": INPUTS, "y": jnp.tanh(INPUTS @ jnp.array([[1.0], [-2.0], [0.5]]))}


def squared_error(outputs, batch):
    return jnp.mean((outputs - batch["y"]) ** 2)


class NnxNet(nnx.Module):
    """Its second layer is its third as well."""

    def __init__(self, rngs):
        self.first = nnx.Linear(3, 4, rngs=rngs)
        self.body = nnx.Linear(4, 4, rngs=rngs)
        self.again = self.body
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.last = nnx.Linear(4, 1, rngs=rngs)

    def __call__(self, x):
        x = self.again(nnx.relu(self.body(self.first(x))))
        return self.last(self.dropout(self.norm(x)))


class LinenNet(linen.Module):
    @linen.compact
    def __call__(self, x, train=True):
        # A bias before batch norm has no gradient but rounding errors.
        x = linen.Dense(4, use_bias=False, name="first")(x)
        x = linen.BatchNorm(use_running_average=not train)(x)
        x = linen.Dropout(0.5, deterministic=not train)(linen.relu(x))
        return linen.Dense(1, name="last")(x)


class EquinoxNet(eqx.Module):
    first: eqx.nn.Linear
    dropout: eqx.nn.Dropout
    last: eqx.nn.Linear
    numbers: jax.Array
    activation: Callable

    def __init__(self, key):
        keys = jax.random.split(key)
        self.first = eqx.nn.Linear(3, 4, key=keys[0])
        self.dropout = eqx.nn.Dropout(0.5)
        self.last = eqx.nn.Linear(4, 1, key=keys[1])
        self.numbers = jnp.arange(4)
        self.activation = jax.nn.relu

    def __call__(self, x, key=None):
        x = self.activation(self.first(x))[self.numbers]
        return self.last(self.dropout(x, key=key))


class Library(NamedTuple):
    """How one library's users write it."""

    make: Callable[[jax.Array], Any]
    """``init(key)``."""
    loss: Callable[..., Any]
    """In training mode."""
    resting_loss: Callable[..., Any]
    """In evaluation mode, without any randomness."""
    first_kernel: Callable[[Any], Any]
    pattern: str
    """Matches its path."""


def nnx_loss(model, batch):
    return squared_error(model(batch["x"]), batch)


def nnx_resting_loss(model, batch):
    model.eval()
    return squared_error(model(batch["x"]), batch)


def make_linen(key):
    module = LinenNet()
    return module.bind(module.init(key, INPUTS, train=False))


def linen_resting_loss(model, batch):
    return squared_error(model(batch["x"], train=False), batch)


def equinox_loss(model, batch, key):
    keys = jax.random.split(key, len(batch["x"]))
    return squared_error(jax.vmap(model)(batch["x"], keys), batch)


def equinox_resting_loss(model, batch):
    return squared_error(jax.vmap(eqx.nn.inference_mode(model))(batch["x"]), batch)


NNX = Library(
    make=lambda key: NnxNet(nnx.Rngs(key)),
    loss=nnx_loss,
    resting_loss=nnx_resting_loss,
    first_kernel=lambda model: model.first.kernel[...],
    pattern=r"^first\.kernel$",
)
LINEN = Library(
    make=make_linen,
    loss=nnx_loss,
    resting_loss=linen_resting_loss,
    first_kernel=lambda model: model.variables["params"]["first"]["kernel"],
    pattern=r"^first\.kernel$",
)
EQUINOX = Library(
    make=EquinoxNet,
    loss=equinox_loss,
    resting_loss=equinox_resting_loss,
    first_kernel=lambda model: model.first.weight,
    pattern=r"^first\.weight$",
)
LIBRARIES = {"nnx": NNX, "linen": LINEN, "equinox": EQUINOX}
