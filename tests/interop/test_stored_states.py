"""States of stored methods, carried over to other libraries and back."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab.interop import from_optax, from_torch, to_optax, to_torch

PARAMS = {"w": jnp.linspace(-1, 1, 2048).reshape(32, 64)}


def trained(tx):
    return jax.jit(tx.update)(PARAMS, tx.init(PARAMS), PARAMS)[1]


@pytest.mark.slow
def test_the_state_of_a_stored_method_goes_to_optax_and_comes_back():
    tx = gdlab.stored(gdlab.adam(0.1), "int8")
    state = trained(tx)
    theirs = to_optax(state, optax.adam(0.1).init(PARAMS), tx=tx)
    assert theirs[0].mu["w"].dtype == jnp.float32
    np.testing.assert_array_equal(theirs[0].mu["w"], state.mu["w"].read())
    back = from_optax(theirs, tx=tx, params=PARAMS)
    assert jax.tree.structure(back) == jax.tree.structure(state)
    np.testing.assert_array_equal(back.nu["w"].codes, state.nu["w"].codes)


def test_the_state_of_a_stored_method_goes_to_torch_and_comes_back():
    tx = gdlab.stored(gdlab.sgd(0.1, momentum=0.9), "int8")
    state = trained(tx)
    theirs = to_torch(state, ["w"], tx=tx, params=PARAMS, like="SGD")
    np.testing.assert_array_equal(theirs["state.0.momentum_buffer"], state.trace["w"].read())
    back = from_torch(theirs, ["w"], tx=tx, params=PARAMS)
    np.testing.assert_array_equal(back.trace["w"].codes, state.trace["w"].codes)


def test_lost_bits_of_parameters_are_not_carried_over():
    tx = gdlab.stored(gdlab.adam(0.1), "int8", params="split")
    with pytest.raises(ValueError, match="it has the bits that its parameters lack"):
        to_optax(tx.init(PARAMS), None, tx=tx)
