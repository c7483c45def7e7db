"""One path through the same gradients for each library, to be compared step by step.

The gradients of `GRADS` do not depend on the parameters, so that an error is not fed back, and the
learning rate varies, so that methods which agree only while it is constant part.
"""

import functools
import os
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import gdlab
from gdlab import Hyperparameter

STEPS = 30
LEARNING_RATE = np.geomspace(0.3, 0.01, STEPS) * (1 + 0.5 * np.sin(np.arange(STEPS)))
PARAMS = np.array([1.0, -2.0, 0.5, 3.0, -0.25])

NOISE = np.random.default_rng(2).normal(size=(3, STEPS))
GRADS = np.stack(
    [
        NOISE[0],  # varying
        NOISE[1] * np.geomspace(10.0, 1e-3, STEPS),  # decaying over four decades
        NOISE[2] * (np.arange(STEPS) % 3 == 0),  # now and then zero
        np.full(STEPS, -3.0),  # constant
        np.zeros(STEPS),
    ],
    axis=1,
)

# Thirty float64 steps of a dozen roundings each stay within 1e-13 of another order of evaluation.
agree = functools.partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-13)


def differ(path, other):
    """Whether two paths part by more than anything that rounding does."""
    return np.abs(np.asarray(path) - np.asarray(other)).max() > 1e-3


def steps_of(path, start=PARAMS):
    """The steps between the points of a path that left from ``start``."""
    return np.diff(path, axis=0, prepend=np.asarray(start, np.float64)[None])


@gdlab.schedule
def table(values: Hyperparameter):
    """Each step's value, read from an array."""
    return lambda count: values[count.astype(int)]


def per_step(values):
    """``values`` as a schedule of gdlab, where there is one for each step."""
    return table(jnp.asarray(values)) if np.ndim(values) else values


@jax.jit
def path_along(tx, grads, params):
    """The parameters after each step of ``tx`` along gradients given beforehand."""

    def step(carry, g):
        params, state = carry
        updates, state = tx.update(g, state, params)
        params = gdlab.apply_updates(params, updates)
        return (params, state), params

    return lax.scan(step, (params, tx.init(params)), grads)[1]


@functools.partial(jax.jit, static_argnums=(1, 3))
def path_down(tx, grad_fn, params, steps):
    """The start, and the parameters after each step of ``tx`` on ``grad_fn(params)``."""

    def step(carry, _):
        params, state = carry
        updates, state = tx.update(grad_fn(params), state, params, grad_fn=grad_fn)
        params = gdlab.apply_updates(params, updates)
        return (params, state), params

    path = lax.scan(step, (params, tx.init(params)), length=steps)[1]
    return jnp.concatenate([params[None], path])


def gdlab_path(make, learning_rate=LEARNING_RATE, grads=GRADS, params=PARAMS):
    tx = make(per_step(learning_rate))
    return np.asarray(path_along(tx, jnp.asarray(grads), jnp.asarray(params)))


def optax_path(make, learning_rate=LEARNING_RATE, grads=GRADS, params=PARAMS):
    # optax multiplies its integer step count by floats.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        rates = jnp.asarray(learning_rate)
        tx = make(lambda count: rates[count])

        def step(carry, g):
            params, state = carry
            updates, state = tx.update(g, state, params)
            params = params + updates
            return (params, state), params

        params = jnp.asarray(params)
        start = (params, tx.init(params))
        return np.asarray(jax.jit(lax.scan, static_argnums=0)(step, start, jnp.asarray(grads))[1])


def torch_path(make, learning_rate=LEARNING_RATE, grads=GRADS, params=PARAMS):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    theta = torch.tensor(params, requires_grad=True)
    optimizer = make(torch.optim, [theta])
    path = []
    default = torch.get_default_dtype()
    # NAdam keeps its product of momenta in the default dtype, whatever the parameters have.
    torch.set_default_dtype(torch.float64)
    try:
        for g, eta in zip(grads, learning_rate, strict=True):
            optimizer.param_groups[0]["lr"] = float(eta)
            theta.grad = torch.tensor(g)
            optimizer.step()
            path.append(theta.detach().numpy().copy())
    finally:
        torch.set_default_dtype(default)
    return np.stack(path)


def keras_path(make, learning_rate=LEARNING_RATE, grads=GRADS, params=PARAMS):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    with warnings.catch_warnings(action="ignore"):  # its own, about NumPy
        keras = pytest.importorskip("keras", reason="keras is not installed")
        default = keras.config.floatx()
        keras.config.set_floatx("float64")
        with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
            theta = keras.Variable(params, dtype="float64")
            optimizer = make(keras.optimizers)
            optimizer.build([theta])
            path = []
            for g, eta in zip(grads, learning_rate, strict=True):
                optimizer.learning_rate = float(eta)
                optimizer.apply([keras.ops.convert_to_tensor(g, dtype="float64")])
                path.append(np.array(keras.ops.convert_to_numpy(theta)))
        keras.config.set_floatx(default)
    return np.stack(path)
