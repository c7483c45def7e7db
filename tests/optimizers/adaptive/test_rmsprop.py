"""RMSProp's identities, and what centring must survive."""

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, agree, gdlab_path, path_along


@pytest.mark.x64
def test_rmsprop_with_bias_correction_and_outer_epsilon_is_adam_without_momentum():
    rmsprop = lambda lr: gdlab.rmsprop(  # noqa: E731
        lr, 0.95, 1e-3, eps_in_sqrt=False, bias_correction=True
    )
    agree(gdlab_path(rmsprop), gdlab_path(lambda lr: gdlab.adam(lr, 0.0, 0.95, 1e-3)))


@pytest.mark.x64
@pytest.mark.parametrize("bias_correction", [False, True])
def test_centred_second_moment_is_the_mean_square_less_the_squared_mean(bias_correction):
    decay = 0.8
    spread = gdlab.variance(decay, bias_correction=bias_correction)
    plain = gdlab.ema(decay)
    mean, mean_square = (
        gdlab.debias(average) if bias_correction else average
        for average in (plain, gdlab.chain(gdlab.square(), plain))
    )
    grads, zeros = jnp.asarray(GRADS), jnp.zeros(GRADS.shape[1])

    def outputs(tx):
        return np.diff(path_along(tx, grads, zeros), axis=0, prepend=0)

    # The right side is a difference: it carries the rounding of squares as large as 400.
    agree(outputs(spread), outputs(mean_square) - outputs(mean) ** 2, atol=1e-11)


@pytest.mark.parametrize("bias_correction", [False, True])
@pytest.mark.parametrize("gradient", [3.0, 1e-4])
def test_centred_scale_of_a_constant_gradient_is_never_rounding(gradient, bias_correction):
    # In float32, where the difference of the averages would be 1e-7 of g² and of either sign; their
    # deviation is rounded too, at 1e-7 of g, but squared that is below any ε in use.
    tx = gdlab.rmsprop(1.0, eps=1e-8, centered=True, bias_correction=bias_correction)
    path = path_along(tx, jnp.full((2000, 1), gradient), jnp.zeros(1))
    steps = np.diff(np.asarray(path, np.float64)[:, 0])
    assert np.isfinite(steps).all()
    if bias_correction:  # without deviation, ε alone is left, from the first step on
        np.testing.assert_allclose(path[0], -gradient / 1e-4, rtol=1e-5)
    else:  # the variance that the start at zero feigns fades as 0.9ᵗ
        last = np.asarray(path, np.float64)[-1, 0] - np.asarray(path, np.float64)[-101, 0]
        np.testing.assert_allclose(last / 100, -gradient / 1e-4, rtol=1e-3)


@pytest.mark.x64
def test_scale_of_rmsprop_follows_shrinking_gradients_and_adagrads_does_not():
    grads = np.concatenate([np.full(10, 100.0), np.full(190, 1.0)])[:, None]
    size = {}
    for name, tx in {
        "rmsprop": gdlab.rmsprop(0.1, eps=0.0),
        "adagrad": gdlab.adagrad(0.1, 0.0, 0.0),
    }.items():
        path = path_along(tx, jnp.asarray(grads), jnp.zeros(1))
        size[name] = abs(float(path[-1, 0] - path[-2, 0]))
    np.testing.assert_allclose(size["rmsprop"], 0.1, rtol=1e-3)
    np.testing.assert_allclose(size["adagrad"], 0.1 / np.sqrt(10 * 1e4 + 190), rtol=1e-10)
