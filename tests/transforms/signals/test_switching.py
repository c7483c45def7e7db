"""A change from one signal to another."""

import jax
import jax.numpy as jnp
import numpy as np

import gdlab


def test_a_switch_takes_the_second_signal_from_a_step_on_and_nothing_of_the_other():
    # The logarithm of a negative number is a NaN, of which nothing is to be seen.
    tx = gdlab.fork(
        gdlab.switch(gdlab.from_step(2)), gdlab.scale(2.0), gdlab.scale_by_schedule(jnp.log)
    )
    state, seen = tx.init(jnp.zeros(1)), []
    for _ in range(4):
        update, state = tx.update(jnp.ones(1), state)
        seen.append(float(update[0]))
    np.testing.assert_allclose(seen, [2, 2, np.log(2), np.log(3)], rtol=1e-6)


def test_a_switch_between_two_steps_is_one_of_the_later_step():
    assert [float(gdlab.from_step(1.5)(t)) for t in range(4)] == [0, 0, 1, 1]
    lanes = jax.vmap(lambda start: gdlab.from_step(start)(2))(jnp.array([1.0, 2.0, 3.0]))
    assert lanes.tolist() == [1, 1, 0]
