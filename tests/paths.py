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


def varied(steps):
    """Gradients of five elements that tell conventions apart, one row a step."""
    noise = np.random.default_rng(2).normal(size=(3, steps))
    return np.stack(
        [
            noise[0],  # varying
            noise[1] * np.geomspace(10.0, 1e-3, steps),  # decaying over four decades
            noise[2] * (np.arange(steps) % 3 == 0),  # now and then zero
            np.full(steps, -3.0),  # constant
            np.zeros(steps),
        ],
        axis=1,
    )


GRADS = varied(STEPS)

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


def half_square(params):
    """½‖w‖², which methods along given gradients are told to be the loss."""
    leaves = jax.tree.leaves(params)
    return 0.5 * sum((jnp.sum(w * w) for w in leaves), jnp.zeros((), leaves[0].dtype))


def known_near(params, g):
    """What a step at ``params`` knows: a given gradient ``g``, and how it changes nearby."""

    def grad_fn(w):
        return jax.tree.map(lambda g, w, at: g + jnp.sin(w) - jnp.sin(at), g, w, params)

    return {"value": half_square(params), "grad": g, "grad_fn": grad_fn, "key": jax.random.key(0)}


@jax.jit
def path_along(tx, grads, params):
    """The parameters after each step of ``tx`` along gradients given beforehand."""

    def step(carry, g):
        params, state = carry
        updates, state = tx.update(g, state, params, **known_near(params, g))
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
    as_jax = functools.partial(jax.tree.map, jnp.asarray)
    return jax.tree.map(np.asarray, path_along(tx, as_jax(grads), as_jax(params)))


def optax_path(make, learning_rate=LEARNING_RATE, grads=GRADS, params=PARAMS):
    # optax multiplies its integer step count by floats.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        rates = jnp.asarray(learning_rate)
        tx = make(lambda count: rates[count])

        def step(carry, g):
            params, state = carry
            updates, state = tx.update(g, state, params)
            params = jax.tree.map(jnp.add, params, updates)
            return (params, state), params

        params, grads = jax.tree.map(jnp.asarray, (params, grads))
        start = (params, tx.init(params))
        path = jax.jit(lax.scan, static_argnums=0)(step, start, grads)[1]
        return jax.tree.map(np.asarray, path)


def torch_path(make, learning_rate=LEARNING_RATE, grads=GRADS, params=PARAMS, module="torch.optim"):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    library = pytest.importorskip(module, reason=f"{module} is not installed")
    leaves, structure = jax.tree.flatten(params)
    default = torch.get_default_dtype()
    # NAdam keeps its product of momenta in the default dtype, whatever the parameters have.
    torch.set_default_dtype(torch.float64)
    try:
        thetas = [torch.tensor(leaf, requires_grad=True) for leaf in leaves]
        optimizer = make(library, thetas)
        path = []
        for step, eta in enumerate(learning_rate):
            for group in optimizer.param_groups:
                group["lr"] = float(eta)
            for theta, g in zip(thetas, jax.tree.leaves(grads), strict=True):
                theta.grad = torch.tensor(g[step])
            optimizer.step()
            path.append([theta.detach().numpy().copy() for theta in thetas])
    finally:
        torch.set_default_dtype(default)
    return jax.tree.unflatten(structure, [np.stack(leaf) for leaf in zip(*path, strict=True)])


def keras_path(make, learning_rate=LEARNING_RATE, grads=GRADS, params=PARAMS):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    leaves, structure = jax.tree.flatten(params)
    with warnings.catch_warnings(action="ignore"):  # its own, about NumPy
        keras = pytest.importorskip("keras", reason="keras is not installed")
        default = keras.config.floatx()
        keras.config.set_floatx("float64")
        with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
            thetas = [keras.Variable(leaf, dtype="float64") for leaf in leaves]
            optimizer = make(keras.optimizers)
            optimizer.build(thetas)
            path = []
            for step, eta in enumerate(learning_rate):
                optimizer.learning_rate = float(eta)
                now = [g[step] for g in jax.tree.leaves(grads)]
                optimizer.apply([keras.ops.convert_to_tensor(g, dtype="float64") for g in now])
                path.append([np.array(keras.ops.convert_to_numpy(theta)) for theta in thetas])
        keras.config.set_floatx(default)
    return jax.tree.unflatten(structure, [np.stack(leaf) for leaf in zip(*path, strict=True)])
