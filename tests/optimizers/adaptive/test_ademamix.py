"""AdEMAMix and its simplified form: what they are without their long memory, and on constants."""

import operator
from functools import partial

import numpy as np
import optax
import pytest

import gdlab
from tests.paths import (
    GRADS,
    LEARNING_RATE,
    agree,
    differ,
    gdlab_path,
    optax_path,
    steps_of,
)

pytestmark = pytest.mark.x64

CONSTANT = {"learning_rate": np.ones(60), "grads": np.full((60, 1), -3.0), "params": np.zeros(1)}
T = np.arange(1, 61)


def test_ademamix_without_its_slow_average_is_adamw():
    agree(
        gdlab_path(lambda lr: gdlab.ademamix(lr, b3=0.99, alpha=0.0, weight_decay=0.1)),
        gdlab_path(lambda lr: gdlab.adamw(lr, weight_decay=0.1)),
    )


def test_steps_of_ademamix_on_a_constant_gradient_grow_as_the_slow_average_fills():
    path = gdlab_path(lambda lr: gdlab.ademamix(lr, b3=0.9, alpha=2.0, eps=0.0), **CONSTANT)
    agree(steps_of(path, np.zeros(1))[:, 0], 1 + 2 * (1 - 0.9**T))


def test_neither_form_of_ademamix_sees_the_scale_of_the_loss():
    for make in (gdlab.ademamix, partial(gdlab.simplified_ademamix, alpha=3.0)):
        plain = gdlab_path(lambda lr: make(lr, eps=0.0))  # noqa: B023
        agree(gdlab_path(lambda lr: make(lr, eps=0.0), grads=1e4 * GRADS), plain)  # noqa: B023


def test_simplified_ademamix_without_alpha_is_adam_with_a_longer_step_and_m_uncorrected():
    weights = 1 - 0.9 ** np.arange(1, len(LEARNING_RATE) + 1)
    agree(
        gdlab_path(lambda lr: gdlab.simplified_ademamix(lr, b1=0.9, eps=1e-3)),
        gdlab_path(
            lambda lr: gdlab.adam(lr, b2=0.95, eps=1e-3),
            learning_rate=LEARNING_RATE * weights / (1 - 0.9),
        ),
    )


def test_steps_of_simplified_ademamix_on_a_constant_gradient_are_a_geometric_sum():
    path = gdlab_path(lambda lr: gdlab.simplified_ademamix(lr, 0.9, alpha=5.0, eps=0.0), **CONSTANT)
    agree(steps_of(path, np.zeros(1))[:, 0], (1 - 0.9**T) / (1 - 0.9) + 5)


def test_half_life_in_the_warm_up_of_a_decay_grows_linearly():
    decays = np.array([float(gdlab.half_life_warmup(0.9, 0.999, 50)(count)) for count in range(60)])
    half_lives = np.log(0.5) / np.log(decays)
    np.testing.assert_allclose(np.diff(half_lives[:50], 2), 0, atol=1e-8)
    np.testing.assert_array_equal(decays[49:], 0.999)


def test_slow_average_is_not_corrected_for_its_start():
    """Bias correction of both averages, which seems natural, makes other steps."""
    corrected = lambda lr: gdlab.chain(  # noqa: E731
        gdlab.fork(
            gdlab.ratio(1e-8),
            gdlab.fork(operator.add, gdlab.debias(gdlab.ema(0.9)), gdlab.debias(gdlab.ema(0.99))),
            gdlab.chain(gdlab.square(), gdlab.debias(gdlab.ema(0.999))),
        ),
        gdlab.scale_by_learning_rate(lr),
    )
    ours = gdlab_path(lambda lr: gdlab.ademamix(lr, b3=0.99, alpha=1.0))
    assert differ(ours, gdlab_path(corrected))
    agree(ours, optax_path(partial(optax.contrib.ademamix, b3=0.99, alpha=1.0)))
