"""Every schedule against its closed form and against optax, and as data."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab import (
    constant_schedule,
    cosine_decay_schedule,
    hyperparameters,
    join_schedules,
    linear_schedule,
    polynomial_schedule,
    schedule,
    set_hyperparameters,
    sgd,
    warmup_cosine_decay_schedule,
    warmup_stable_decay_schedule,
)
from tests.schedules.cases import CASES, STEPS, clip01, half_cosine

ours_and_closed = pytest.mark.parametrize(
    ("ours", "closed"), [(case.ours, case.closed) for case in CASES.values()], ids=CASES
)


def values(eta, steps=STEPS):
    return jax.jit(jax.vmap(eta))(steps)


def test_every_public_schedule_is_tested():
    assert {case.ours.factory.name for case in CASES.values()} == set(gdlab.schedules.__all__)


def test_every_schedule_of_optax_is_there_with_its_arguments_in_its_order():
    # What optax injects is what every hyperparameter of gdlab does by itself.
    names = [name for name in dir(optax.schedules) if not name.startswith(("_", "inject"))]
    functions = {n: f for n in names if inspect.isfunction(f := getattr(optax.schedules, n))}
    assert len(functions) >= 13
    for name, function in functions.items():
        theirs = inspect.signature(function).parameters.values()
        ours = [
            (p.name, p.default)
            for p in inspect.signature(getattr(gdlab, name)).parameters.values()
            if p.kind is not p.KEYWORD_ONLY
        ]
        assert ours == [(p.name, p.default) for p in theirs], name


@pytest.mark.x64
@ours_and_closed
def test_its_values_are_those_of_the_closed_form(ours, closed):
    # Two dozen roundings of float64.
    np.testing.assert_allclose(values(ours), closed(STEPS), rtol=1e-13, atol=1e-15)


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.optax])
def test_its_values_are_those_of_optax(name):
    ours, _, theirs = CASES[name]
    expected = [float(theirs(step)) for step in STEPS]
    # Float32 on both sides, in another order; a cosine near its end cancels.
    np.testing.assert_allclose(values(ours), expected, rtol=2e-6, atol=1e-7)


@ours_and_closed
def test_a_step_may_be_an_int_an_array_or_traced_and_gives_a_scalar(ours, closed):
    for step in (3, 3.0, np.int64(3), jnp.array(3), jnp.array(3, jnp.uint8)):
        value = ours(step)
        assert value.shape == ()
        assert value.dtype == jnp.float32
        assert not value.weak_type
        assert float(value) == pytest.approx(float(closed(np.array(3.0))), rel=1e-6)


@pytest.mark.sampled(10)
@ours_and_closed
def test_derivatives_by_all_its_numbers_are_finite_at_all_steps(ours, closed):
    slopes = jax.jit(jax.vmap(jax.grad(lambda eta, t: eta(t)), (None, 0)))(ours, STEPS)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


@ours_and_closed
def test_its_numbers_are_data_that_do_not_compile_anew(ours, closed):
    traces = []

    @jax.jit
    def value(eta, step):
        traces.append(step)
        return eta(step)

    numbers, definition = jax.tree.flatten(ours)
    for factor in (1.0, 0.5, 2.0):
        value(definition.unflatten([factor * number for number in numbers]), 3)
    assert len(traces) == 1


@pytest.mark.x64
def test_the_length_of_a_warm_up_can_be_swept_in_one_program():
    lengths = np.array([1.0, 2.0, 5.0, 8.0])
    swept = jax.vmap(lambda warmup: values(warmup_cosine_decay_schedule(0.0, 1.0, warmup, 20.0)))(
        lengths
    )
    for lane, length in zip(swept, lengths, strict=True):
        t = STEPS
        expected = np.where(t < length, t / length, half_cosine((t - length) / (20 - length)))
        np.testing.assert_allclose(lane, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.x64
def test_the_derivative_by_the_peak_is_the_shape_of_the_schedule():
    slopes = jax.vmap(
        jax.grad(lambda peak, t: warmup_stable_decay_schedule(0.0, peak, 5, 10, 10)(t)), (None, 0)
    )(3.0, 1.0 * STEPS)
    shape = np.where(STEPS < 5, STEPS / 5, 1 - clip01((STEPS - 15) / 10))
    np.testing.assert_allclose(slopes, shape, rtol=1e-13, atol=1e-15)


@pytest.mark.x64
def test_the_derivative_by_the_length_of_a_warm_up_is_that_of_t_over_it():
    slope = jax.grad(lambda length: linear_schedule(0.0, 1.0, length)(3))(6.0)
    assert slope == pytest.approx(-3 / 36, rel=1e-13)


@pytest.mark.parametrize(
    "eta",
    [
        linear_schedule(1.0, 0.25, 0),
        polynomial_schedule(1.0, 0.25, 3.0, 0),
        warmup_stable_decay_schedule(0.0, 0.25, 0, 3, 5, 0.25),
        warmup_cosine_decay_schedule(9.0, 0.25, 0, 10, 0.25),
    ],
    ids=repr,
)
def test_an_empty_stretch_is_over_at_once(eta):
    assert float(eta(0)) == 0.25
    assert float(eta(5)) == 0.25


def test_a_power_of_zero_or_below_one_has_finite_slopes_where_nothing_is_left():
    for power in (0.0, 0.5, 1.0, 3.0):
        for step in (0.0, 10.0, 20.0):
            slopes = jax.grad(lambda eta, step=step: eta(step))(
                polynomial_schedule(1.0, 0.0, power, 10)
            )
            assert all(np.isfinite(leaf) for leaf in jax.tree.leaves(slopes))


def test_a_join_of_the_wrong_number_of_boundaries_is_refused():
    with pytest.raises(ValueError, match="one boundary fewer"):
        join_schedules([constant_schedule(1.0)], [5])(0)


def test_schedules_of_optax_and_plain_functions_stand_where_a_number_can():
    for eta in (optax.linear_schedule(1.0, 0.0, 4), lambda count: 1.0 - 0.25 * count):
        tx = sgd(eta)
        state = tx.init(jnp.ones(2))
        for step in range(3):
            assert hyperparameters(tx, state)["learning_rate"] == 1 - step / 4
            updates, state = tx.update(jnp.ones(2), state)
            np.testing.assert_allclose(updates, -(1 - step / 4))


def test_a_schedule_may_be_a_number_of_another_one():
    eta = linear_schedule(0.0, cosine_decay_schedule(1.0, 10), 5)
    found = [float(eta(t)) for t in (0, 5, 10)]
    np.testing.assert_allclose(found, [0.0, 0.5, 0.0], atol=1e-7)


def test_a_number_within_a_joined_schedule_can_be_set():
    tx = sgd(join_schedules([linear_schedule(0, 1, 5), constant_schedule(0.5)], [5]))
    changed = set_hyperparameters(tx, {"boundaries.0": 2, "schedules.1.value": 9.0})
    eta = [hyperparameters(changed, changed.init(jnp.ones(1)))["learning_rate"]]
    state = changed.init(jnp.ones(1))
    for _ in range(3):
        _, state = changed.update(jnp.ones(1), state)
        eta.append(hyperparameters(changed, state)["learning_rate"])
    np.testing.assert_allclose(eta, [0.0, 0.2, 9.0, 9.0], rtol=1e-6)


def test_a_schedule_of_ones_own_is_a_function_of_the_step():
    @schedule
    def saw(height: gdlab.Hyperparameter, period: int = 4):
        return lambda count: height * (count % period) / period

    assert repr(saw(2.0)) == "saw(2.0)"
    assert [float(saw(2.0)(t)) for t in range(5)] == [0.0, 0.5, 1.0, 1.5, 0.0]


@pytest.mark.x64
def test_a_schedule_serves_float32_parameters_under_strict_promotion():
    # Its count and numbers are float64 here; what the rule gets has the dtype of the parameter.
    tx = sgd(cosine_decay_schedule(0.5, 10))
    params = jnp.ones(2, jnp.float32)
    updates, _ = tx.update(params, tx.init(params))
    assert updates.dtype == jnp.float32
    assert updates.tolist() == [-0.5, -0.5]
