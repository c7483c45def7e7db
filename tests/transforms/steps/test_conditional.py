"""Transformations that act at some steps only."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gdlab import conditionally_mask, conditionally_transform, leafwise, linear_schedule, sgd

GRADS = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)), jnp.float32)


def every_third(step):
    return step % 3 == 1


def downhill(step, value):
    del step
    return value < 0.5


def stepped(tx, values=None):
    state, every = tx.init(GRADS[0]), []
    for step, g in enumerate(GRADS):
        extra = {} if values is None else {"value": values[step]}
        updates, state = tx.update(g, state, GRADS[0], **extra)
        every.append(updates)
    return np.stack(every), state


@pytest.mark.parametrize("name", ["conditionally_transform", "conditionally_mask"])
@pytest.mark.parametrize("with_value", [False, True])
def test_it_agrees_with_optax(name, with_value):
    ours = {
        "conditionally_transform": conditionally_transform,
        "conditionally_mask": conditionally_mask,
    }
    condition = downhill if with_value else every_third
    values = jnp.array([0.0, 1.0, 0.2, 0.3, 2.0, 0.0]) if with_value else None
    one, _ = stepped(ours[name](sgd(0.1, 0.9), condition, with_value), values)
    theirs = getattr(optax.transforms, name)(optax.sgd(0.1, 0.9), condition, with_value)
    np.testing.assert_allclose(one, stepped(theirs, values)[0], rtol=1e-6)


def test_the_inner_transformation_runs_at_its_steps_alone_and_its_schedules_with_it():
    runs = []

    @leafwise
    def spy():
        def update(u):
            jax.debug.callback(lambda: runs.append(1))
            return u

        return update

    stepped(conditionally_mask(spy(), every_third))
    jax.effects_barrier()
    assert len(runs) == 2
    tx = conditionally_mask(sgd(linear_schedule(1.0, 0.0, 2)), every_third)
    every, state = stepped(tx)
    np.testing.assert_allclose(every[[1, 4]], [-GRADS[1], -0.5 * GRADS[4]], rtol=1e-6)
    assert (state.step, state.inner_state.count) == (6, 2)
