"""Every schedule against optax, against its closed form, and as data."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab import (
    Schedule,
    constant_schedule,
    cosine_decay_schedule,
    exponential_decay,
    hyperparameters,
    join_schedules,
    linear_schedule,
    piecewise_constant_schedule,
    polynomial_schedule,
    schedule,
    set_hyperparameters,
    sgd,
    warmup_cosine_decay_schedule,
    warmup_stable_decay_schedule,
)

STEPS = np.arange(40)


def clip01(t):
    return np.clip(t, 0, 1)


def half_cosine(s):
    return 0.5 * (1 + np.cos(np.pi * clip01(s)))


def trapezium(t):
    return np.where(
        t < 5, 0.1 + 0.9 * t / 5, np.where(t < 15, 1.0, 1 - 0.8 * clip01((t - 15) / 10))
    )


# name: ours, optax's, closed form
SCHEDULES = {
    "constant": (constant_schedule(0.3), optax.constant_schedule(0.3), lambda t: 0.3 + 0 * t),
    "linear": (
        linear_schedule(0.2, 1.5, 10, 5),
        optax.linear_schedule(0.2, 1.5, 10, 5),
        lambda t: 0.2 + 1.3 * clip01((t - 5) / 10),
    ),
    "polynomial": (
        polynomial_schedule(1.0, 0.1, 2.5, 20, 4),
        optax.polynomial_schedule(1.0, 0.1, 2.5, 20, 4),
        lambda t: 0.1 + 0.9 * (1 - clip01((t - 4) / 20)) ** 2.5,
    ),
    "exponential": (
        exponential_decay(2.0, 10, 0.5),
        optax.exponential_decay(2.0, 10, 0.5),
        lambda t: 2 * 0.5 ** (t / 10),
    ),
    "exponential from a step on": (
        exponential_decay(2.0, 10, 0.5, 6),
        optax.exponential_decay(2.0, 10, 0.5, 6),
        lambda t: 2 * 0.5 ** (np.maximum(t - 6, 0) / 10),
    ),
    "staircase": (
        exponential_decay(2.0, 10, 0.5, 3, staircase=True),
        optax.exponential_decay(2.0, 10, 0.5, 3, staircase=True),
        lambda t: 2 * 0.5 ** (np.maximum(t - 3, 0) // 10),
    ),
    "exponential to a floor": (
        exponential_decay(2.0, 5, 0.5, end_value=0.25),
        optax.exponential_decay(2.0, 5, 0.5, end_value=0.25),
        lambda t: np.maximum(2 * 0.5 ** (t / 5), 0.25),
    ),
    "exponential to a ceiling": (
        exponential_decay(0.25, 5, 2.0, end_value=2.0),
        optax.exponential_decay(0.25, 5, 2.0, end_value=2.0),
        lambda t: np.minimum(0.25 * 2.0 ** (t / 5), 2.0),
    ),
    "cosine": (
        cosine_decay_schedule(0.5, 30, 0.1, 1.5),
        optax.cosine_decay_schedule(0.5, 30, 0.1, 1.5),
        lambda t: 0.5 * (0.9 * half_cosine(t / 30) ** 1.5 + 0.1),
    ),
    "warm-up and cosine": (
        warmup_cosine_decay_schedule(0.1, 1.0, 8, 30, 0.05),
        optax.warmup_cosine_decay_schedule(0.1, 1.0, 8, 30, 0.05),
        lambda t: np.where(
            t < 8, 0.1 + 0.9 * clip01(t / 8), 0.05 + 0.95 * half_cosine((t - 8) / 22)
        ),
    ),
    "piecewise constant": (
        piecewise_constant_schedule(2.0, {5: 0.5, 12: 0.1, 30: 4.0}),
        optax.piecewise_constant_schedule(2.0, {5: 0.5, 12: 0.1, 30: 4.0}),
        lambda t: (
            2 * np.where(t >= 5, 0.5, 1) * np.where(t >= 12, 0.1, 1) * np.where(t >= 30, 4, 1)
        ),
    ),
    "warm-up, stable, decay": (
        warmup_stable_decay_schedule(0.1, 1.0, 5, 10, 10, 0.2),
        optax.join_schedules(
            [
                optax.linear_schedule(0.1, 1.0, 5),
                optax.constant_schedule(1.0),
                optax.linear_schedule(1.0, 0.2, 10),
            ],
            [5, 15],
        ),
        trapezium,
    ),
    "joined": (
        join_schedules([linear_schedule(0, 1, 5), cosine_decay_schedule(1.0, 20)], [7]),
        optax.join_schedules(
            [optax.linear_schedule(0, 1, 5), optax.cosine_decay_schedule(1.0, 20)], [7]
        ),
        lambda t: np.where(t < 7, clip01(t / 5), half_cosine((t - 7) / 20)),
    ),
}
ours_and_closed = pytest.mark.parametrize(
    ("ours", "closed"), [(row[0], row[2]) for row in SCHEDULES.values()], ids=SCHEDULES
)


def values(eta, steps=STEPS):
    return jax.jit(jax.vmap(eta))(steps)


def test_every_public_schedule_is_tested():
    public = {
        name
        for name in gdlab.__all__
        if getattr(getattr(getattr(gdlab, name), "factory", None), "made", None) is Schedule
    }
    tested = {row[0].factory.name for row in SCHEDULES.values()}
    # That of Nadam is tested with Nadam.
    assert public - {"dozat_momentum"} == tested


@pytest.mark.x64
@ours_and_closed
def test_its_values_are_those_of_the_closed_form(ours, closed):
    # Two dozen roundings of float64.
    np.testing.assert_allclose(values(ours), closed(STEPS), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(("ours", "theirs"), [row[:2] for row in SCHEDULES.values()], ids=SCHEDULES)
def test_its_values_are_those_of_optax(ours, theirs):
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


@ours_and_closed
def test_derivatives_by_all_its_numbers_are_finite_at_all_steps(ours, closed):
    slopes = jax.vmap(jax.grad(lambda eta, t: eta(t)), (None, 0))(ours, 1.0 * STEPS)
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


@pytest.mark.parametrize("method", ["linear", "exponential", "warm-up and cosine"])
def test_torch_follows_the_same_values_when_it_is_given_the_closed_form(method):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    ours, _, closed = SCHEDULES[method]
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: float(closed(np.array(t))))
    tx = sgd(ours)
    w, state = jnp.zeros(1), tx.init(jnp.zeros(1))
    for _ in range(15):
        weight.grad = torch.ones_like(weight)
        optimizer.step()
        scheduler.step()
        updates, state = tx.update(jnp.ones(1), state)
        w = w + updates
    assert float(w[0]) == pytest.approx(weight.item(), rel=1e-5)


@pytest.mark.x64
def test_a_schedule_serves_float32_parameters_under_strict_promotion():
    # Its count and numbers are float64 here; what the rule gets has the dtype of the parameter.
    tx = sgd(cosine_decay_schedule(0.5, 10))
    params = jnp.ones(2, jnp.float32)
    updates, _ = tx.update(params, tx.init(params))
    assert updates.dtype == jnp.float32
    assert updates.tolist() == [-0.5, -0.5]
