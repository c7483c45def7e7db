"""The online problem on which Adam does not converge, and AMSGrad does."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, agree, gdlab_path

pytestmark = pytest.mark.x64

ROUNDS = 6000
AMSGRAD = {
    "on the average": gdlab.amsgrad,
    "on the corrected average": partial(gdlab.amsgrad, maximum_of_corrected=True),
    "the paper's": partial(gdlab.amsgrad, bias_correction_mu=False, bias_correction_nu=False),
}


def played(tx, C):
    """Reddi et al. 2018, theorem 1: losses C·x, −x, −x in turn, with x kept in [−1, 1]."""

    def play(carry, t):
        x, state = carry
        updates, state = tx.update(jnp.where(t % 3 == 0, C, -1.0), state, x)
        x = jnp.clip(x + updates, -1, 1)
        return (x, state), x

    start = jnp.zeros(())
    loop = jax.jit(lambda: jax.lax.scan(play, (start, tx.init(start)), jnp.arange(ROUNDS))[1])
    return np.asarray(loop())


@gdlab.schedule
def inverse_root(init_value: gdlab.Hyperparameter):
    return lambda count: init_value / jnp.sqrt(count + 1)


def theorem(method, C):
    """The theorem's hyperparameters: no momentum, b2 = 1/(1 + C²), a rate that falls as 1/√t."""
    return method(inverse_root(0.5), 0.0, 1 / (1 + C**2), 0.0)


@pytest.mark.parametrize("C", [3.0, 10.0])
def test_adam_goes_to_the_worst_point(C):
    assert played(theorem(gdlab.adam, C), C)[-600:].mean() > 0.99


@pytest.mark.parametrize("C", [3.0, 10.0])
@pytest.mark.parametrize("name", AMSGRAD)
def test_amsgrad_goes_to_the_best_point(name, C):
    assert played(theorem(AMSGRAD[name], C), C)[-600:].mean() < -0.99


def test_regret_of_adam_grows_with_the_rounds_and_that_of_amsgrad_does_not():
    C = 3.0
    gradients = np.where(np.arange(ROUNDS) % 3 == 0, C, -1.0)

    def regret(method):
        x = np.concatenate([[0.0], played(theorem(method, C), C)[:-1]])
        return np.cumsum(gradients * (x + 1))  # −1 is the best point in hindsight

    adam, amsgrad = regret(gdlab.adam), regret(gdlab.amsgrad)
    # Each three rounds cost C − 2 = 1 a unit of distance, and Adam is two units away.
    np.testing.assert_allclose((adam[-1] - adam[ROUNDS // 2]) / (ROUNDS // 2), 2 / 3, rtol=0.05)
    assert (amsgrad[-1] - amsgrad[ROUNDS // 2]) / (ROUNDS // 2) < 0.01


@pytest.mark.parametrize("name", ["on the average", "on the corrected average"])
def test_amsgrad_is_adam_while_squares_keep_growing(name):
    growing = GRADS[:, 3:4] * np.arange(1, len(GRADS) + 1)[:, None]
    settings = {"grads": growing, "params": np.zeros(1)}
    agree(gdlab_path(AMSGRAD[name], **settings), gdlab_path(gdlab.adam, **settings))


def test_both_averages_of_the_part_are_corrected_so_that_its_first_step_is_the_sign():
    tx, g = gdlab.scale_by_amsgrad(), jnp.array([0.3, -2.0, 50.0])
    updates, _ = tx.update(g, tx.init(g))
    np.testing.assert_allclose(updates, np.sign(g), rtol=1e-6)
