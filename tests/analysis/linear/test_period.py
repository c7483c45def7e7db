"""Methods whose steps differ over a period, against closed forms and simulations in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import Axis, accumulate, chain, ema, scale, sgd
from gdlab.analysis import (
    averaging_window,
    best_hyperparameters,
    circuit,
    cutoff_frequency,
    dc_gain,
    expected_loss,
    frequency_response,
    half_life,
    impulse_response,
    linearize,
    noise_gain,
    preconditioned_sharpness,
    rate,
    regime_map,
    root_locus,
    sharpness_limit,
    stable_range,
    stationary_variance,
    track,
)
from tests.analysis.linear.periodic import (
    hold,
    lookahead,
    noisy,
    own_key,
    probed_curvature,
    refreshed_rms,
)
from tests.paths import path_down
from tests.sweeps.counting import count_compilations

# Simulations: plain loops over steps in NumPy, in float64.


def accumulated_run(eta, k, curvature, w, steps, beta=0.0):
    path, summed, velocity = [w], 0.0, 0.0
    for t in range(1, steps + 1):
        summed = summed + curvature * w
        if t % k == 0:
            velocity = beta * velocity + summed / k
            w, summed = w - eta * velocity, 0.0
        path.append(w)
    return np.array(path)


def accumulated_before_momentum_run(eta, beta, k, curvature, w, steps):
    path, summed, velocity = [w], 0.0, 0.0
    for t in range(1, steps + 1):
        summed = summed + curvature * w
        velocity = beta * velocity + (summed / k if t % k == 0 else 0.0)
        summed = 0.0 if t % k == 0 else summed
        w = w - eta * velocity
        path.append(w)
    return np.array(path)


def lookahead_run(eta, slow_step, k, curvature, w, steps, beta=0.0):
    path, slow, velocity = [w], w, 0.0
    for t in range(1, steps + 1):
        velocity = beta * velocity + curvature * w
        w = w - eta * velocity
        if t % k == 0:
            slow = slow + slow_step * (w - slow)
            w = slow
        path.append(w)
    return np.array(path)


def held_run(eta, beta, k, curvature, w, steps):
    path, average = [w], 0.0
    for t in range(steps):
        if t % k == 0:
            average = beta * average + (1 - beta) * curvature * w
        w = w - eta * average
        path.append(w)
    return np.array(path)


SIMULATED = {
    "accumulation": (
        accumulate(sgd(0.3), 4),
        lambda curvature, w, steps: accumulated_run(0.3, 4, curvature, w, steps),
    ),
    "accumulation with momentum": (
        accumulate(sgd(0.3, 0.8), 3),
        lambda curvature, w, steps: accumulated_run(0.3, 3, curvature, w, steps, 0.8),
    ),
    "accumulation within a chain": (
        chain(accumulate(scale(1.0), 3), scale(-0.3)),
        lambda curvature, w, steps: accumulated_run(0.3, 3, curvature, w, steps),
    ),
    "accumulation before momentum": (
        chain(accumulate(scale(1.0), 3), sgd(0.2, 0.6)),
        lambda curvature, w, steps: accumulated_before_momentum_run(
            0.2, 0.6, 3, curvature, w, steps
        ),
    ),
    "lookahead": (
        lookahead(sgd(0.3), 0.5, 5),
        lambda curvature, w, steps: lookahead_run(0.3, 0.5, 5, curvature, w, steps),
    ),
    "lookahead with momentum": (
        lookahead(sgd(0.3, 0.7), 0.4, 6),
        lambda curvature, w, steps: lookahead_run(0.3, 0.4, 6, curvature, w, steps, 0.7),
    ),
    "lookahead whose count starts over": (
        lookahead(sgd(0.3), 0.5, 5, starts_over=True),
        lambda curvature, w, steps: lookahead_run(0.3, 0.5, 5, curvature, w, steps),
    ),
    "held average": (
        chain(hold(ema(0.9), 3), scale(-0.3)),
        lambda curvature, w, steps: held_run(0.3, 0.9, 3, curvature, w, steps),
    ),
    "held average of period 1": (
        chain(hold(ema(0.9), 1), scale(-0.3)),
        lambda curvature, w, steps: held_run(0.3, 0.9, 1, curvature, w, steps),
    ),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", SIMULATED)
def test_iterates_and_rate_are_those_of_a_simulation(name):
    tx, run = SIMULATED[name]
    spectrum, start = np.array([0.2, 1.0, 5.0]), np.array([1.0, -2.0, 0.5])
    found = linearize(tx, spectrum)
    simulated = np.stack(
        [run(curvature, w, 61) for curvature, w in zip(spectrum, start, strict=True)], axis=1
    )
    np.testing.assert_allclose(found.simulate(start, 61), simulated, rtol=1e-11, atol=1e-13)
    for mode, curvature in enumerate(spectrum):
        # The envelope of oscillating modes shrinks by ρ per step; where in a swing the maxima stand
        # counts for less than a factor of 3.
        path = np.abs(run(curvature, 1.0, 1800))
        early, late = np.max(path[600:700]), np.max(path[1700:])
        slope = (late / early) ** (1 / 1100)
        np.testing.assert_allclose(found.spectral_radius[mode], slope, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", SIMULATED)
def test_iterates_are_those_of_its_own_code(name):
    tx, _ = SIMULATED[name]
    with jax.enable_x64(True):
        path = path_down(tx, lambda w: 1.7 * w, jnp.ones(()), 40)
    simulated = linearize(tx, 1.7).simulate(1.0, 40)
    np.testing.assert_allclose(simulated, np.ravel(path), rtol=1e-11, atol=1e-13)


# Closed forms


@pytest.mark.sampled(1)
@pytest.mark.parametrize("k", [1, 2, 5, 64])
def test_accumulation_moves_once_in_a_period_by_one_minus_eta_lambda(k):
    for eta, curvature in ((0.1, 1.0), (0.7, 2.0), (1.2, 2.0)):
        found = linearize(accumulate(sgd(eta), k), curvature)
        assert found.period == k
        factor = 1 - eta * curvature
        np.testing.assert_allclose(found.poles[0], factor, rtol=1e-13)
        np.testing.assert_allclose(found.spectral_radius, abs(factor) ** (1 / k), rtol=1e-13)
    low, high = stable_range(accumulate(sgd(0.1), k), 4.0)
    assert low == 0
    assert high == pytest.approx(0.5, rel=1e-13)
    assert sharpness_limit(accumulate(sgd(0.1), k)) == pytest.approx(20.0, rel=1e-13)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("starts_over", [False, True])
@pytest.mark.parametrize("k", [2, 5, 64])
def test_lookahead_has_the_factor_of_its_slow_weights(k, starts_over):
    for eta, a in ((0.02, 0.5), (1.3, 0.3)):
        found = linearize(lookahead(sgd(eta), a, k, starts_over), 1.0)
        factor = 1 - a + a * (1 - eta) ** k
        assert found.period == k
        np.testing.assert_allclose(found.poles[0], factor, rtol=1e-12)
        np.testing.assert_allclose(found.spectral_radius, factor ** (1 / k), rtol=1e-12)


def test_lookahead_is_stable_beyond_the_limit_of_its_fast_steps_if_their_number_is_even():
    for k, a in ((4, 0.5), (5, 0.5)):
        # 1 − a + a·(1 − ηλ)ᵏ = −1 for an odd k, and 1 for an even one
        edge = 2.0 if k % 2 == 0 else 1 + (2 / a - 1) ** (1 / k)
        high = stable_range(lookahead(sgd(0.1), a, k), 1.0)[1]
        assert high == pytest.approx(edge, rel=1e-12)
        for eta, grows in ((0.999 * edge, False), (1.001 * edge, True)):
            path = np.abs(lookahead_run(eta, a, k, 1.0, 1.0, 4000))
            assert (path[-k:].max() > path[:k].max()) == grows


@pytest.mark.slow
def test_periods_of_nested_methods_multiply():
    # Each of the five fast steps of a period sees the mean of four gradients.
    found = linearize(accumulate(lookahead(sgd(0.3), 0.5, 5), 4), 1.0)
    assert found.period == 20
    np.testing.assert_allclose(found.poles[0], 0.5 + 0.5 * 0.7**5, rtol=1e-13)
    both = linearize(chain(accumulate(scale(1.0), 2), accumulate(sgd(0.3), 3)), 1.0)
    # Out of six calls the second accumulation hears three gradients, and three zeros.
    assert both.period == 6


@pytest.mark.slow
def test_rates_are_per_step():
    tx = accumulate(sgd(2 / 11), 3)
    assert rate(tx, 1.0, 10.0) == pytest.approx((9 / 11) ** (1 / 3), rel=1e-12)
    best = best_hyperparameters(accumulate(sgd(0.1), 3), 1.0, 10.0, ("learning_rate",))
    assert best["learning_rate"] == pytest.approx(2 / 11, rel=1e-6)
    etas = [0.5, 1.5, 2.5]
    found = regime_map(accumulate(sgd(Axis("learning_rate", etas)), 3), 1.0)
    np.testing.assert_allclose(found.rate, np.abs(1 - np.array(etas)) ** (1 / 3), rtol=1e-12)
    assert found.regime.tolist() == ["monotone", "oscillating", "divergent"]
    locus = root_locus(accumulate(sgd(Axis("learning_rate", etas)), 3), 1.0)
    np.testing.assert_allclose(locus.poles[:, 0], 1 - np.array(etas), rtol=1e-12)


def test_the_matrix_of_a_period_is_the_product_of_those_of_its_steps():
    for curvature in (1.0, [1.0, 3.0], np.array([[2.0, 1.0], [1.0, 3.0]])):
        found = linearize(lookahead(sgd(0.3, 0.7), 0.4, 3), curvature)
        first, second, third = found.step_matrices
        np.testing.assert_allclose(found.matrix, third @ second @ first, rtol=1e-14)
    assert linearize(sgd(0.3, 0.7), 1.0).step_matrices.shape == (1, 2, 2)


@pytest.mark.slow
def test_noise_that_stays_through_a_period_comes_in_as_the_period_takes_it():
    assert linearize(accumulate(sgd(0.3), 4), 2.0).input[-1, 0] == pytest.approx(-0.3, rel=1e-14)
    # w ← 0.7w − 0.3ξ, k times, and half of the way
    pushed = -0.3 * np.sum(0.7 ** np.arange(5)) / 2
    found = linearize(lookahead(sgd(0.3), 0.5, 5), 1.0).input[-1, 0]
    assert found == pytest.approx(pushed, rel=1e-13)


# Adaptive methods over a period


@pytest.mark.slow
def test_adaptive_methods_see_the_mean_of_a_period_in_the_limit():
    tx = accumulate(gdlab.adam(0.1, 0.8, eps=0.0), 4)
    found = linearize(tx, 3.0, gradient_rms=2.5)
    alone = linearize(gdlab.adam(0.1, 0.8, eps=0.0), 3.0, gradient_rms=2.5)
    np.testing.assert_allclose(found.poles[:2], alone.poles, rtol=1e-9)
    assert sharpness_limit(tx) == pytest.approx(2 * 1.8 / 0.2 / 0.1, rel=1e-9)


@pytest.mark.slow
def test_at_a_step_the_period_begins_with_it():
    inner = gdlab.adam(0.1, 0.8, 0.9)
    for t, inner_step in ((1, 1), (4, 2), (7, 3), (3001, 1001)):
        found = linearize(accumulate(inner, 3), 3.0, step=t, gradient_rms=2.0)
        alone = linearize(inner, 3.0, step=inner_step, gradient_rms=2.0)
        np.testing.assert_allclose(found.poles[:2], alone.poles, rtol=1e-9)


@pytest.mark.slow
def test_at_a_state_the_period_ends_with_it():
    inner = gdlab.adam(0.1, 0.8, 0.9)
    with jax.enable_x64(True):
        w = jnp.zeros(2)
        tx, gradients = accumulate(inner, 2), np.random.default_rng(0).normal(size=(7, 2))
        state, own = tx.init(w), inner.init(w)
        for first, second in gradients[:6].reshape(3, 2, 2):
            _, state = tx.update(jnp.asarray(first), state, w)
            _, state = tx.update(jnp.asarray(second), state, w)
            _, own = inner.update(jnp.asarray((first + second) / 2), own, w)
        _, later = tx.update(jnp.asarray(gradients[6]), state, w)
        alone = linearize(inner, [1.0, 3.0], state=own)
        for at in (state, later):
            found = linearize(tx, [1.0, 3.0], state=at)
            assert found.period == 2
            np.testing.assert_allclose(found.poles[:4], alone.poles, rtol=1e-9)


def test_slow_weights_of_an_adaptive_method_converge_as_they_do_in_numpy():
    eta, b1, b2, k, a = 0.05, 0.8, 0.9, 4, 0.6
    found = linearize(lookahead(gdlab.adam(eta, b1, b2, eps=0.0), a, k), 2.0)
    # With v = 1 and no correction left: m ← b1·m + (1 − b1)g, w ← w − ηm.
    path, w, slow, m = [1.0], 1.0, 1.0, 0.0
    for t in range(1, 81):
        m = b1 * m + (1 - b1) * 2.0 * w
        w = w - eta * m
        if t % k == 0:
            w = slow = slow + a * (w - slow)
        path.append(w)
    np.testing.assert_allclose(found.simulate(1.0, 80), path, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_scales_that_are_refreshed_now_and_then_are_held_in_between():
    tx = chain(refreshed_rms(0.9, 4), scale(-0.2))
    found = linearize(tx, 3.0, gradient_rms=2.5)
    assert found.period == 4
    assert found.spectral_radius == pytest.approx(1 - 0.2 * 3 / 2.5, rel=1e-9)
    # After the first update v = 0.1·2.5², and it stays until the fifth.
    early = linearize(tx, 3.0, gradient_rms=2.5, step=1)
    assert early.spectral_radius == pytest.approx(1 - 0.2 * 3 / 2.5 / np.sqrt(0.1), rel=1e-9)


# Noise


@pytest.mark.slow
def test_expected_loss_of_a_periodic_method_is_the_mean_over_runs():
    eta, k, steps, runs = 0.4, 3, 20, 40_000
    expected = expected_loss(accumulate(sgd(eta), k), 1.5, 2.0, steps, noise=0.7)
    rng, w, summed = np.random.default_rng(0), np.full(runs, 2.0), 0.0
    losses = [0.75 * np.mean(w**2)]
    for t in range(1, steps + 1):
        summed = summed + 1.5 * w + 0.7 * rng.normal(size=runs)
        if t % k == 0:
            w, summed = w - eta * summed / k, 0.0
        losses.append(0.75 * np.mean(w**2))
    np.testing.assert_allclose(expected.total, losses, rtol=0.03)
    variance = 0.0
    for t in range(1, steps + 1):
        if t % k == 0:
            variance = (1 - eta * 1.5) ** 2 * variance + eta**2 * 0.7**2 / k
        assert expected.stochastic[t] == pytest.approx(0.75 * variance, rel=1e-12)


def test_impulse_response_is_what_comes_out_from_the_start():
    np.testing.assert_array_equal(impulse_response(accumulate(scale(1.0), 2), 4), [0, 0.5, 0, 0])


# What is refused, by name


@pytest.mark.parametrize(
    "function",
    [frequency_response, cutoff_frequency, dc_gain, half_life, noise_gain, averaging_window],
)
def test_a_part_with_a_period_is_no_filter(function):
    for tx in (accumulate(scale(1.0), 4), hold(ema(0.9), 4)):
        name = repr(tx).split("(")[0]
        with pytest.raises(ValueError, match=rf"{name}.* has no frequency response.* period of 4"):
            function(tx)


def test_a_method_with_a_period_has_no_circuit_and_no_stationary_variance():
    with pytest.raises(ValueError, match=r"no circuit is like accumulate.*period of 4"):
        circuit(accumulate(sgd(0.1), 4), 1.0)
    with pytest.raises(ValueError, match=r"accumulate.* has no variance that stays.*period of 4"):
        stationary_variance(accumulate(sgd(0.1), 4), 1.0, noise=1.0)


def test_a_method_with_a_period_has_no_preconditioner_at_every_step():
    tx, w = accumulate(gdlab.rmsprop(0.1), 2), jnp.ones(2)
    _, state = tx.update(w, tx.init(w), w)
    with pytest.raises(ValueError, match=r"accumulate.* has no preconditioner.*period of 2"):
        preconditioned_sharpness(lambda w: jnp.sum(w**2), w, tx, state)
    with pytest.warns(RuntimeWarning, match=r"no threshold: accumulate.*period of 2"):
        track(lambda w: jnp.sum(w**2), w, tx, 4, every=2)


def test_an_accumulated_gradient_descent_is_tracked_against_its_threshold():
    tracked = track(lambda w: jnp.sum(w**2), jnp.ones(2), accumulate(sgd(0.1), 2), 4, every=2)
    np.testing.assert_allclose(tracked.threshold, 20.0, rtol=1e-12)


def test_a_hyperparameter_that_sets_the_period_is_not_moved():
    for tx, name in ((accumulate(sgd(0.1), 4), "steps"), (lookahead(sgd(0.1), 0.5, 4), "every")):
        with pytest.raises(ValueError, match=rf"the period of .* changes with {name}"):
            stable_range(tx, 1.0, name)
    tx = lookahead(sgd(0.1), 0.5, Axis("every", [2, 3, 2], along="period"))
    with pytest.raises(ValueError, match=r"the period of .* changes with every"):
        regime_map(tx, 1.0)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("k", [65, 100, 900])
@pytest.mark.parametrize(
    ("make", "counter"),
    [
        (lambda k: accumulate(sgd(0.1), k), "micro_step"),
        (lambda k: lookahead(sgd(0.1), 0.5, k), "lookahead.count"),
        (lambda k: lookahead(sgd(0.1), 0.5, k, starts_over=True), "lookahead.count"),
        (lambda k: chain(sgd(0.1, 0.9), lookahead(gdlab.adam(0.1), 0.5, k)), "lookahead.count"),
    ],
)
def test_a_long_period_is_refused_by_its_counter(make, counter, k):
    with pytest.raises(ValueError, match=f"the counter {counter}, and does not repeat within 64"):
        linearize(make(k), 1.0)
    with pytest.raises(ValueError, match=f"the counter {counter}, and does not repeat within 64"):
        linearize(make(k), 1.0, step=3)


def wave(period):
    return lambda count: 0.4 + 0.3 * jnp.cos(2 * jnp.pi * count / period)


@pytest.mark.slow
def test_a_schedule_that_repeats_has_a_period_and_one_with_a_long_period_needs_a_step():
    found = linearize(sgd(wave(10)), 1.0)
    factors = np.asarray(1 - wave(10)(np.arange(10.0)), np.float64)
    assert found.period == 10
    assert found.spectral_radius == pytest.approx(np.prod(factors) ** 0.1, rel=1e-6)
    with pytest.raises(ValueError, match=r"the counter .*count, .* name a step="):
        linearize(sgd(wave(100)), 1.0)
    loss = expected_loss(sgd(wave(100)), 1.0, 2.0, 60, noise=0.0).total
    np.testing.assert_allclose(
        loss[-1], 2 * np.prod(1 - wave(100)(np.arange(60.0))) ** 2, rtol=1e-4
    )
    assert stable_range(sgd(wave(100), 0.5), 1.0, "momentum", step=26) == (0, pytest.approx(1.0))
    at_a_step = linearize(sgd(wave(100)), 1.0, step=26)
    assert at_a_step.period == 1
    assert at_a_step.poles[0] == pytest.approx(0.6, abs=1e-6)


def test_at_a_step_of_an_endless_schedule_the_period_of_the_rest_is_followed():
    found = linearize(lookahead(sgd(wave(100)), 0.5, 5), 1.0, step=11)
    assert found.period == 5
    fast = np.prod(1 - np.asarray(wave(100)(np.arange(10.0, 15.0)), np.float64))
    np.testing.assert_allclose(found.poles[0], 0.5 + 0.5 * fast, rtol=1e-6)
    with pytest.raises(ValueError, match=r"does not repeat within 64 steps"):
        linearize(lookahead(sgd(wave(100)), 0.5, 70), 1.0, step=11)


def test_schedules_that_end_or_decay_have_no_period():
    for schedule in (
        gdlab.cosine_decay_schedule(0.1, 50),
        gdlab.exponential_decay(0.1, 10, 0.5),
        lambda count: 0.1 / (1 + count),
        lambda count: 0.1 / jnp.sqrt(1 + count),
    ):
        assert linearize(sgd(schedule, 0.9), 1.0).period == 1


# Keys


@pytest.mark.parametrize(
    ("tx", "curvature"),
    [
        (chain(noisy(0.1), sgd(0.1)), 1.0),
        (chain(sgd(0.1, 0.9), noisy(0.1)), [1.0, 2.0]),
        (chain(probed_curvature(), sgd(0.1)), np.array([[2.0, 1.0], [1.0, 3.0]])),
    ],
    ids=["input", "output", "curvature"],
)
def test_a_method_that_depends_on_the_key_of_the_step_is_refused_as_random(tx, curvature):
    with pytest.raises(ValueError, match=r"chain\(.*updates are random.*key of the step"):
        linearize(tx, curvature)


def test_a_key_that_changes_nothing_does_no_harm():
    with_key = linearize(chain(noisy(0.0), sgd(0.1, 0.9)), 1.0)
    np.testing.assert_array_equal(with_key.matrix, linearize(sgd(0.1, 0.9), 1.0).matrix)
    # Along one weight Hutchinson's estimate is exact: w ← (1 − ηλ²)w.
    assert linearize(chain(probed_curvature(), sgd(0.1)), 3.0).poles[0] == pytest.approx(0.1)


def test_a_key_in_the_state_is_refused_as_random():
    with pytest.raises(ValueError, match=r"is random, since its state own_key is a PRNG key"):
        linearize(chain(own_key(), sgd(0.1)), 1.0)


def test_a_random_part_is_no_filter():
    for function in (frequency_response, lambda tx: impulse_response(tx, 4)):
        with pytest.raises(ValueError, match=r"noisy\(0.1\).*random"):
            function(noisy(0.1))


def test_other_hyperparameters_compile_nothing_over_the_same_period():
    linearize(lookahead(sgd(0.3), 0.5, 5), 1.0)
    stable_range(accumulate(sgd(0.3), 5), 1.0)

    def again():
        linearize(lookahead(sgd(0.1), 0.3, 5), 2.0)
        stable_range(accumulate(sgd(0.1), 5), 2.0)

    assert count_compilations(again) == 0
