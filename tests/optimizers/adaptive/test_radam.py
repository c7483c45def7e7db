"""RAdam: momentum first, then Adam with a factor that rises to 1."""

from functools import partial

import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, LEARNING_RATE, STEPS, agree, differ, gdlab_path, torch_path

pytestmark = pytest.mark.x64


def gradients_known(t, b2):
    """ρₜ of the paper."""
    longest = 2 / (1 - b2) - 1
    return longest - 2 * t * b2**t / (1 - b2**t)


def test_radam_that_never_knows_the_variance_is_momentum():
    """ρ∞ = 2/(1 − b2) − 1 is 4 at b2 = 3/5, below which no number of gradients is enough."""
    agree(
        gdlab_path(partial(gdlab.radam, b2=0.6, threshold=0.0)),
        gdlab_path(
            lambda lr: gdlab.chain(gdlab.debias(gdlab.ema(0.9)), gdlab.scale_by_learning_rate(lr))
        ),
    )


def test_rectified_steps_are_those_of_adam_with_the_factor_in_the_learning_rate():
    factor = np.array([float(gdlab.rectification(0.95)(count)) for count in range(STEPS)])
    known = factor > 0
    assert not known[:4].any()
    assert known[5:].all()
    adam = gdlab_path(lambda lr: gdlab.adam(lr, b2=0.95), learning_rate=LEARNING_RATE * factor)
    ours = gdlab_path(lambda lr: gdlab.radam(lr, b2=0.95))
    agree(np.diff(ours[known], axis=0), np.diff(adam[known], axis=0))


def test_factor_rises_to_one():
    factors = [float(gdlab.rectification(0.95)(count)) for count in range(8, 2000, 7)]
    assert (np.diff(factors) >= -1e-12).all()
    np.testing.assert_allclose(factors[-1], 1, rtol=1e-12)


def test_variance_is_known_at_the_threshold_itself():
    """≥ as in optax and the authors' code; torch asks for more than 5."""
    rho = gradients_known(7, 0.95)
    at, above = (gdlab.rectification(0.95, rho + slack) for slack in (-1e-12, 1e-12))
    assert float(at(6)) > 0
    assert float(above(6)) == 0
    assert float(at(5)) == 0
    # With an infinite average ρₜ = t, so that five gradients are just enough.
    exact = gdlab.rectification(0.5, 1.0)
    assert float(exact(10)) == 0  # but ρ∞ = 3 never is


def test_epsilon_is_added_after_the_correction_unlike_torchs():
    ours = gdlab_path(partial(gdlab.radam, b2=0.97, eps=0.1))
    theirs = torch_path(lambda o, p: o.RAdam(p, betas=(0.9, 0.97), eps=0.1))
    assert differ(ours, theirs)


def test_radam_sees_the_scale_of_the_loss_at_first_only():
    make = partial(gdlab.radam, b2=0.95, eps=0.0)
    scaled, plain = gdlab_path(make, grads=100 * GRADS), gdlab_path(make)
    agree(np.diff(scaled, axis=0)[5:], np.diff(plain, axis=0)[5:])
    assert differ(scaled[:4], plain[:4])
