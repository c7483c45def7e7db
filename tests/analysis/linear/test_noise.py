"""The loss that gradient noise leaves, against closed forms, NumPy's own runs and gdlab's."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.analysis import expected_loss, linearize, stationary_variance
from tests.sweeps.counting import count_compilations

CURVATURE = 3.0
RUNS = 20_000


def test_stationary_variances_are_the_closed_forms():
    s = 2.0
    for eta in (0.01, 0.3, 0.6):
        law = eta * s**2 / (CURVATURE * (2 - eta * CURVATURE))
        assert stationary_variance(gdlab.sgd(eta), CURVATURE, noise=s) == pytest.approx(law)
        for beta in (0.0, 0.5, 0.9, 0.99):
            law = eta * s**2 * (1 + beta)
            law /= CURVATURE * (1 - beta) * (2 * (1 + beta) - eta * CURVATURE)
            heavy = gdlab.sgd(eta, beta)
            averaged = gdlab.sgd(eta / (1 - beta), beta, averaging=True)
            for tx in (heavy, averaged):
                found = stationary_variance(tx, CURVATURE, noise=s)
                assert found == pytest.approx(law, rel=1e-9)


def test_each_mode_has_its_own_variance_and_an_unstable_one_has_none():
    found = stationary_variance(gdlab.sgd(0.5), [1.0, 2.0, 5.0], noise=[1.0, 3.0, 1.0])
    np.testing.assert_allclose(found, [0.5 / 1.5, 4.5 / 2.0, np.inf])
    assert stationary_variance(gdlab.sgd(2.0), 1.0, noise=1.0) == np.inf


def test_expected_loss_of_gradient_descent_is_the_geometric_sum():
    eta, s, k = 0.2, 1.5, np.arange(31)
    factor = 1 - eta * CURVATURE
    loss = expected_loss(gdlab.sgd(eta), CURVATURE, 2.0, 30, noise=s)
    np.testing.assert_allclose(loss.deterministic, CURVATURE / 2 * (2.0 * factor**k) ** 2)
    variance = eta**2 * s**2 * (1 - factor ** (2 * k)) / (1 - factor**2)
    np.testing.assert_allclose(loss.stochastic, CURVATURE / 2 * variance, atol=1e-16)
    np.testing.assert_allclose(loss.total, loss.deterministic + loss.stochastic)


@pytest.mark.parametrize(
    "tx",
    [gdlab.sgd(0.1, 0.8), gdlab.sgd(0.1, 0.8, nesterov=True), gdlab.nesterov(0.1, 0.8)],
    ids=["heavy ball", "Nesterov", "look-ahead"],
)
def test_loss_in_the_end_is_that_of_the_stationary_variance(tx):
    spectrum = np.array([0.5, 4.0])
    loss = expected_loss(tx, spectrum, [1.0, -1.0], 400, noise=[0.3, 2.0])
    variance = stationary_variance(tx, spectrum, noise=[0.3, 2.0])
    assert loss.stochastic[-1] == pytest.approx(spectrum @ variance / 2, rel=1e-6)
    assert loss.deterministic[-1] < 1e-6
    path = linearize(tx, spectrum).simulate([1.0, -1.0], 400)
    np.testing.assert_allclose(loss.deterministic, path**2 @ spectrum / 2, atol=1e-14)


def numpy_runs(rule, spectrum, start, steps, deviation, seed=0):
    """Losses (steps + 1, RUNS) of a rule written here: ``rule(t, gradient, w, memory)``."""
    rng = np.random.default_rng(seed)
    w = np.repeat(np.reshape(start, (1, -1)), RUNS, 0)
    memory, losses = np.zeros_like(w), [w**2 @ spectrum / 2]
    for t in range(1, steps + 1):
        noise = deviation * rng.normal(size=w.shape)
        w, memory = rule(t, lambda at, noise=noise: spectrum * at + noise, w, memory)
        losses.append(w**2 @ spectrum / 2)
    return np.array(losses)


def corrected_average(t, gradient, w, m):
    m = 0.8 * m + 0.2 * gradient(w)
    return w - 0.3 * m / (1 - 0.8**t), m


def falling_rate(t, gradient, w, v):
    v = 0.5 * v + gradient(w)
    return w - 0.2 * 0.8 ** (t - 1) * v, v


def rising_momentum(t, gradient, w, v):
    v = min(0.8, 0.1 * (t - 1)) * v + gradient(w)
    return w - 0.1 * v, v


def looking_ahead(t, gradient, w, v):
    v = 0.8 * v + gradient(w - 0.1 * 0.8 * v)
    return w - 0.1 * v, v


RULES = {
    "debiased average": (
        gdlab.chain(gdlab.debias(gdlab.ema(0.8)), gdlab.sgd(0.3)),
        corrected_average,
    ),
    "falling learning rate": (gdlab.sgd(gdlab.exponential_decay(0.2, 1, 0.8), 0.5), falling_rate),
    "rising momentum": (gdlab.sgd(0.1, gdlab.linear_schedule(0.0, 0.8, 8)), rising_momentum),
    "look-ahead": (gdlab.nesterov(0.1, 0.8), looking_ahead),
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", RULES)
def test_expectation_is_the_mean_of_many_runs_from_the_first_step_on(name):
    tx, rule = RULES[name]
    spectrum, start, deviation, steps = np.array([0.5, 4.0]), [1.0, -0.5], [0.3, 1.0], 25
    expected = expected_loss(tx, spectrum, start, steps, noise=deviation)
    losses = numpy_runs(rule, spectrum, start, steps, deviation)
    error = losses.std(axis=1, ddof=1) / np.sqrt(RUNS)
    # The seed is fixed: three standard errors are left by less than 3 in 1000 points, by chance.
    assert (np.abs(losses.mean(axis=1) - expected.total) <= 3 * error + 1e-12).all()
    # Without noise they agree to the last digits.
    silent = numpy_runs(rule, spectrum, start, steps, 0.0)[:, 0]
    np.testing.assert_allclose(expected.deterministic, silent, rtol=1e-6, atol=1e-14)


def noisy_quadratic(w, batch):
    """The noise is a slope that each example adds."""
    return 0.5 * CURVATURE * w**2 + jnp.mean(batch) * w


@functools.partial(jax.jit, static_argnums=1)
def runs(tx, steps, slopes, keys):
    def one(slopes, key):
        start, options = jnp.array(2.0), {"data": slopes, "batch_size": 1, "key": key}
        return gdlab.minimize(noisy_quadratic, start, tx, steps, **options).path

    return jax.vmap(one)(slopes, keys)


@pytest.mark.x64
def test_expectation_is_the_mean_of_many_runs_of_minimize():
    # Each run has an epoch of examples of its own, one a step, so that their slopes are white.
    slopes = np.random.default_rng(3).normal(size=(RUNS, 31))
    tx, keys = gdlab.sgd(0.1, 0.7), jax.random.split(jax.random.key(0), RUNS)
    losses = CURVATURE / 2 * np.asarray(runs(tx, 30, jnp.asarray(slopes), keys)) ** 2
    error = losses.std(axis=0, ddof=1) / np.sqrt(RUNS)
    expected = expected_loss(tx, CURVATURE, 2.0, 30, noise=1.0)
    assert (np.abs(losses.mean(axis=0) - expected.total) <= 3 * error + 1e-12).all()


@pytest.mark.parametrize("function", [expected_loss, stationary_variance])
def test_what_is_adaptive_or_not_linear_or_a_hessian_is_refused(function):
    arguments = (1.0, 5) if function is expected_loss else ()
    with pytest.raises(ValueError, match=r"not linear: its scales nu follow the gradients"):
        function(gdlab.adam(0.1), 1.0, *arguments, noise=1.0)
    with pytest.raises(ValueError, match=r"not linear: its scales .*sum_of_squares"):
        function(gdlab.adagrad(0.1), 1.0, *arguments, noise=1.0)
    with pytest.raises(ValueError, match=r"hand over the spectrum, np\.linalg\.eigvalsh"):
        function(gdlab.sgd(0.1), np.eye(2), *arguments, noise=1.0)


def test_starts_and_deviations_of_another_shape_are_refused():
    for w0, noise, name in ((np.ones(3), 1.0, "w0"), (1.0, np.ones(3), "noise")):
        with pytest.raises(ValueError, match=rf"{name} must be a number, or of shape \(2,\), not"):
            expected_loss(gdlab.sgd(0.1), [1.0, 2.0], w0, 5, noise=noise)
    with pytest.raises(ValueError, match="noise must be a number"):
        stationary_variance(gdlab.sgd(0.1), [1.0, 2.0], noise=np.ones(3))


def test_a_clip_is_refused_since_noise_is_not_small():
    tx = gdlab.chain(gdlab.clip(0.5), gdlab.sgd(0.1))
    assert linearize(tx, 1.0).poles == pytest.approx([0.9])
    with pytest.raises(ValueError, match=r"not linear: adding gradients .* comes in every size"):
        expected_loss(tx, 1.0, 1.0, 5, noise=1.0)


def test_other_values_compile_nothing_and_the_precision_of_the_session_stays():
    def both(eta, beta):
        tx = gdlab.sgd(eta, beta)
        return (
            expected_loss(tx, [1.0, 2.0], [1.0, eta], 5, noise=eta).total,
            stationary_variance(tx, [1.0, 2.0], noise=eta),
        )

    with jax.enable_x64(False):
        both(0.1, 0.2)
        assert count_compilations(lambda: both(0.3, 0.5)) == 0
        narrow = both(0.3, 0.7)
        assert not jax.config.jax_enable_x64
    with jax.enable_x64(True):
        for one, other in zip(narrow, both(0.3, 0.7), strict=True):
            np.testing.assert_array_equal(one, other)
