"""LARS: relative changes, and the denominator of its paper."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from tests.oracles.method import GRADS, PARAMS
from tests.paths import agree, differ, gdlab_path, optax_path, steps_of

pytestmark = pytest.mark.x64

KERNEL = PARAMS["matrix"]
RATES = np.full(5, 0.1)


def path(make, grads=GRADS["matrix"][:5], params=KERNEL):
    return gdlab_path(make, RATES, grads, params)


lars = partial(gdlab.lars, trust_coefficient=0.5, momentum=0.0)


def test_relative_change_of_an_array_is_the_coefficient_times_the_rate():
    first = steps_of(path(lars), KERNEL)[0]
    agree(np.linalg.norm(first), 0.5 * 0.1 * np.linalg.norm(KERNEL))


def test_scale_of_gradients_does_not_matter_and_that_of_weights_scales_the_path():
    agree(path(lars, 1e-5 * GRADS["matrix"][:5]), path(lars))
    agree(path(lars, params=10 * KERNEL), 10 * path(lars))


def test_decay_enters_the_denominator_by_its_own_norm_and_not_by_that_of_the_sum():
    settings = {"trust_coefficient": 0.5, "weight_decay": 0.5, "momentum": 0.0}
    gradients = np.stack([KERNEL] * 5)
    ours = path(partial(gdlab.lars, **settings), gradients)
    theirs = optax_path(partial(optax.lars, **settings), RATES, gradients, KERNEL)
    # Along the weights the norm of the sum is the sum of the norms.
    agree(ours[0], theirs[0])
    gradients = -gradients
    ours = path(partial(gdlab.lars, **settings), gradients)
    theirs = optax_path(partial(optax.lars, **settings), RATES, gradients, KERNEL)
    agree((ours[0] - KERNEL) * 3, theirs[0] - KERNEL)
    assert differ(ours[0], theirs[0])


def test_masks_leave_out_decay_and_scaling():
    params = {"kernel": jnp.asarray(KERNEL), "bias": jnp.array([3.0, 4.0])}
    gradient = jax.tree.map(lambda w: -w, params)
    tx = gdlab.lars(
        1.0,
        weight_decay=0.5,
        weight_decay_mask="kernel",
        trust_ratio_mask="kernel",
        trust_coefficient=0.1,
    )
    updates, _ = tx.update(gradient, tx.init(params), params)
    agree(updates["bias"], params["bias"])
    agree(updates["kernel"], 0.5 / 1.5 * 0.1 * KERNEL)
