"""Steps whose kernels XLA joins: fewest words, along the path of the plain form.

Only the environment can tell XLA to join kernels, so those steps are taken in another process.
"""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.core import lifting
from gdlab.core.kernels import FLAG, with_results_apart
from gdlab.core.rules import Reading
from tests.core.test_words import counts

STEPS = 50
JOINED = {
    "momentum": gdlab.sgd(1e-3, 0.9),
    "nesterov": gdlab.sgd(1e-3, 0.9, nesterov=True),
    "rmsprop": gdlab.rmsprop(1e-3),
    "adagrad": gdlab.adagrad(1e-3),
    "adam": gdlab.adam(1e-3),
    "adamw": gdlab.adamw(1e-3),
    "nadam": gdlab.nadam(1e-3),
    "amsgrad": gdlab.amsgrad(1e-3),
    "adadelta": gdlab.adadelta(0.1),
    "adabelief": gdlab.adabelief(1e-3),
    "adopt": gdlab.adopt(1e-3),
    "rprop": gdlab.rprop(1e-3),
}
"""Methods that move parameters by less than their size in all the steps together."""


def gradients():
    rng = np.random.default_rng(1)
    return [jnp.asarray(rng.normal(size=(50, 100)), jnp.float32) for _ in range(STEPS)]


def path(tx, starts=None):
    """The arrays before each step and after the last; each step from the next of ``starts``."""
    step = jax.jit(lambda grads, state, params: gdlab.apply_gradients(tx, grads, state, params))
    rng = np.random.default_rng(0)
    # Larger than all the steps together, so that a unit in the last place stays what it is.
    params = jnp.asarray(rng.choice([-1, 1], (50, 100)) * rng.uniform(1.2, 1.8, (50, 100)), "f4")
    state = tx.init(params)
    structure, arrays = jax.tree.structure((params, state)), []
    for number, gradient in enumerate(gradients()):
        if starts is not None:
            leaves = [jnp.asarray(column[number]) for column in starts]
            params, state = jax.tree.unflatten(structure, leaves)
        arrays.append(jax.tree.leaves((params, state)))
        params, state = step(gradient, state, params)
        if starts is not None:
            arrays[-1] = jax.tree.leaves((params, state))
    arrays.append(jax.tree.leaves((params, state)))
    return [np.stack(column) for column in zip(*arrays, strict=True)]


def take_joined_steps(folder, *names):
    """The work of the other process: words, a step from each point of a path, and a whole path."""
    for name in names:
        tx = JOINED[name]
        given = np.load(f"{folder}/{name}.npz")
        starts = [given[f"arr_{column}"] for column in range(len(given.files))]
        steps, whole = path(tx, starts)[0][:-1], path(tx)[0]
        np.savez(f"{folder}/{name}_joined.npz", words=counts(gdlab, tx), steps=steps, path=whole)


@pytest.mark.parametrize(
    "names", [("adam",), pytest.param(tuple(JOINED), marks=pytest.mark.slow)], ids=("adam", "all")
)
def test_joined_steps_move_the_fewest_words_along_the_plain_path(names, tmp_path):
    plain = {name: path(JOINED[name]) for name in names}
    for name, columns in plain.items():
        np.savez(tmp_path / f"{name}.npz", *columns)
    command = "import sys; from tests.core.test_kernels import take_joined_steps as take"
    subprocess.run(
        [sys.executable, "-c", f"{command}; take(*sys.argv[1:])", str(tmp_path), *names],
        env=os.environ
        | {"XLA_FLAGS": f"--xla_backend_extra_options={FLAG}", "JAX_PLATFORMS": "cpu"},
        check=True,
    )
    for name, columns in plain.items():
        joined = np.load(tmp_path / f"{name}_joined.npz")
        words, temporaries = joined["words"]
        slots = sum(column[0].size == columns[0][0].size for column in columns) - 1
        # The gradient is read; the parameters and what is kept are read and written.
        assert words <= 1 + 2 * (1 + slots) + 0.01, name
        assert temporaries < 0.01, name
        # A product may be rounded or not before it is added.
        unit = np.spacing(np.abs(columns[0]))
        steps = np.arange(STEPS + 1)[:, None, None]
        assert (np.abs(joined["steps"] - columns[0][1:]) <= unit[1:]).all(), name
        assert (np.abs(joined["path"] - columns[0]) <= steps * unit).all(), name


def test_without_the_setting_a_step_is_left_as_it_is():
    tx, params = gdlab.adam(1e-3), jnp.ones((3, 2))
    assert "optimization_barrier" not in str(jax.make_jaxpr(tx.update)(params, tx.init(params)))


def barriers(update, slot):
    apart = with_results_apart(update)
    of_arrays = lambda u, slot: apart(u, (slot,), (), Reading())  # noqa: E731
    return str(jax.make_jaxpr(of_arrays)(jnp.ones((3, 2)), slot)).count("optimization_barrier")


def test_only_elementwise_rules_of_one_dtype_are_computed_apart():
    wide, narrow = jnp.ones((3, 2)), jnp.ones((3, 2), "bfloat16")
    assert barriers(lambda u, slots, *_: (-(u + slots[0]), (u + slots[0],)), wide) == 2
    assert not barriers(lambda u, slots, *_: (u + slots[0], (u * jnp.sum(u),)), wide)
    assert not barriers(lambda u, slots, *_: (u, (u.astype(jnp.bfloat16) + slots[0],)), narrow)
    decided = lambda u: jax.lax.cond(u[0, 0] > 0, jnp.sin, jnp.cos, u)  # noqa: E731
    assert not barriers(lambda u, slots, *_: (decided(u), (u + slots[0],)), wide)


def test_results_apart_can_be_mapped_and_differentiated(monkeypatch):
    def after(learning_rate, start):
        tx, params, state = gdlab.adam(learning_rate), start, gdlab.adam(learning_rate).init(start)
        for _ in range(2):
            params, state = gdlab.apply_gradients(tx, 2 * params, state, params)
        return jnp.sum(params)

    slopes = jax.vmap(jax.grad(after, argnums=(0, 1)), (None, 0))
    start = jnp.array([[1.0, -2.0], [0.5, 3.0]])
    plain = jax.jit(slopes)(0.1, start)
    monkeypatch.setattr(lifting, "joins_kernels", lambda: True)
    jax.clear_caches()
    for one, other in zip(plain, jax.jit(slopes)(0.1, start), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    jax.clear_caches()
