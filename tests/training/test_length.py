"""Runs that are as long as so many passes over the data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import minimize, sgd

DATA = jnp.arange(10.0)


def loss(w, batch):
    return jnp.mean((w - batch) ** 2)


def run(**arguments):
    arguments = {"data": DATA, "batch_size": 4, "key": jax.random.key(0)} | arguments
    return minimize(loss, 0.0, sgd(0.1), **arguments)


def test_two_epochs_are_twice_the_batches_of_one():
    # Two batches of four and one of two.
    np.testing.assert_array_equal(run(epochs=2).path, run(steps=6).path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "by steps or by epochs: neither is given"),
        ({"steps": 3, "epochs": 1}, "by steps or by epochs: both are given"),
        ({"epochs": 0}, "epochs must be positive"),
        ({"epochs": 1, "data": iter([DATA]), "batch_size": None}, "an epoch is a pass over data"),
    ],
)
def test_impossible_lengths(arguments, message):
    with pytest.raises(ValueError, match=message):
        run(**arguments)
