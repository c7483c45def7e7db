"""Averaged descent: its points and their mean beside torch's, and how good the mean is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, PARAMS, STEPS, agree, gdlab_path, per_step, torch_path

pytestmark = pytest.mark.x64

SETTINGS = {"lambd": 0.1, "alpha": 0.6}
RATES = np.geomspace(0.5, 0.05, STEPS)
RATES[1] = RATES[0]


def means(tx):
    """The parameters to evaluate after each step along ``GRADS``."""

    def step(carry, g):
        params, state = carry
        updates, state = tx.update(g, state, params)
        params = gdlab.apply_updates(params, updates)
        return (params, state), gdlab.evaluation_params(state, params)

    start = jnp.asarray(PARAMS)
    return jax.lax.scan(step, (start, tx.init(start)), jnp.asarray(GRADS))[1]


def test_points_are_those_of_torch_whose_learning_rates_are_a_step_late():
    ours = gdlab_path(lambda lr: gdlab.asgd(lr, **SETTINGS), RATES)
    agree(ours, torch_path(lambda o, p: o.ASGD(p, **SETTINGS), [*RATES[1:], 0.0]))


def test_mean_is_that_of_torch_which_begins_a_step_later():
    found = []

    def recording(library, params):
        optimizer = library.ASGD(params, t0=5, **SETTINGS)
        step = optimizer.step

        def recorded():
            step()
            found.append(optimizer.state[params[0]]["ax"].numpy().copy())

        optimizer.step = recorded
        return optimizer

    torch_path(recording, [*RATES[1:], 0.0])
    agree(means(gdlab.asgd(per_step(RATES), t0=6, **SETTINGS)), np.stack(found))


def test_mean_of_points_is_the_last_point_until_the_averaging_begins():
    tx = gdlab.asgd(0.1, t0=10, **SETTINGS)
    points = gdlab_path(lambda lr: tx)
    expected = [points[t] if t < 10 else points[10 : t + 1].mean(0) for t in range(STEPS)]
    agree(means(tx), np.stack(expected))
