"""TRAC: its scale in closed form, and what it does when gradients turn."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

import gdlab
from gdlab.optimizers.tuning_free.trac import erfi
from tests.paths import agree, gdlab_path, torch_path

pytestmark = pytest.mark.x64
ONE_WAY = np.ones((12, 1))
START = np.array([2.0])


def path(tx, grads, start=START):
    return gdlab_path(lambda _: tx, learning_rate=np.ones(len(grads)), grads=grads, params=start)


def test_the_imaginary_error_function_is_that_of_scipy():
    x = np.concatenate([np.linspace(-9, 9, 181), [1e-12]])
    np.testing.assert_allclose(erfi(jnp.asarray(x)), special.erfi(x), rtol=1e-12)
    # Squares of numbers up to 9 are wrong by 81 times half of the last digit.
    np.testing.assert_allclose(erfi(jnp.asarray(x, jnp.float32)), special.erfi(x), rtol=1e-4)
    # Near where float64 overflows 64 terms are too few for more than four digits.
    np.testing.assert_allclose(erfi(jnp.array([26.0])), special.erfi([26.0]), rtol=1e-4)
    assert np.all(np.isfinite(erfi(jnp.array([-1e3, 1e3]))))


def test_the_scale_of_agreeing_gradients_in_closed_form():
    # Gradient 1 and base −1: Δ = −t after t steps, so that h = t − 1 at step t.
    walk = path(gdlab.trac(gdlab.sgd(1.0), [0.5], eps=1e-20, s_init=0.125), ONE_WAY)
    for t in range(2, 13):
        ages = np.arange(t)
        h = np.arange(t - 1, -1, -1.0)
        sigma, v = 0.5**ages @ h, 0.25**ages @ h**2
        s = 0.125 * special.erfi(sigma / np.sqrt(2 * v)) / special.erfi(np.sqrt(0.5))
        np.testing.assert_allclose(walk[t - 1], START - s * t, rtol=1e-12)


def test_it_steps_as_another_implementation_does():
    import_torch = pytest.importorskip("torch", reason="torch is not installed")
    rng = np.random.default_rng(3)
    grads = 1 + 0.3 * rng.normal(size=(12, 3))
    where = {"learning_rate": np.full(12, 0.1), "grads": grads, "params": np.ones(3)}
    ours = gdlab_path(lambda lr: gdlab.trac(gdlab.sgd(lr), s_init=0.1), **where)
    theirs = torch_path(
        lambda o, p: o.TRAC(import_torch.optim.SGD(p), s_prev=0.1),
        module="pytorch_optimizer",
        **where,
    )
    # It divides the displacement by the scale plus 1e-8 to find that of the base.
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_when_gradients_turn_the_parameters_go_back_to_the_start():
    grads = np.concatenate([ONE_WAY, -5 * ONE_WAY[:4]])
    tx = gdlab.trac(gdlab.sgd(1.0), [0.9], s_init=0.1)
    walk = path(tx, grads)[:, 0]
    assert walk[11] < 0
    agree(walk[-1], START[0])


def test_the_scale_of_the_loss_changes_nothing():
    rng = np.random.default_rng(3)
    grads = 1 + 0.3 * rng.normal(size=(12, 3))
    tx = gdlab.trac(gdlab.adam(0.1, eps=0.0), eps=1e-30, s_init=0.1)
    one, other = (path(tx, c * grads, np.ones(3)) for c in (1.0, 1e3))
    np.testing.assert_allclose(one[1:], other[1:], rtol=1e-11)
