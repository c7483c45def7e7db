"""Averages, and the correction for their start at zero."""

from inspect import isfunction

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas
import pytest

from gdlab import (
    bias_correction,
    chain,
    clip_by_global_norm,
    debias,
    delay,
    divide_by_weight,
    ema,
    fork,
    hyperparameters,
    linear_schedule,
    moving_average,
    nesterov_ema,
    ratio,
    scale,
    square,
    trace,
)

RNG = np.random.default_rng(3)
SIGNAL = RNG.normal(size=(30, 4))
BETA = 0.9
# Thirty float64 recursions in another order.
CLOSE = {"rtol": 1e-12, "atol": 1e-14}


def run(tx, signal=SIGNAL):
    def step(state, g):
        out, state = tx.update(g, state, g)
        return state, out

    signal = jnp.asarray(signal)
    return jax.jit(lambda tx: jax.lax.scan(step, tx.init(signal[0]), signal)[1])(tx)


def weighted(weights, signal=SIGNAL):
    """Σₖ weight(k)·signal(t − k), the convolution that a linear filter is."""
    return np.array(
        [sum(weights(k) * signal[t - k] for k in range(t + 1)) for t in range(len(signal))]
    )


@pytest.mark.x64
@pytest.mark.parametrize(
    ("average", "weights"),
    [
        (trace(BETA), lambda k: BETA**k),
        (ema(BETA), lambda k: (1 - BETA) * BETA**k),
        (trace(BETA, nesterov=True), lambda k: (k == 0) + BETA ** (k + 1)),
        (ema(BETA, nesterov=True), lambda k: (1 - BETA) * ((k == 0) + BETA ** (k + 1))),
        (chain(ema(BETA), ema(BETA)), lambda k: (k + 1) * (1 - BETA) ** 2 * BETA**k),
        (chain(ema(BETA), scale(3.0)), lambda k: 3 * (1 - BETA) * BETA**k),
        (moving_average(5), lambda k: (k < 5) / 5),
        (chain(moving_average(2), moving_average(2)), lambda k: [0.25, 0.5, 0.25, *[0] * 27][k]),
    ],
    ids=lambda value: "" if isfunction(value) else repr(value),
)
def test_an_average_weighs_the_past_as_its_impulse_response_says(average, weights):
    np.testing.assert_allclose(run(average), weighted(weights), **CLOSE)
    total = np.cumsum([weights(k) for k in range(len(SIGNAL))])[:, None]
    np.testing.assert_allclose(run(debias(average)), weighted(weights) / total, **CLOSE)


@pytest.mark.x64
def test_a_lagged_average_is_the_average_one_step_late_with_no_array_more():
    late = run(ema(BETA, lagged=True))
    np.testing.assert_allclose(late, run(chain(ema(BETA), delay())), **CLOSE)
    np.testing.assert_allclose(run(ema(BETA, True, lagged=True)), run(ema(BETA)), **CLOSE)
    start = ema(BETA, lagged=True).init(jnp.asarray(SIGNAL[0]))
    assert len(jax.tree.leaves(start)) == 1


@pytest.mark.x64
@pytest.mark.parametrize(
    "average",
    [
        ema(BETA),
        trace(BETA),
        ema(BETA, nesterov=True),
        chain(ema(BETA), ema(0.5)),
        chain(trace(0.5), scale(0.1), ema(BETA)),
        ema(linear_schedule(0.2, 0.99, 20)),
        moving_average(7),
        fork(jnp.subtract, chain(ema(0.9), scale(3.0)), ema(0.5)),
    ],
    ids=repr,
)
def test_a_debiased_average_of_a_constant_is_the_constant(average):
    constant = np.ones((60, 2)) * [3.0, -7.0]
    np.testing.assert_allclose(run(debias(average), constant), constant, rtol=1e-12)


@pytest.mark.x64
def test_debiasing_removes_the_gain_so_trace_and_ema_agree():
    np.testing.assert_allclose(run(debias(trace(BETA))), run(debias(ema(BETA))), **CLOSE)
    np.testing.assert_allclose(
        run(debias(chain(ema(BETA), scale(5.0)))), run(debias(ema(BETA))), **CLOSE
    )


@pytest.mark.x64
def test_debiasing_twice_is_debiasing_once():
    np.testing.assert_allclose(run(debias(debias(ema(BETA)))), run(debias(ema(BETA))), **CLOSE)


@pytest.mark.x64
def test_for_ema_the_correction_is_one_minus_the_power():
    weights = 1 - BETA ** np.arange(1, 31)[:, None]
    np.testing.assert_allclose(run(debias(ema(BETA))), run(ema(BETA)) / weights, **CLOSE)


