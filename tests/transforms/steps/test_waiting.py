"""A transformation that does not see the first steps."""

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import GRADS, STEPS, agree

pytestmark = pytest.mark.x64


def outputs(tx, grads):
    state, every = tx.init(jnp.zeros(5)), []
    for gradient in jnp.asarray(grads):
        update, state = tx.update(gradient, state)
        every.append(np.asarray(update))
    return np.stack(every)


@pytest.mark.parametrize("inner", [gdlab.scale_by_adam(), gdlab.nesterov_ema(0.9)])
def test_what_waits_starts_afresh_after_the_steps_that_it_waits(inner):
    late = outputs(gdlab.wait(inner, 3), GRADS[:12])
    assert not late[:3].any()
    agree(late[3:], outputs(inner, GRADS[3:12]))
    agree(outputs(gdlab.wait(inner, 0), GRADS[:12]), outputs(inner, GRADS[:12]))


def test_a_schedule_inside_counts_all_steps():
    # It is that of the whole method, which takes them all.
    table = gdlab.linear_schedule(1.0, 0.0, STEPS)
    late = outputs(gdlab.wait(gdlab.scale(table), 2), np.ones((4, 5)))
    agree(late[:, 0], [0, 0, float(table(2)), float(table(3))])


def test_a_rule_for_the_tree_is_refused():
    with pytest.raises(TypeError, match="wait takes a transformation of each array"):
        gdlab.wait(gdlab.clip_by_global_norm(1.0))
