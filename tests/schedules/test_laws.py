"""What schedules are beside their values: ends, steps, derivatives, identities and refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab as gd
from tests.schedules.cases import CASES, restarts

STEPS = np.arange(40)
SLOPES = jax.jit(jax.vmap(jax.grad(lambda eta, t: eta(t)), (None, 0)))
"""The derivatives by all numbers of a schedule at each step."""


def values(eta, steps=STEPS):
    return np.asarray(jax.jit(jax.vmap(eta))(steps))


# --- Ends and steps


@pytest.mark.parametrize(("start", "end"), [(1.0, 1e-8), (1e-3, 1e-10), (0.3, 1e-9)])
def test_a_schedule_ends_at_its_end_value_exactly(start, end):
    shapes = ("linear", "cosine", "mirrored_cosine", "exponential", "1-sqrt", "1-square")
    ends = {
        "rex": gd.rex_schedule(start, end, 10),
        "polynomial": gd.polynomial_schedule(start, end, 1.2, 10),
        "linear": gd.linear_schedule(start, end, 10),
        "cosine": gd.warmup_cosine_decay_schedule(0.0, start, 2, 10, end),
        "periodic": gd.periodic_cosine_schedule(start, end, 10),
        "repeated": gd.repeat_schedule(gd.linear_schedule(start, end, 10), 11),
        "sgdr": gd.sgdr_schedule(
            [
                {"init_value": 0.0, "peak_value": start, "warmup_steps": 1, "decay_steps": 4},
                {
                    "init_value": 0.0, "peak_value": start, "warmup_steps": 1, "decay_steps": 6,
                    "end_value": end,
                },
            ]
        ),
        **{
            shape: gd.warmup_stable_decay_schedule(0.0, start, 2, 3, 5, end, decay_type=shape)
            for shape in shapes
        },
    }  # fmt: skip
    for name, eta in ends.items():
        assert float(eta(10)) == np.float32(end), name


def test_one_cycle_is_at_its_end_from_its_last_step_on():
    # PyTorch's is there a step earlier, at the last of its steps.
    for eta in (gd.linear_onecycle_schedule(100, 1.0), gd.cosine_onecycle_schedule(100, 1.0)):
        end = np.float32(1.0) / np.float32(25.0) / np.float32(1e4)
        assert float(eta(99)) > end
        assert [float(eta(step)) for step in (100, 1000)] == [end, end]
        assert float(eta(30)) == pytest.approx(1.0, rel=1e-6)


def test_every_restart_is_at_the_top():
    # Up to a million steps, of which float32 still tells one from the next.
    eta = gd.cosine_decay_restarts_schedule(0.3, 10, 2.0)
    begins = 10 * (2 ** np.arange(17) - 1)
    np.testing.assert_array_equal(values(eta, begins), np.float32(0.3))
    assert (values(eta, begins[1:] - 1) < 0.01).all()


def test_steps_are_exact_however_many_there_are():
    # Float32 holds every integer up to 2²⁴ only.
    late = 2**30 + np.arange(12)
    np.testing.assert_array_equal(
        values(gd.repeat_schedule(gd.linear_schedule(0.0, 8.0, 8), 7), late), late % 7
    )
    up = values(gd.cyclic_schedule(0.0, 3.0, 3), late)
    np.testing.assert_allclose(up, np.minimum(late % 6, 6 - late % 6), atol=1e-6)
    joined = gd.join_schedules(
        [gd.constant_schedule(0.0), gd.linear_schedule(0.0, 8.0, 8)], [2**29]
    )
    np.testing.assert_array_equal(values(joined, 2**29 + np.arange(-1, 8)), [0, *range(8)])
    pieces = gd.piecewise_interpolate_schedule("linear", 1.0, {2**25 + 1: 1.0, 2**25 + 5: 5.0})
    np.testing.assert_array_equal(values(pieces, 2**25 + np.arange(6)), [1, 1, 2, 3, 4, 5])


def test_stretches_and_periods_of_no_length_are_finite():
    for eta in (
        gd.cyclic_schedule(0.5, 1.0, 0, 4),
        gd.cyclic_schedule(0.5, 1.0, 4, 0),
        gd.cyclic_schedule(0.5, 1.0, 0),
        gd.periodic_cosine_schedule(1.0, 0.5, 0),
        gd.repeat_schedule(gd.linear_schedule(1.0, 0.5, 3), 0),
        gd.linear_onecycle_schedule(0, 1.0),
        gd.warmup_inverse_sqrt_decay_schedule(0.0, 1.0, 0),
        gd.warmup_stable_decay_schedule(0.0, 1.0, 0, 0, 0, decay_type="1-sqrt"),
    ):
        slopes = SLOPES(eta, np.arange(6))
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes)), eta
        assert np.isfinite(values(eta, np.arange(6))).all(), eta


def test_a_geometric_decay_to_zero_or_below_falls_at_once_and_has_finite_slopes():
    for end in (0.0, -1.0):
        eta = gd.warmup_stable_decay_schedule(0.0, 1.0, 0, 0, 4, end, decay_type="exponential")
        np.testing.assert_array_equal(values(eta, np.arange(6)), [1, 0, 0, 0, end, end])
        slopes = SLOPES(eta, np.arange(6))
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


# --- Derivatives


@pytest.mark.sampled(12)
@pytest.mark.x64
@pytest.mark.parametrize("eta", [case.ours for case in CASES.values()], ids=CASES)
def test_derivatives_by_all_its_numbers_are_those_of_differences(eta):
    # Between two steps, where no stretch begins or ends.
    times = np.arange(0.37, 40, 1.7)
    numbers, definition = jax.tree.flatten(eta)
    at = jax.jit(lambda numbers: jax.vmap(lambda t: definition.unflatten(list(numbers))(t))(times))
    slopes = jax.jit(jax.jacrev(at))(jnp.array(numbers))
    for number in range(len(numbers)):
        shift = 1e-6 * np.eye(len(numbers))[number]
        difference = (at(numbers + shift) - at(numbers - shift)) / 2e-6
        # A difference of numbers of the size 1 is rounded by 1e-16/1e-6.
        np.testing.assert_allclose(slopes[:, number], difference, rtol=1e-6, atol=1e-8)


@pytest.mark.x64
def test_the_derivative_by_the_growth_of_cycles_is_right_where_they_do_not_grow():
    times = np.arange(0.37, 40, 1.7)
    eta = jax.jit(
        lambda growth: jax.vmap(gd.cosine_decay_restarts_schedule(0.5, 7, growth, 0.9))(times)
    )
    slope = jax.jit(jax.jacfwd(eta))(1.0)
    # Cycle by cycle, in NumPy, which knows nothing of growth 1.
    more, less = (restarts(times, 7, 1 + step, 0.9, 0.0) for step in (1e-6, -1e-6))
    np.testing.assert_allclose(slope, (more - less) / 2e-6, rtol=1e-5, atol=1e-8)
    # It is continuous where one form of the begins of cycles follows on the other.
    np.testing.assert_allclose(eta(1 + 0.99e-4), eta(1 + 1.01e-4), atol=1e-4)


@pytest.mark.x64
@pytest.mark.parametrize("name", ["cyclic", "repeated", "restarts of equal length"])
def test_the_derivative_by_a_period_is_the_same_at_a_step_and_at_its_number(name):
    steps = np.array([1, 2, 9, 12, 18, 29, 39])
    at_steps = SLOPES(CASES[name].ours, steps)
    at_numbers = SLOPES(CASES[name].ours, 1.0 * steps)
    for one, other in zip(jax.tree.leaves(at_steps), jax.tree.leaves(at_numbers), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


# --- Identities


@pytest.mark.x64
def test_noam_is_the_inverse_root_from_its_first_step_on():
    width, warmup = 64, 10
    s = STEPS + 1.0  # Vaswani et al. count from 1
    noam = width**-0.5 * np.minimum(s**-0.5, s * warmup**-1.5)
    peak = (width * warmup) ** -0.5
    ours = gd.warmup_inverse_sqrt_decay_schedule(peak / warmup, peak, warmup - 1, warmup)
    np.testing.assert_allclose(values(ours), noam, rtol=1e-13)


@pytest.mark.x64
def test_powercool_is_a_polynomial_that_begins_late():
    total, level, peak = 30, 12, 0.5
    c = peak / (total - level) ** 1.2
    cooled = np.minimum(peak, c * np.maximum(total - STEPS, 0.0) ** 1.2)
    ours = gd.polynomial_schedule(peak, 0.0, 1.2, total - level, level)
    np.testing.assert_allclose(values(ours), cooled, rtol=1e-13)


@pytest.mark.x64
def test_the_infinite_cosine_is_a_cosine_that_ends_before_the_training_does():
    iterations, warmup, level, start, end = 40, 6, 10, 0.1, 0.02
    cosine = end + 0.5 * (1 - end) * (
        1 + np.cos(np.pi * (STEPS - warmup) / (iterations - level - warmup))
    )
    infinite = np.where(
        warmup > STEPS,
        STEPS / warmup + (1 - STEPS / warmup) * start,
        np.where(iterations - level > STEPS, cosine, end),
    )
    ours = gd.warmup_cosine_decay_schedule(start, 1.0, warmup, iterations - level, end)
    np.testing.assert_allclose(values(ours), infinite, rtol=1e-13)


@pytest.mark.x64
def test_sgdr_of_equal_cycles_is_a_cosine_with_restarts():
    cycle = {"init_value": 0.5, "peak_value": 0.5, "warmup_steps": 0, "decay_steps": 8}
    ours = gd.sgdr_schedule([cycle | {"end_value": 0.05}] * 5)
    restarts = gd.cosine_decay_restarts_schedule(0.5, 8, 1.0, alpha=0.1)
    np.testing.assert_allclose(values(ours), values(restarts), rtol=1e-12)


@pytest.mark.x64
def test_with_gamma_one_and_a_growth_of_one_the_simpler_schedules_come_back():
    np.testing.assert_allclose(
        values(gd.cyclic_schedule(0.1, 1.0, 4, 6, "exp_range", 1.0)),
        values(gd.cyclic_schedule(0.1, 1.0, 4, 6)),
        rtol=1e-14,
    )
    np.testing.assert_allclose(
        values(gd.repeat_schedule(gd.cosine_decay_schedule(0.5, 8), 8)),
        values(gd.cosine_decay_restarts_schedule(0.5, 8, 1.0)),
        rtol=1e-12,
        atol=1e-15,
    )


@pytest.mark.x64
def test_chebyshev_steps_shrink_every_error_as_their_polynomial_says():
    smallest, largest, steps = 0.02, 1.0, 16
    curvatures = jnp.linspace(smallest, largest, 500)
    eta = gd.chebyshev_schedule(smallest, largest, steps)
    loss = lambda w: 0.5 * jnp.sum(curvatures * w**2)  # noqa: E731
    run = gd.minimize(loss, jnp.ones(500), gd.sgd(eta), steps=2 * steps)
    shrinks = 1 / np.cosh(steps * np.arccosh((largest + smallest) / (largest - smallest)))
    assert np.abs(run.params).max() == pytest.approx(shrinks**2, rel=1e-10)
    # A constant step, the best one, shrinks far less.
    assert shrinks < 0.2 * ((largest - smallest) / (largest + smallest)) ** steps


@pytest.mark.x64
def test_the_fractal_order_keeps_intermediate_errors_small():
    curvatures = np.linspace(0.005, 1.0, 400)
    etas = values(gd.chebyshev_schedule(0.005, 1.0, 32), np.arange(32))
    largest = lambda order: np.abs(  # noqa: E731
        np.cumprod(1 - np.outer(order, curvatures), axis=0)
    ).max()
    assert largest(etas) < 200
    assert largest(np.sort(etas)[::-1]) > 1e8 * largest(etas)


@pytest.mark.x64
def test_the_steps_that_robbins_and_monro_ask_for_add_up_and_their_squares_do_not():
    # The partial sums of 1/(1 + t) and of its square, against their known limits.
    etas = values(gd.inverse_time_decay(1.0, 1, 1.0), np.arange(100_000))
    assert np.sum(etas) == pytest.approx(np.log(100_000) + np.euler_gamma, rel=1e-6)
    assert np.sum(etas**2) == pytest.approx(np.pi**2 / 6, rel=1e-5)


@pytest.mark.x64
def test_where_one_cycle_peaks_can_be_swept_in_one_program():
    starts = np.array([0.1, 0.25, 0.5])
    lanes = jax.jit(
        jax.vmap(lambda pct: jax.vmap(gd.linear_onecycle_schedule(40, 1.0, pct, 0.9))(STEPS))
    )(starts)
    assert list(np.argmax(lanes, axis=1)) == [4, 10, 20]


# --- As data


def test_every_schedule_reads_as_the_call_that_made_it():
    for case in CASES.values():
        assert eval(repr(case.ours), vars(gd)) == case.ours


@pytest.mark.x64
def test_all_numbers_of_all_schedules_can_be_swept_in_one_program():
    etas = {name: case.ours for name, case in CASES.items()}
    lanes = jax.tree.map(lambda number: number * jnp.array([1.0, 1.01, 0.99]), etas)
    run = lambda etas: {name: jax.vmap(eta)(STEPS) for name, eta in etas.items()}  # noqa: E731
    for name, found in jax.jit(jax.vmap(run))(lanes).items():
        assert np.isfinite(found).all(), name
        np.testing.assert_allclose(found[0], CASES[name].closed(STEPS), rtol=1e-12, atol=1e-14)
        assert not np.allclose(found[1], found[0], rtol=1e-9, atol=0), name


# --- Refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: gd.warmup_stable_decay_schedule(0, 1, 2, 3, 4, decay_type="sqrt"),
            "decay_type must be one of linear, cosine, .*, not 'sqrt'",
        ),
        (
            lambda: gd.warmup_stable_decay_schedule(0, 1, 2, 3, 4, warmup_type="slow"),
            "warmup_type must be one of linear, .*, not 'slow'",
        ),
        (
            lambda: gd.piecewise_interpolate_schedule("spline", 1.0, {2: 3.0}),
            "interpolate_type must be one of linear, .*, not 'spline'",
        ),
        (
            lambda: gd.cyclic_schedule(0.1, 1.0, mode="saw"),
            "mode must be 'triangular', 'triangular2' or 'exp_range', not 'saw'",
        ),
        (lambda: gd.chebyshev_schedule(0.1, 1.0, 6), "must be a power of two, not 6"),
        (lambda: gd.sgdr_schedule([]), "the arguments of one cycle at least"),
        (
            lambda: gd.sgdr_schedule([{"peak": 1.0}]),
            "warmup_cosine_decay_schedule: missing .* 'init_value'",
        ),
    ],
)
def test_what_is_no_schedule_is_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()(0)
