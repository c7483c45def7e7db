"""The average of the parameters themselves."""

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import (
    adam,
    apply_updates,
    averaged_params,
    chain,
    linear_schedule,
    masked,
    params_ema,
    sgd,
)

EPS = np.finfo(np.float32).eps


def run(tx, w, steps):
    state, path = tx.init(w), [w]
    for step in range(steps):
        updates, state = tx.update(jnp.sin(1.0 + step) * jnp.ones_like(w), state, w)
        w = apply_updates(w, updates)
        path.append(w)
    return w, state, np.array(path, np.float64)


def test_it_is_the_recursion_over_the_parameters_as_they_are_after_each_step():
    w, state, path = run(chain(adam(0.3), params_ema(0.75)), jnp.array([1.0, -4.0]), 6)
    average = path[0]
    for later in path[1:]:
        average = 0.75 * average + 0.25 * later
    # Six times three roundings, of weights up to 4.
    np.testing.assert_allclose(averaged_params(state, w), average, rtol=0, atol=4 * 6 * 3 * EPS)


def test_the_updates_pass_unchanged():
    alone = run(adam(0.3), jnp.array([1.0, -4.0]), 3)[0]
    averaged = run(chain(adam(0.3), params_ema(0.9)), jnp.array([1.0, -4.0]), 3)[0]
    # Three steps of a dozen roundings, of weights up to 4 that come near to zero.
    np.testing.assert_allclose(averaged, alone, rtol=0, atol=4 * 3 * 12 * EPS)


def test_a_decay_that_follows_a_schedule_makes_the_plain_mean():
    # With decay t/(t + 1) the average of the points after each step is their mean.
    from gdlab import schedule

    @schedule
    def mean():
        return lambda count: count / (count + 1)

    w, state, path = run(chain(sgd(0.3), params_ema(mean())), jnp.array([2.0]), 5)
    np.testing.assert_allclose(averaged_params(state, w), path[1:].mean(0), rtol=1e-6)


def test_low_precision_parameters_are_averaged_in_float32_and_read_in_their_dtype():
    w = jnp.array([1.0], jnp.bfloat16)
    tx = chain(sgd(linear_schedule(0.0, 0.0, 1)), params_ema(0.999))
    _, state, _ = run(tx, w, 2)
    found = averaged_params(state, w)
    assert found.dtype == jnp.bfloat16
    assert found == 1
    assert state[1].average.dtype == jnp.float32


def test_it_is_found_wherever_it_stands_and_must_stand_there_once():
    w = {"a": jnp.ones(1), "b": jnp.ones(1)}
    tx = chain(sgd(0.1), chain(params_ema(0.5)))
    assert averaged_params(tx.init(w), w) == {"a": 1.0, "b": 1.0}
    for wrong in (sgd(0.1), chain(params_ema(0.5), params_ema(0.9))):
        with pytest.raises(ValueError, match="expected one params_ema"):
            averaged_params(wrong.init(w), w)
    assert masked(params_ema(0.5), "a").init(w) is not None
