"""Decay that is not scaled: all sizes agree over width, and the learning rate does not transfer.

A matrix W is trained on one input z, whose second half is zero, by sign descent with decoupled
decay. W·z ends within half a step of its target, which costs a square of the rate. The columns that
z does not see are noise that only the decay takes away, and what is held out sees them. So the best
rate η is the one that just suffices for the decay, and with ηλ/m in place of ηλ it moves up with
the width.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, adamw, sweep
from gdlab.scaling import coordinate_check, learning_rate_law, mup

NARROW, WIDE = 16, 128
RATES = 2.0 ** np.arange(-8.0, -2.9, 0.5)


def init(width):
    return lambda key: {"hidden": jax.random.normal(key, (width, width)) / np.sqrt(width)}


def seen(width):
    return jnp.where(jnp.arange(width) < width // 2, 1.0, 0.0)


def held_out(width):
    signs = jax.random.rademacher(jax.random.key(3), (width,), jnp.float32)
    return jnp.where(jnp.arange(width) < width // 2, 1.0, signs)


def loss(params, z):
    return jnp.mean((z @ params["hidden"] - 1.0) ** 2)


def optimizer(parametrization, rate):
    return parametrization.optimizer(adamw(rate, b1=0.0, b2=0.0, eps=0.0, weight_decay=4.0))


def law_of(parametrization):
    results = {
        width: sweep(
            lambda params: loss(params, seen(width)),  # noqa: B023
            init(width),
            optimizer(parametrization, Axis("learning_rate", RATES)),
            steps=60,
            seeds=4,
            evaluate=lambda params: {"held_out": loss(params, held_out(width))},  # noqa: B023
            record_every=60,
            progress=False,
        )
        for width in (NARROW, WIDE)
    }
    return learning_rate_law(results, ["width"], metric="held_out")


@pytest.mark.slow
def test_decay_that_is_not_scaled_passes_the_coordinate_check_and_fails_to_transfer():
    trap = mup(init(NARROW), scale_weight_decay=False)
    z = jnp.ones((1, NARROW))  # of any width: the activation makes its own
    check = coordinate_check(
        lambda params, _: {"hidden": seen(len(params["hidden"])) @ params["hidden"]},
        lambda params, _: loss(params, seen(len(params["hidden"]))),
        {width: trap.init(init(width)) for width in (NARROW, 32, WIDE)},
        optimizer(trap, 2.0**-6.5),
        z,
    )
    assert check.failures() == ()
    (found,) = law_of(trap).transfer()
    assert found.transfers is False
    assert found.shift > 2
    assert found.sentence.startswith("The learning rate drifts: from width 16 to width 128")
    assert found.cost > 1  # the rate of the narrow model more than doubles the loss


@pytest.mark.slow
def test_decay_that_is_scaled_transfers():
    (found,) = law_of(mup(init(NARROW))).transfer()
    assert found.transfers is True
