"""EMA-Nesterov at special numbers, and the weights that it evaluates."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, LEARNING_RATE, PARAMS, STEPS, agree, differ, gdlab_path, per_step

pytestmark = pytest.mark.x64

BETAS = np.linspace(0.1, 0.6, STEPS)


def path(make):
    return gdlab_path(make)


def test_without_looking_ahead_it_is_the_inner_method():
    inner = gdlab.adam(0.1)
    agree(path(lambda lr: gdlab.ema_nesterov(inner, 0.0)), path(lambda lr: inner))
    assert differ(path(lambda lr: gdlab.ema_nesterov(inner, 0.3)), path(lambda lr: inner))


def test_around_descent_and_without_memory_it_is_nesterovs_method():
    nesterov = partial(gdlab.sgd, momentum=0.8, nesterov=True)
    rates = np.full(STEPS, 0.1)
    ours = gdlab_path(lambda lr: gdlab.ema_nesterov(gdlab.sgd(lr), 0.8, 0.0), rates)
    agree(ours, gdlab_path(nesterov, rates))


def test_evaluated_weights_are_those_behind_the_point_of_the_gradient():
    tx = gdlab.ema_nesterov(gdlab.sgd(per_step(LEARNING_RATE)), per_step(BETAS), 0.9)

    def step(carry, g):
        params, state = carry
        updates, state = tx.update(g, state, params)
        params = gdlab.apply_updates(params, updates)
        return (params, state), gdlab.evaluation_params(state, params)

    start = jnp.asarray(PARAMS)
    weights = jax.lax.scan(step, (start, tx.init(start)), jnp.asarray(GRADS))[1]
    # A β acts after the step for which the schedule gives it: at the next gradient.
    x, motion = PARAMS, 0.0
    for t in range(STEPS):
        before = x
        x = x + (BETAS[t - 1] if t else 0.0) * motion - LEARNING_RATE[t] * GRADS[t]
        motion = 0.9 * motion + 0.1 * (x - before)
        agree(weights[t], x)
