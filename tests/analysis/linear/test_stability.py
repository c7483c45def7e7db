"""Where optimizers are stable, against closed forms and against runs on either side of the end."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.analysis import linearize, sharpness_limit, stable_range
from gdlab.analysis.linear.stability import _stretch
from tests.paths import path_down
from tests.sweeps.counting import count_compilations

DECAYS = [0.0, 0.3, 0.5, 0.9, 0.99]

LIMITS = {
    "gradient descent": (lambda eta, beta: gdlab.sgd(eta), lambda beta: 2.0),
    "heavy ball": (gdlab.sgd, lambda beta: 2 * (1 + beta)),
    "averaging form": (
        partial(gdlab.sgd, averaging=True),
        lambda beta: 2 * (1 + beta) / (1 - beta),
    ),
    "Nesterov, rewritten": (
        partial(gdlab.sgd, nesterov=True),
        lambda beta: 2 * (1 + beta) / (1 + 2 * beta),
    ),
    "Nesterov, looking ahead": (
        gdlab.nesterov,
        lambda beta: 2 * (1 + beta) / (1 + 2 * beta),
    ),
    "nadam": (
        partial(gdlab.nadam, eps=0.0),
        lambda beta: 2 * (1 + beta) / ((1 - beta) * (1 + 2 * beta)),
    ),
    "adam": (partial(gdlab.adam, eps=0.0), lambda beta: 2 * (1 + beta) / (1 - beta)),
}
"""The x = ηλ at which each method becomes unstable."""


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", LIMITS)
def test_learning_rates_and_curvatures_are_stable_up_to_the_closed_form(name):
    make, limit = LIMITS[name]
    for beta in DECAYS:
        for curvature in (3.0, 1e-4):
            low, high = stable_range(make(0.7, beta), curvature)
            assert low == 0
            assert high == pytest.approx(limit(beta) / curvature, rel=1e-9)
        assert sharpness_limit(make(0.7, beta)) == pytest.approx(limit(beta) / 0.7, rel=1e-9)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("make", "limit"), [(gdlab.adam, 38.0), (gdlab.nadam, 13.571428571428571)])
def test_limits_at_a_decay_of_nine_tenths_in_the_metric_of_the_scales(make, limit):
    high = stable_range(make(0.1, eps=0.5), 2.0, gradient_rms=3.0)[1]
    assert high == pytest.approx(limit * (3.0 + 0.5) / 2.0, rel=1e-12)


def test_momenta_are_stable_from_the_one_that_carries_this_learning_rate_to_one():
    # ηλ < 2(1 + β), so β > ηλ/2 − 1, and β < 1, the product of the poles.
    for x, low in ((3.5, 0.75), (3.0, 0.5), (3.99, 0.995), (0.1, 0.0)):
        found = stable_range(gdlab.sgd(x / 2, momentum=0.2), 2.0, "momentum")
        assert found == pytest.approx((low, 1.0), rel=1e-9)
    # In the averaging form 2(1 + β)/(1 − β) > ηλ, so β > (ηλ − 2)/(ηλ + 2).
    found = stable_range(gdlab.sgd(18.0, momentum=0.2, averaging=True), 1.0, "momentum")
    assert found == pytest.approx((0.8, 1.0), rel=1e-9)
    # Nesterov's is unstable from (1 + 2β)ηλ = 2(1 + β) on: β < (2 − ηλ)/(2ηλ − 2).
    found = stable_range(gdlab.sgd(1.6, momentum=0.2, nesterov=True), 1.0, "momentum")
    assert found == pytest.approx((0.0, 0.4 / 1.2), rel=1e-9)


def test_a_hyperparameter_is_named_by_the_end_of_its_path():
    tx = gdlab.chain(gdlab.clip(1.0), gdlab.sgd(0.1, momentum=0.2))
    assert stable_range(tx, 2.0, "momentum") == pytest.approx((0.0, 1.0))
    assert stable_range(tx, 2.0)[1] == pytest.approx(1.2)
    assert stable_range(tx, 2.0, "chain.1.learning_rate")[1] == pytest.approx(1.2)


def test_weight_decay_adds_to_the_curvature():
    tx = gdlab.chain(gdlab.add_decayed_weights(0.5), gdlab.sgd(1.0))
    assert stable_range(tx, 3.0)[1] == pytest.approx(2 / 3.5, rel=1e-12)
    tx = gdlab.chain(gdlab.add_decayed_weights(0.5), gdlab.sgd(0.25))
    assert stable_range(tx, 3.0, "weight_decay")[1] == pytest.approx(5.0, rel=1e-12)


def test_a_hyperparameter_without_influence_is_stable_throughout():
    tx = gdlab.chain(gdlab.clip(1.0), gdlab.sgd(0.1))
    assert stable_range(tx, 1.0, "max_delta") == (0.0, np.inf)


def test_the_steepest_mode_decides():
    spectrum = np.array([0.01, 4.0, 0.5])
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    hessian = rotation * spectrum @ rotation.T
    tx = gdlab.sgd(0.1, momentum=0.6)
    for curvature in (spectrum, np.diag(spectrum), hessian):
        low, high = stable_range(tx, curvature)
        assert low == 0
        assert high == pytest.approx(3.2 / 4, rel=1e-9)


@pytest.mark.parametrize("learning_rate", [0.01, 0.1])
def test_range_on_two_weights_begins_at_zero_wherever_the_learning_rate_stands(learning_rate):
    turned = np.array([[50.5, -49.5], [-49.5, 50.5]])  # of curvatures 1 and 100
    for hessian in (np.diag([1.0, 100.0]), turned):
        low, high = stable_range(gdlab.sgd(learning_rate), hessian)
        assert low == 0
        assert high == pytest.approx(2 / 100, rel=1e-12)


def test_at_a_state_the_preconditioned_hessian_decides():
    rng = np.random.default_rng(2)
    half = rng.normal(size=(3, 3))
    hessian = half @ half.T
    tx = gdlab.rmsprop(0.1, decay=0.8, eps=0.0)
    squares = np.array([0.04, 1.0, 25.0])
    with jax.enable_x64(True):
        state = jax.tree.map(lambda _: jnp.asarray(squares), tx.init(jnp.zeros(3)))
    sharpest = np.linalg.eigvals(hessian / np.sqrt(squares)[:, None]).real.max()
    high = stable_range(tx, hessian, state=state)[1]
    assert high == pytest.approx(2 / sharpest, rel=1e-9)


def test_at_a_step_without_correction_early_updates_are_longer():
    # v₁ = (1 − decay)g², so the first step is √10 times the later ones.
    tx = gdlab.rmsprop(0.1, decay=0.9, eps=0.0)
    assert stable_range(tx, 1.0, step=1)[1] == pytest.approx(2 * np.sqrt(0.1), rel=1e-12)
    assert stable_range(gdlab.adagrad(0.1, 0.0, 0.0), 1.0, step=9)[1] == pytest.approx(6)


def ascent(eta):
    return gdlab.chain(gdlab.scale(-1.0), gdlab.sgd(eta))


def test_where_nothing_is_stable_there_is_no_range():
    assert np.isnan(stable_range(ascent(0.1), 1.0)).all()
    assert np.isnan(stable_range(gdlab.sgd(0.1, momentum=1.5), 1.0)).all()
    assert sharpness_limit(ascent(0.1)) == 0


def test_where_a_schedule_stands_at_zero_no_curvature_is_too_large():
    warmup = gdlab.sgd(gdlab.linear_schedule(0.0, 0.4, 4), 0.9)
    assert sharpness_limit(warmup, step=0) == np.inf
    assert sharpness_limit(warmup, step=1) == pytest.approx(38)


@gdlab.leafwise
def parabola(x: gdlab.Hyperparameter):
    return lambda u: (x - 1) * (x - 4) * u


def test_of_two_stretches_the_one_around_the_present_value_is_meant_or_else_the_lowest():
    # The pole is 1 + (x − 1)(x − 4): in (−1, 1) from 1 to 2 and from 3 to 4.
    for present, stretch in ((1.5, (1, 2)), (3.5, (3, 4)), (2.5, (1, 2)), (9.0, (1, 2))):
        assert stable_range(parabola(present), 1.0, "x") == pytest.approx(stretch, rel=1e-12)


def test_sharpness_limit_follows_a_schedule():
    tx = gdlab.sgd(gdlab.linear_schedule(0.1, 0.4, 3))
    for step, eta in ((0, 0.1), (1, 0.2), (3, 0.4), (100, 0.4), (None, 0.4)):
        assert sharpness_limit(tx, step=step) == pytest.approx(2 / eta, rel=1e-6)


def test_sharpness_limit_of_a_method_without_a_limit_is_that_in_units_of_its_first_step():
    # After g = 1, adagrad divides by √1, and curvature is measured in these units.
    assert sharpness_limit(gdlab.adagrad(0.1, 0.0, 0.0)) == pytest.approx(20)


@pytest.mark.x64
def test_runs_on_either_side_of_the_end_converge_and_diverge():
    tx = gdlab.chain(gdlab.trace(0.5), gdlab.trace(0.3, nesterov=True), gdlab.sgd(0.1))
    end = stable_range(tx, 3.0)[1]
    for share, converges in ((0.995, True), (1.005, False)):
        at = gdlab.set_hyperparameters(tx, {"learning_rate": share * end})
        last = np.abs(path_down(at, _gradient, jnp.ones(()), 3000)[-1])
        assert (last < 1e-3) == converges
        assert (last > 1e3) == (not converges)
        assert (linearize(at, 3.0).spectral_radius < 1) == converges


def _gradient(w):
    return 3.0 * w


@pytest.mark.parametrize(
    ("curvature", "message"),
    [
        (0.0, "positive curvature, but the lowest is 0"),
        ([1.0, -2.0], "positive curvature, but the lowest is -2"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), "lowest is -1.*eigenvalues over as a spectrum"),
        (np.array([[1.0, 2.0], [0.0, 1.0]]), "symmetric, but entries across .* differ by 2"),
        (np.nan, "must be finite"),
        ([1.0, np.inf], "must be finite"),
    ],
)
def test_a_curvature_on_which_nothing_can_be_asked_is_refused(curvature, message):
    with pytest.raises(ValueError, match=message):
        stable_range(gdlab.sgd(0.1), curvature)


def test_a_hyperparameter_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(KeyError, match=r"'beta' fits no hyperparameter: learning_rate, momentum"):
        stable_range(gdlab.sgd(0.1, 0.9), 1.0, "beta")
    with pytest.raises(KeyError, match=r"several hyperparameters.*chain\.0.*chain\.1"):
        stable_range(gdlab.chain(gdlab.trace(0.1), gdlab.trace(0.2), gdlab.sgd(0.1)), 1.0, "decay")
    with pytest.raises(ValueError, match="no limit"):
        stable_range(gdlab.adagrad(0.1), 1.0)


def test_an_array_is_refused_where_one_number_is_asked():
    with pytest.raises(ValueError, match=r"learning_rate is an array of shape \(2,\)"):
        stable_range(gdlab.sgd(np.array([0.1, 0.2])), np.eye(2))


def test_other_values_compile_nothing():
    stable_range(gdlab.sgd(0.1, 0.9), 1.0)
    sharpness_limit(gdlab.sgd(0.1, 0.9))

    def again():
        stable_range(gdlab.sgd(0.3, 0.5), 7.0)
        sharpness_limit(gdlab.sgd(0.3, 0.5))

    assert count_compilations(again) == 0


def test_the_precision_of_the_session_neither_matters_nor_changes():
    results = []
    for x64 in (False, True):
        with jax.enable_x64(x64):
            results.append((stable_range(gdlab.sgd(0.1, 0.77), 3.0), sharpness_limit(gdlab.sgd(3))))
            assert jax.config.jax_enable_x64 == x64
    assert results[0] == results[1]


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_where_rounding_puts_a_pole_at_1_the_range_goes_on_to_where_it_is_above(at_once):
    radius = lambda rate: np.where(rate < 0.1, 0.9, np.where(rate < 0.5, 1.0, 1.1))  # noqa: E731
    low, high = _stretch(radius, np.geomspace(1e-3, 10, 50), 0.01, at_once)
    assert low == 0
    assert high == pytest.approx(0.5, rel=1e-15)


@pytest.mark.parametrize("rate", [1e-12, 1e-3, 1e12])
def test_the_sharpest_stable_curvature_is_two_over_the_rate_at_any_scale(rate):
    assert sharpness_limit(gdlab.sgd(rate)) == pytest.approx(2 / rate, rel=1e-6)
