"""NorMuon: every neuron moves by the same amount, matrix by matrix."""

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import normuon
from tests.oracles.method import GRADS
from tests.paths import gdlab_path

pytestmark = pytest.mark.x64

RATE = np.full(6, 0.1)


def test_matrices_of_a_batch_are_treated_one_by_one():
    grads = GRADS["cube"][:6]
    for rms in (0.2, None):
        make = lambda lr, axes: normuon(  # noqa: E731
            lr,
            eps=0.0,
            weight_dimension_numbers=axes,
            consistent_rms=rms,  # noqa: B023
        )
        whole = gdlab_path(lambda lr: make(lr, "bio"), RATE, grads, np.ones((2, 3, 4)))  # noqa: B023
        for k in range(2):
            alone = gdlab_path(lambda lr: make(lr, "io"), RATE, grads[:, k], np.ones((3, 4)))  # noqa: B023
            np.testing.assert_allclose(whole[:, k], alone, rtol=1e-12)


def test_all_neurons_move_by_the_same_amount_at_the_first_step():
    # Neurons are the outputs, the last axis unless told otherwise.
    g = jnp.asarray(GRADS["matrix"][0]) * jnp.array([[1.0, 10.0, 0.01]])
    for axes, of_a_neuron in (("io", 0), ("oi", 1)):
        tx = normuon(0.1, weight_dimension_numbers=axes)
        updates, _ = tx.update(g, tx.init(g), g)
        sizes = np.sqrt(np.mean(updates**2, axis=of_a_neuron))
        np.testing.assert_allclose(sizes, 0.1 * 0.2, rtol=1e-5)


@pytest.mark.slow
def test_the_second_moment_has_one_number_for_each_neuron():
    params = {"kernel": jnp.ones((3, 5)), "bias": jnp.ones(5)}
    state = normuon(0.1).init(params)
    assert state.groups["muon"].nu["kernel"].shape == (1, 5)
    assert state.groups["muon"].mu["kernel"].shape == (3, 5)


def test_scaling_the_loss_changes_no_step():
    grads = GRADS["wide"][:6]
    make = lambda lr: normuon(lr, eps=0.0, weight_decay=0.1)  # noqa: E731
    once = gdlab_path(make, RATE, grads, np.ones((3, 5)))
    np.testing.assert_allclose(
        gdlab_path(make, RATE, 1e5 * grads, np.ones((3, 5))), once, rtol=1e-9
    )
