"""One vector of all parameters, and complex numbers as pairs of real ones."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from gdlab import (
    adam,
    clip_by_global_norm,
    clip_by_norm,
    flatten,
    look_ahead,
    scale_by_trust_ratio,
    sgd,
    split_real_and_imaginary,
)

pytestmark = pytest.mark.x64

RNG = np.random.default_rng(0)


def tree(steps=None):
    lead = () if steps is None else (steps,)
    shapes = {"a": (2, 3), "b": (), "c": (4,)}
    return {name: jnp.asarray(RNG.normal(size=lead + shape)) for name, shape in shapes.items()}


STEPS = 3


def start():
    return jax.tree.map(lambda w: 1.0 + jnp.arange(float(w.size)).reshape(w.shape), tree())


def stepped(tx, grads, params):
    state, every = tx.init(params), []
    for step in range(STEPS):
        gradient = jax.tree.map(lambda g: g[step], grads)  # noqa: B023
        with jax.numpy_dtype_promotion("standard"):
            updates, state = tx.update(gradient, state, params)
        every.append(updates)
    return every, state


def assert_close(one, other):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), one, other)


def test_what_treats_elements_alike_does_the_same_in_one_vector():
    grads = tree(STEPS)
    flat, state = stepped(flatten(adam(0.1)), grads, start())
    assert_close(flat, stepped(adam(0.1), grads, start())[0])
    assert state.inner.mu.shape == (11,)
    ours, _ = stepped(flatten(sgd(0.1, 0.9)), grads, start())
    assert_close(ours, stepped(optax.flatten(optax.sgd(0.1, 0.9)), grads, start())[0])


def test_what_is_about_an_array_becomes_about_all_of_them():
    grads = tree(STEPS)
    flat, _ = stepped(flatten(clip_by_norm(1.0)), grads, start())
    assert_close(flat, stepped(clip_by_global_norm(1.0), grads, start())[0])
    ours, _ = stepped(flatten(scale_by_trust_ratio()), grads, start())
    theirs, _ = stepped(optax.flatten(optax.scale_by_trust_ratio()), grads, start())
    assert_close(ours, theirs)


def test_dtypes_and_complex_numbers_come_back_as_they_were():
    mixed = {"z": jnp.array([1 + 2j]), "x": jnp.array([3.0], jnp.bfloat16), "none": None}
    with jax.numpy_dtype_promotion("standard"):
        updates, _ = flatten(sgd(1.0)).update(mixed, flatten(sgd(1.0)).init(mixed))
    assert {name: leaf.dtype.name for name, leaf in updates.items() if leaf is not None} == {
        "z": "complex128",
        "x": "bfloat16",
    }
    assert (updates["z"], updates["x"]) == (-(1 + 2j), -3)


def test_functions_take_the_layout_that_the_inner_transformation_sees():
    def loss(params):
        return jnp.sum(params["a"] ** 4) + jnp.sum(jnp.sin(params["c"])) * params["b"]

    inner = look_ahead(sgd(0.1, 0.9))
    updates = {}
    for name, tx in {"flat": flatten(inner), "plain": inner}.items():
        state, params = tx.init(start()), start()
        for _ in range(2):
            step, state = tx.update(jax.grad(loss)(params), state, params, grad_fn=jax.grad(loss))
            params = jax.tree.map(jnp.add, params, step)
        updates[name] = params
    assert_close(updates["flat"], updates["plain"])


def complex_leaves(steps=None):
    lead = () if steps is None else (steps,)
    z = RNG.normal(size=(*lead, 3)) + 1j * RNG.normal(size=(*lead, 3))
    return {"z": jnp.asarray(z), "x": jnp.asarray(RNG.normal(size=(*lead, 2)))}


def test_complex_numbers_in_two_parts_are_trained_as_by_optax_and_as_real_pairs():
    params, grads = complex_leaves(), complex_leaves(STEPS)
    ours, _ = stepped(split_real_and_imaginary(adam(0.1)), grads, params)
    theirs, _ = stepped(optax.contrib.split_real_and_imaginary(optax.adam(0.1)), grads, params)
    # optax corrects for the start by 1 − 0.999ᵗ in float32.
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one["z"], other["z"], rtol=3e-5)
    parts = lambda t: {"re": t["z"].real, "im": t["z"].imag}  # noqa: E731
    pairs, _ = stepped(adam(0.1), parts(grads), parts(params))
    for one, pair in zip(ours, pairs, strict=True):
        assert_close(parts(one), pair)


def test_real_arrays_are_not_split():
    state = split_real_and_imaginary(adam(0.1)).init(complex_leaves())
    assert set(state.inner.mu["z"]) == {"real", "imaginary"}
    assert state.inner.mu["x"].shape == (2,)
