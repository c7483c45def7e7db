"""Structure is compared by value and type, and what the user later does to it has no effect."""

import pickle
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import adam, adamw, add_decayed_weights, leafwise, masked, partition, set_to_zero, sgd


@leafwise
def constant(value: object):
    return lambda u: jnp.full_like(u, value)


def structure(tx):
    return jax.tree.structure(tx)


@pytest.mark.parametrize(
    ("one", "other"), [(True, 1), (1, 1.0), (0, False), ((1,), (True,)), ([1], (1,)), ("1", 1)]
)
def test_equal_values_of_different_types_are_different_structures(one, other):
    assert structure(constant(one)) != structure(constant(other))
    assert structure(constant(one)) == structure(constant(one))


def test_arrays_are_the_same_structure_if_their_values_are():
    chosen = np.array([True, False])
    assert structure(constant(chosen)) == structure(constant(chosen.copy()))
    assert structure(constant(chosen)) != structure(constant(~chosen))
    assert structure(constant(chosen)) != structure(constant(chosen.astype(int)))


def test_a_dtype_is_the_same_structure_however_it_is_written():
    ways = ["bfloat16", jnp.bfloat16, jnp.dtype("bfloat16"), jnp.zeros(0, jnp.bfloat16).dtype]
    assert len({structure(adam(0.1, mu_dtype=way)) for way in ways}) == 1
    ways = ["float32", np.float32, np.dtype("float32"), jnp.float32]
    assert len({structure(adam(0.1, mu_dtype=way)) for way in ways}) == 1


def test_structure_that_cannot_be_hashed_is_refused():
    with pytest.raises(TypeError, match=r"must be hashable"):
        constant({1, 2})


def test_a_mask_changed_after_it_was_given_has_no_effect():
    params = {"a": jnp.ones(1), "b": jnp.ones(1)}
    mask = {"a": True, "b": np.array(False)}
    tx = add_decayed_weights(0.5, mask=mask)
    mask["a"] = False
    mask["b"][...] = True
    updates, _ = tx.update(params, tx.init(params), params)
    assert updates == {"a": 1.5, "b": 1.0}


def test_labels_changed_after_they_were_given_have_no_effect():
    params = {"a": jnp.ones(1), "b": jnp.ones(1)}
    labels = {"a": "train", "b": "freeze"}
    tx = partition({"train": sgd(1.0), "freeze": set_to_zero()}, labels)
    labels["b"] = "train"
    updates, _ = tx.update(params, tx.init(params))
    assert updates == {"a": -1.0, "b": 0.0}


def test_another_process_agrees_on_the_hash_of_what_it_unpickles():
    tx = masked(adamw(0.1, mask="kernel"), {"kernel": True, "bias": False})
    code = (
        "import sys, pickle, jax\n"
        "from gdlab import adamw, masked\n"
        "tx = pickle.loads(sys.stdin.buffer.read())\n"
        "same = eval(repr(tx))\n"
        "assert jax.tree.structure(tx) == jax.tree.structure(same)\n"
        "assert hash(jax.tree.structure(tx)) == hash(jax.tree.structure(same))\n"
    )
    subprocess.run([sys.executable, "-c", code], input=pickle.dumps(tx), check=True)
