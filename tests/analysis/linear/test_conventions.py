"""Momentum in all conventions, turned into each other: equal iterates."""

import itertools
import typing

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.analysis import convert, linearize
from gdlab.analysis.linear.conventions import Convention

CONVENTIONS = typing.get_args(Convention)
CURVATURES = np.array([0.3, 2.0, 9.0])


def loss(w):
    return 0.5 * jnp.sum(jnp.asarray(CURVATURES) * w**2) + jnp.sum(jnp.cos(w))


def path(tx):
    return np.asarray(gdlab.minimize(loss, jnp.array([1.0, -2.0, 0.5]), tx, 40).path)


def written(make, convention, eta, beta, **kwargs):
    """By hand: η is the accumulating form's."""
    if convention == "averaging":
        return make(eta / (1 - beta), beta, averaging=True, **kwargs)
    inside = convention == "learning_rate_in_momentum"
    return make(eta, beta, learning_rate_in_momentum=inside, **kwargs)


MAKERS = {
    "heavy ball": (gdlab.sgd, {}),
    "Nesterov": (gdlab.sgd, {"nesterov": True}),
    "look-ahead": (gdlab.nesterov, {}),
}


@pytest.mark.x64
@pytest.mark.parametrize("name", MAKERS)
def test_all_conventions_turned_into_each_other_take_equal_paths(name):
    make, kwargs = MAKERS[name]
    paths = {}
    for origin, goal in itertools.product(CONVENTIONS, CONVENTIONS):
        converted = convert(written(make, origin, 0.05, 0.7, **kwargs), goal)
        expected = written(make, goal, 0.05, 0.7, **kwargs)
        assert gdlab.hyperparameters(converted) == pytest.approx(gdlab.hyperparameters(expected))
        assert repr(converted).count("averaging=True") == (goal == "averaging")
        if goal not in paths:
            paths[goal] = path(expected)
        np.testing.assert_allclose(path(converted), paths[goal], rtol=1e-12, atol=1e-13)
    for goal in CONVENTIONS[1:]:
        np.testing.assert_allclose(paths[goal], paths[CONVENTIONS[0]], rtol=1e-12, atol=1e-13)
    assert np.abs(paths["averaging"][-1] - paths["averaging"][0]).max() > 0.1


def test_poles_stay():
    tx = gdlab.sgd(0.05, 0.7)
    for goal in CONVENTIONS:
        np.testing.assert_allclose(
            linearize(convert(tx, goal), CURVATURES).characteristic,
            linearize(tx, CURVATURES).characteristic,
            rtol=1e-6,  # of a learning rate in float32
        )


def test_other_arguments_stay():
    tx = gdlab.sgd(0.25, 0.5, True, jnp.float32)
    assert repr(convert(tx, "averaging")) == repr(
        gdlab.sgd(0.5, 0.5, True, jnp.float32, averaging=True)
    )


RATE = gdlab.linear_schedule(0.1, 0.01, 30)
RISING = gdlab.linear_schedule(0.5, 0.9, 30)


@pytest.mark.x64
def test_a_schedule_is_kept_where_the_formulas_stay_equal():
    tx = gdlab.sgd(0.05, RISING)
    inside = convert(tx, "learning_rate_in_momentum")
    np.testing.assert_allclose(path(inside), path(tx), rtol=1e-12, atol=1e-13)
    for convention in CONVENTIONS:
        tx = gdlab.sgd(RATE, RISING, **dict.fromkeys({convention} - {CONVENTIONS[0]}, True))
        assert repr(convert(tx, convention)) == repr(tx)


@pytest.mark.parametrize(
    ("tx", "goal", "message"),
    [
        (gdlab.sgd(0.05, RISING), "averaging", "momentum is linear_schedule"),
        (gdlab.sgd(0.05, RISING, averaging=True), "accumulating", "momentum is linear_schedule"),
        (gdlab.sgd(RATE, 0.9), "learning_rate_in_momentum", "learning_rate is linear_schedule"),
        (gdlab.sgd(RATE, 0.9), "averaging", "learning_rate is linear_schedule"),
        (
            gdlab.sgd(gdlab.Axis("eta", [0.1, 0.2]), 0.9),
            "averaging",
            "learning_rate is Axis.*each of its values",
        ),
        (gdlab.sgd(0.1, 0.9), "classical", "convention must be .*averaging.* not 'classical'"),
    ],
)
def test_conversions_that_would_not_keep_the_path_are_refused(tx, goal, message):
    with pytest.raises(ValueError, match=message):
        convert(tx, goal)


@pytest.mark.parametrize("tx", [gdlab.sgd(0.1), gdlab.adam(0.1), gdlab.trace(0.9)], ids=repr)
def test_what_has_no_momentum_is_refused(tx):
    with pytest.raises(TypeError, match="convert takes sgd or nesterov with momentum"):
        convert(tx, "averaging")


@pytest.mark.x64
def test_the_formulas_part_where_conversion_is_refused():
    outside = gdlab.sgd(RATE, 0.9)
    inside = gdlab.sgd(RATE, 0.9, learning_rate_in_momentum=True)
    assert np.abs(path(outside) - path(inside)).max() > 1e-3
