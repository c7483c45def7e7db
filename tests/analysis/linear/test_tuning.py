"""Rates of convergence and the hyperparameters that are fastest, against Polyak and Nesterov."""

import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.analysis import best_hyperparameters, rate
from tests.paths import path_down
from tests.sweeps.counting import count_compilations

CONDITIONS = [2.0, 10.0, 100.0, 1e3, 1e4]
MU = 0.3


def polyak(mu, L):
    """(2/(√L + √μ))² and ((√κ − 1)/(√κ + 1))², with ρ = √β."""
    root = np.sqrt(L / mu)
    return (2 / (np.sqrt(L) + np.sqrt(mu))) ** 2, ((root - 1) / (root + 1)) ** 2


def tuned_nesterov(mu, L):
    root = np.sqrt(3 * L / mu + 1)
    return 4 / (3 * L + mu), (root - 2) / (root + 2)


def test_rates_of_tuned_methods_are_the_closed_forms():
    for kappa in CONDITIONS:
        mu, L = MU, MU * kappa
        root = np.sqrt(kappa)
        # A double pole is found to the root of the rounding.
        double = {"rel": 0, "abs": 1e-7}
        assert rate(gdlab.sgd(2 / (L + mu)), mu, L) == pytest.approx((kappa - 1) / (kappa + 1))
        assert rate(gdlab.sgd(1 / L), mu, L) == pytest.approx(1 - 1 / kappa)
        eta, beta = polyak(mu, L)
        assert rate(gdlab.sgd(eta, beta), mu, L) == pytest.approx((root - 1) / (root + 1), **double)
        averaged = gdlab.sgd(eta / (1 - beta), beta, averaging=True)
        assert rate(averaged, mu, L) == pytest.approx((root - 1) / (root + 1), **double)
        tx = gdlab.sgd(1 / L, (root - 1) / (root + 1), nesterov=True)
        assert rate(tx, mu, L) == pytest.approx(1 - 1 / root, **double)
        eta, beta = tuned_nesterov(mu, L)
        tx = gdlab.sgd(eta, beta, nesterov=True)
        assert rate(tx, mu, L) == pytest.approx(1 - 2 / np.sqrt(3 * kappa + 1), **double)


def test_rate_is_that_of_the_slowest_mode_which_may_lie_between_the_ends():
    # Two blocks of c + 1/(1 − a/z) in a row: with three poles, a middle curvature can be slowest.
    a, b, c, d, eta = 0.7, 0.75, 0.63, 0.57, 0.01
    tx = gdlab.chain(
        gdlab.fork(operator.add, gdlab.scale(c), gdlab.trace(a)),
        gdlab.fork(operator.add, gdlab.scale(d), gdlab.trace(b)),
        gdlab.sgd(eta),
    )
    zeros = np.polymul([1 + c, -c * a], [1 + d, -d * b])
    sizes = np.array(
        [
            np.abs(np.roots(np.polyadd(np.poly([1, a, b]), eta * curvature * zeros))).max()
            for curvature in np.geomspace(1, 100, 17)
        ]
    )
    assert sizes.max() > sizes[[0, -1]].max() + 0.05
    assert rate(tx, 1.0, 100.0) == pytest.approx(sizes.max(), rel=1e-9)


def test_rate_of_one_curvature_and_of_an_unstable_method():
    assert rate(gdlab.sgd(0.1), 3.0, 3.0) == pytest.approx(0.7)
    assert rate(gdlab.sgd(1.0), 1.0, 3.0) == pytest.approx(2.0)


def test_rate_of_an_adaptive_method_is_measured_in_its_metric():
    # (1 − β)η/4 for η.
    found = rate(gdlab.adam(0.4, 0.6, eps=1.0), 1.0, 5.0, gradient_rms=3.0)
    assert found == pytest.approx(rate(gdlab.sgd(0.04, 0.6), 1.0, 5.0), rel=1e-12)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("kappa", CONDITIONS)
def test_the_fastest_heavy_ball_and_the_fastest_nesterov_are_found(kappa):
    mu, L = MU, MU * kappa
    for tx, tuned in (
        (gdlab.sgd(0.1, momentum=0.5), polyak),
        (gdlab.sgd(0.1, momentum=0.5, nesterov=True), tuned_nesterov),
    ):
        best = best_hyperparameters(tx, mu, L)
        eta, beta = tuned(mu, L)
        assert best == {
            "learning_rate": pytest.approx(eta, rel=1e-6),
            "momentum": pytest.approx(beta, rel=1e-6),
        }
        set_to_it = gdlab.set_hyperparameters(tx, best)
        assert gdlab.hyperparameters(set_to_it) == pytest.approx(best)
        # No neighbour is faster.
        fastest = rate(set_to_it, mu, L)
        for name in best:
            for factor in (0.999, 1.001):
                other = best | {name: min(best[name] * factor, 1.0)}
                assert rate(gdlab.set_hyperparameters(tx, other), mu, L) > fastest


