"""Section 6 of the lecture: what the sources misprint, and what gdlab does instead."""

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import debias, ema
from tests.paths import agree, path_along

pytestmark = pytest.mark.x64


def outputs(tx, values):
    values = jnp.asarray(values)
    return np.diff(path_along(tx, values, jnp.zeros_like(values[0])), axis=0, prepend=0)


def test_second_moments_of_adam_keep_to_their_own_parameter():
    # Printed v2 = beta2*v1 + …, where it is beta2*v2.
    steps = outputs(gdlab.adam(0.1), np.array([[5.0, 1.0], [3.0, -2.0], [0.5, 1.0]]))
    alone = outputs(gdlab.adam(0.1), np.array([[1.0], [-2.0], [1.0]]))
    agree(steps[:, 1:], alone)


def test_third_sum_of_squares_is_281():
    # Printed 200 + (−9)(−19), where it is 200 + (−9)(−9).
    sums = outputs(gdlab.sum_of_squares(), np.array([-10.0, -10.0, -9.0, 9.0]))
    agree(sums, [100, 200, 281, 362])


def test_squares_are_added_to_the_second_moment():
    # Printed v ← (1 − β′)v − β′g², which is never positive; β′ weighs the new value.
    moments = outputs(gdlab.chain(gdlab.square(), ema(1 - 0.1)), np.array([2.0, -1.0]))
    agree(moments, [0.1 * 4, 0.9 * 0.4 + 0.1 * 1])


def test_bias_correction_has_the_power_t():
    # Printed m/(1 − β₁), which is right at the first step alone.
    ones = np.ones(20)
    agree(outputs(debias(ema(0.9)), ones), ones)
    misprinted = outputs(ema(0.9), ones) / (1 - 0.9)
    assert misprinted[0] == pytest.approx(1)
    assert misprinted[1] == pytest.approx(1.9)


@pytest.mark.parametrize("beta", [0.5, 0.9, 0.999])
def test_first_corrected_average_is_the_first_gradient(beta):
    # Of k and k + 1, the exponent is the one that counts this update.
    agree(outputs(debias(ema(beta)), np.array([7.5, 4.0]))[0], 7.5)


def test_gradient_of_the_last_step_enters_momentum_with_one_factor_of_beta():
    # Printed b*b*dJ_dw1 in the sum of two steps, where it is b*dJ_dw1.
    g1, g2, g3, b = 2.0, -3.0, 5.0, 0.9
    agree(
        outputs(gdlab.trace(b), np.array([g1, g2, g3])),
        [g1, b * g1 + g2, b * b * g1 + b * g2 + g3],
    )