@pytest.mark.usually(dtype_promotion="optax mixes dtypes")
def test_for_ema_the_corrected_average_is_optaxs():
    theirs = optax.ema(BETA, debias=True)
    ours = run(debias(ema(BETA)))
    state = theirs.init(jnp.zeros(4))
    for t, g in enumerate(SIGNAL):
        expected, state = theirs.update(jnp.asarray(g), state)
        # optax's 1 − βᵗ cancels in float32.
        np.testing.assert_allclose(ours[t], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.x64
def test_a_decay_that_follows_a_schedule_is_corrected_by_the_product_of_its_values():
    decay = 0.5 + 0.49 * np.minimum(np.arange(30) / 10, 1)
    m, product, expected = np.zeros(4), 1.0, []
    for beta, g in zip(decay, SIGNAL, strict=True):
        m = beta * m + (1 - beta) * g
        product *= beta
        expected.append(m / (1 - product))
    np.testing.assert_allclose(run(debias(ema(linear_schedule(0.5, 0.99, 10)))), expected, **CLOSE)


@pytest.mark.x64
def test_debias_and_the_average_share_one_decay_which_is_the_only_number():
    assert hyperparameters(debias(ema(0.9))) == {"average.decay": 0.9}


def test_a_rule_for_the_whole_tree_cannot_be_debiased():
    with pytest.raises(TypeError, match="debias: average must be a linear average"):
        debias(chain(ema(0.9), clip_by_global_norm(1.0)))


CORRECTED = {
    "debias": lambda decay: debias(ema(decay)),
    "divide_by_weight": lambda decay: chain(ema(decay), divide_by_weight(decay)),
}


@pytest.mark.parametrize("corrected", CORRECTED.values(), ids=CORRECTED)
@pytest.mark.parametrize("decay", [0.9, 0.999, 0.99999])
def test_in_float32_the_correction_is_exact_to_rounding_from_the_first_step(decay, corrected):
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(1000, 4)).astype(np.float32)
    beta = float(np.float32(decay))
    m, expected = np.zeros(4), []
    for t, g in enumerate(signal.astype(np.float64), 1):
        m = beta * m + (1 - beta) * g
        expected.append(m / (1 - beta**t))
    found = run(corrected(decay), signal)
    # The uncorrected average and its weight each gather some roundings of 6e-8; 1 − βᵗ computed
    # in float32 would be off by 7e-4 at 0.99999.
    np.testing.assert_allclose(found, expected, rtol=0, atol=4e-6 * np.abs(expected).max())


@pytest.mark.parametrize("corrected", CORRECTED.values(), ids=CORRECTED)
@pytest.mark.parametrize("decay", [0.999, 0.99999])
@pytest.mark.usually(enable_x64="its formula has the decay of float32")
def test_after_forty_thousand_steps_the_weight_has_not_stalled(decay, corrected):
    tx = corrected(decay)
    state = tx.init(jnp.zeros(()))

    def step(state, _):
        return tx.update(jnp.ones(()), state)[1], None

    state, _ = jax.jit(lambda state: jax.lax.scan(step, state, length=40_000))(state)
    out, _ = tx.update(jnp.zeros(()), state)
    beta = float(np.float32(decay))
    t = 40_001
    expected = (beta - beta**t) / (1 - beta**t)
    # The average itself stalls within a few roundings of 1; a stalled weight was off by 1.6e-5.
    stored = float(state.ema)
    corrected = float(out) / (beta * stored) * (1 - beta**t)
    assert corrected == pytest.approx(1.0, abs=3e-6)
    assert expected == pytest.approx(float(out), rel=1e-3)


@pytest.mark.x64
def test_one_scalar_corrects_uncorrected_adam_as_kingma_and_ba_say():
    b1, b2, eps = 0.9, 0.99, 1e-3
    efficient = chain(fork(ratio(eps), ema(b1), chain(square(), ema(b2))), bias_correction(b1, b2))
    # ε̂ beside the uncorrected root is ε·√(1 − b2ᵗ) beside the corrected one.
    m, v, expected = np.zeros(4), np.zeros(4), []
    for t, g in enumerate(SIGNAL, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        corrected = np.sqrt(v / (1 - b2**t)) + eps / np.sqrt(1 - b2**t)
        expected.append(m / (1 - b1**t) / corrected)
    np.testing.assert_allclose(run(efficient), expected, **CLOSE)


@pytest.mark.x64
def test_the_average_of_nadam_is_dozats():
    m, expected = np.zeros(4), []
    for t, g in enumerate(SIGNAL, 1):
        m = BETA * m + (1 - BETA) * g
        expected.append(BETA * m / (1 - BETA ** (t + 1)) + (1 - BETA) * g / (1 - BETA**t))
    np.testing.assert_allclose(run(nesterov_ema(BETA)), expected, **CLOSE)


@pytest.mark.x64
def test_an_average_may_start_elsewhere_than_at_zero():
    started = run(ema(BETA, initial_value=2.0)) - run(ema(BETA))
    np.testing.assert_allclose(started, 2 * BETA ** np.arange(1, 31)[:, None] * np.ones(4), **CLOSE)


@pytest.mark.parametrize("average", [trace(0.5), ema(0.5)], ids=repr)
def test_what_an_average_is_stored_in_is_a_choice(average):
    make = trace if "trace" in repr(average) else ema
    g = jnp.ones(2, jnp.bfloat16)
    (default,) = jax.tree.leaves(make(0.5).init(g))
    (chosen,) = jax.tree.leaves(make(0.5, accumulator_dtype="bfloat16").init(1.0 * g))
    assert (default.dtype, chosen.dtype) == (jnp.float32, jnp.bfloat16)


def test_a_moving_average_is_that_of_a_window_in_pandas():
    theirs = pandas.DataFrame(SIGNAL).rolling(4, min_periods=1).mean().to_numpy()
    np.testing.assert_allclose(run(debias(moving_average(4))), theirs, rtol=1e-5, atol=1e-6)


def test_a_window_without_values_is_refused():
    with pytest.raises(ValueError, match=r"window must be a whole number between 1 .*, not 0"):
        moving_average(0)