@pytest.mark.parametrize("kappa", [2.0, 1e4])
def test_the_fastest_learning_rate_of_gradient_descent_is_found(kappa):
    best = best_hyperparameters(gdlab.sgd(1.0), MU, MU * kappa, over=["learning_rate"])
    assert best == {"learning_rate": pytest.approx(2 / (MU + MU * kappa), rel=1e-6)}


def test_the_others_stay_as_they_are():
    # On one curvature the heavy ball is fastest where it is critically damped: η = (1 − √β)²/λ.
    best = best_hyperparameters(gdlab.sgd(1.0, momentum=0.49), 5.0, 5.0, over=["learning_rate"])
    assert rate(gdlab.sgd(best["learning_rate"], 0.49), 5.0, 5.0) == pytest.approx(0.7, abs=1e-6)
    best = best_hyperparameters(gdlab.sgd(0.09 / 5, momentum=0.1), 5.0, 5.0, over=["momentum"])
    assert best == {"momentum": pytest.approx(0.49, rel=1e-6)}


def test_of_three_hyperparameters_the_rate_is_found():
    tx = gdlab.chain(gdlab.trace(0.5), gdlab.scale(1.0), gdlab.sgd(0.1))
    best = best_hyperparameters(tx, 1.0, 9.0, over=["decay", "step_size", "learning_rate"])
    assert rate(gdlab.set_hyperparameters(tx, best), 1.0, 9.0) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.x64
def test_the_error_of_a_run_shrinks_at_the_rate():
    mu, L = 0.5, 50.0
    tx = gdlab.nesterov(0.012, 0.8)
    size = np.abs(path_down(tx, _gradient, jnp.ones(3), 2500)).max(axis=1)
    # The largest of a hundred steps, since complex poles let the error swing through zero.
    measured = (size[2400:].max() / size[400:501].max()) ** (1 / 2000)
    np.testing.assert_allclose(np.log(measured), np.log(rate(tx, mu, L)), atol=1e-3)


def _gradient(w):
    return jnp.array([0.5, 7.0, 50.0]) * w


@pytest.mark.parametrize(("mu", "L"), [(0.0, 1.0), (-1.0, 1.0), (2.0, 1.0), (1.0, np.inf)])
def test_curvatures_that_do_not_rise_from_above_zero_are_refused(mu, L):
    for function in (rate, best_hyperparameters):
        with pytest.raises(ValueError, match="0 < mu ≤ L"):
            function(gdlab.sgd(0.1, 0.9), mu, L)


def test_what_cannot_be_searched_is_refused():
    with pytest.raises(KeyError, match="'momentum' fits no hyperparameter: learning_rate"):
        best_hyperparameters(gdlab.sgd(0.1), 1.0, 2.0)
    with pytest.raises(ValueError, match="one to 3 hyperparameters, not 0"):
        best_hyperparameters(gdlab.sgd(0.1), 1.0, 2.0, over=[])
    ascent = gdlab.chain(gdlab.scale(-1.0), gdlab.sgd(0.1))
    with pytest.raises(ValueError, match=r"converges .* for no values of learning_rate"):
        best_hyperparameters(ascent, 1.0, 2.0, over=["learning_rate"])


def test_other_curvatures_compile_nothing_and_the_precision_of_the_session_stays():
    best_hyperparameters(gdlab.sgd(0.1, 0.9), 1.0, 2.0)
    rate(gdlab.sgd(0.1, 0.9), 1.0, 2.0)
    with jax.enable_x64(False):

        def again():
            best_hyperparameters(gdlab.sgd(0.2, 0.5), 1.0, 50.0)
            rate(gdlab.sgd(0.3, 0.8), 3.0, 4.0)

        assert count_compilations(again) == 0
        assert not jax.config.jax_enable_x64
        narrow = rate(gdlab.sgd(0.3, 0.8), 3.0, 4.0)
    with jax.enable_x64(True):
        assert rate(gdlab.sgd(0.3, 0.8), 3.0, 4.0) == narrow
