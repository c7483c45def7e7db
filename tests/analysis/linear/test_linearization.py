"""Optimizers as matrices, against closed forms, NumPy's eigenvalues and their own iterates."""

import operator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from gdlab.analysis import linearize
from gdlab.core.transformation import as_transformation
from tests.paths import path_down
from tests.references.characteristic import averaging, gradient_descent, heavy_ball, nesterov
from tests.sweeps.counting import count_compilations

DECAYS = [0.0, 0.3, 0.5, 0.9, 0.99]
RMS = 2.5
"""The root mean square of the gradients that adaptive methods have seen."""


# The table of closed forms.
METHODS = {
    "gradient descent": (lambda eta, beta: gdlab.sgd(eta), gradient_descent, 1.0),
    "heavy ball": (gdlab.sgd, heavy_ball, 1.0),
    "heavy ball, averaging": (partial(gdlab.sgd, averaging=True), averaging(heavy_ball), 1.0),
    "Nesterov, rewritten": (partial(gdlab.sgd, nesterov=True), nesterov, 1.0),
    "Nesterov, looking ahead": (gdlab.nesterov, nesterov, 1.0),
    "Nesterov on the average": (
        partial(gdlab.sgd, averaging=True, nesterov=True),
        averaging(nesterov),
        1.0,
    ),
    # Adaptive methods in the limit; the last entry is what their update is divided by.
    "nadam": (partial(gdlab.nadam, eps=1e-3), averaging(nesterov), RMS + 1e-3),
    "adam": (partial(gdlab.adam, eps=1e-3), averaging(heavy_ball), RMS + 1e-3),
    "amsgrad": (partial(gdlab.amsgrad, eps=1e-3), averaging(heavy_ball), RMS + 1e-3),
    "adamax": (partial(gdlab.adamax, eps=1e-3), averaging(heavy_ball), RMS + 1e-3),
    "rmsprop": (
        lambda eta, beta: gdlab.rmsprop(eta, eps=1e-3),
        gradient_descent,
        np.sqrt(RMS**2 + 1e-3),
    ),
    "rmsprop with momentum": (
        lambda eta, beta: gdlab.rmsprop(eta, eps=1e-3, momentum=beta),
        heavy_ball,
        np.sqrt(RMS**2 + 1e-3),
    ),
}


def double_roots(beta):
    return np.array([(1 - np.sqrt(beta)) ** 2, (1 + np.sqrt(beta)) ** 2])


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", METHODS)
def test_characteristic_polynomial_is_the_closed_form(name):
    make, polynomial, divisor = METHODS[name]
    for beta in DECAYS:
        x = np.concatenate([[1e-6, 0.03, 0.7, 1.0, 1.9, 2.1, 50.0], double_roots(beta)])
        eta = 0.2
        found = linearize(make(eta, beta), x / eta * divisor, gradient_rms=RMS)
        expected = np.stack([polynomial(at, beta) for at in x])
        np.testing.assert_allclose(found.characteristic, expected, rtol=1e-12, atol=1e-12)
        # A rounding of 1e-16 moves a double pole by its root.
        for poles, radius, coefficients in zip(
            found.poles, found.spectral_radius, expected, strict=True
        ):
            roots = np.roots(coefficients)
            roots = np.append(roots, np.zeros(len(coefficients) - 1 - len(roots)))
            np.testing.assert_allclose(np.sort(poles), np.sort(roots), rtol=1e-7, atol=1e-7)
            np.testing.assert_allclose(radius, np.abs(roots).max(), rtol=1e-7, atol=1e-7)


def test_poles_are_sorted_by_size_and_of_a_pair_the_upper_one_comes_first():
    first, second = linearize(gdlab.sgd(0.1, momentum=0.9), [1.0, 37.9]).poles
    assert first[0] == first[1].conj()
    assert first[0].imag > 0
    assert second[0] == second[1].conj()
    sizes = np.abs(linearize(gdlab.sgd(0.1, momentum=0.9), 38.1).poles)
    assert sizes[0] > 1 > sizes[1]
    assert linearize(gdlab.sgd(0.1), 3.0).spectral_radius == pytest.approx(0.7, rel=1e-15)


def test_transformations_of_optax_are_linearised_too():
    x = np.array([0.05, 0.7])
    for tx, polynomial, at in (
        (optax.sgd(0.1, momentum=0.7), heavy_ball, {}),
        (optax.sgd(0.1, momentum=0.7, nesterov=True), nesterov, {}),
        (optax.adam(0.1, 0.7, eps=0.0), averaging(heavy_ball), {}),
        (
            optax.adam(0.1, 0.7, eps=0.0),
            lambda x, beta: heavy_ball((1 - beta) * x / (1 - beta**3), beta),
            {"step": 3},
        ),
    ):
        found = linearize(tx, x / 0.1, **at)
        expected = [polynomial(at, 0.7) for at in x]
        np.testing.assert_allclose(found.characteristic, expected, rtol=1e-11)


# At a step: scales after t gradients of one size, transcribed.


def momentum_polynomial(beta, slope):
    """Of m ← βm + (1 − β)g, w ← w − slope·m."""
    return [1, -(1 + beta - (1 - beta) * slope), beta]


def nadam_polynomial(beta, t, x):
    """The output is β·m/(1 − βᵗ⁺¹) + (1 − β)·g/(1 − βᵗ)."""
    on_m, on_g = x * beta / (1 - beta ** (t + 1)), x * (1 - beta) / (1 - beta**t)
    # m' = βm + (1 − β)λw, w' = w − on_m·m'/λ − on_g·w
    matrix = np.array([[beta, 1 - beta], [-on_m * beta, 1 - on_m * (1 - beta) - on_g]])
    return [1, -np.trace(matrix), np.linalg.det(matrix)]


def adadelta_scale(rho, eps, p, t):
    squares = steps = 0.0
    for _ in range(t):
        squares = rho * squares + (1 - rho) * p**2
        before = steps
        u = p * np.sqrt(before + eps) / np.sqrt(squares + eps)
        steps = rho * steps + (1 - rho) * u**2
    return steps, squares


AT_A_STEP = {
    "adam": (
        gdlab.adam(0.3, 0.8, 0.99, eps=0.1),
        lambda t, p: momentum_polynomial(0.8, 0.3 / (1 - 0.8**t) / (p + 0.1)),
    ),
    "nadam": (
        gdlab.nadam(0.3, 0.8, 0.99, eps=0.1),
        lambda t, p: nadam_polynomial(0.8, t, 0.3 / (p + 0.1)),
    ),
    "rmsprop": (
        gdlab.rmsprop(0.3, 0.95, eps=0.1),
        lambda t, p: [1, 0.3 / np.sqrt((1 - 0.95**t) * p**2 + 0.1) - 1],
    ),
    "adagrad": (
        gdlab.adagrad(0.3, 0.1, eps=0.2),
        lambda t, p: [1, 0.3 / np.sqrt(0.1 + t * p**2 + 0.2) - 1],
    ),
    "scheduled gradient descent": (
        gdlab.sgd(gdlab.exponential_decay(0.3, 10, 0.5)),
        lambda t, p: [1, 0.3 * 0.5 ** ((t - 1) / 10) - 1],
    ),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", AT_A_STEP)
def test_at_a_step_scales_corrections_and_schedules_are_those_of_this_update(name):
    tx, polynomial = AT_A_STEP[name]
    sizes = np.array([0.5, 4.0])
    for t in (1, 2, 7, 1000):
        found = linearize(tx, [1.0, 1.0], step=t, gradient_rms=sizes)
        expected = [polynomial(t, p) for p in sizes]
        np.testing.assert_allclose(found.characteristic, expected, rtol=1e-11, atol=1e-13)


# At a state: scales held as a run left them, on a full Hessian.


def some_hessian(n, seed=0):
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return rotation * np.geomspace(0.1, 20, n) @ rotation.T


def with_momentum(slopes, beta):
    """The poles r of r² − (1 + β − (1 − β)x)r + β, for each x."""
    return np.concatenate([np.roots(heavy_ball((1 - beta) * x, beta)) for x in slopes])


def test_poles_of_adam_at_a_noisy_state_are_those_of_the_preconditioned_hessian():
    b1, b2, eps, eta, steps = 0.7, 0.9, 1e-2, 0.2, 9
    hessian, rng = some_hessian(4), np.random.default_rng(1)
    params = {"a": jnp.zeros(1), "b": jnp.zeros((3, 1))}
    tx, v = gdlab.adam(eta, b1, b2, eps), np.zeros(4)
    with jax.enable_x64(True):
        state = tx.init({"a": jnp.zeros(1), "b": jnp.zeros((3, 1))})
        for g in rng.normal(size=(steps, 4)) * [0.1, 1, 5, 1]:
            _, state = tx.update({"a": jnp.asarray(g[:1]), "b": jnp.asarray(g[1:, None])}, state)
            v = b2 * v + (1 - b2) * g**2
    preconditioner = np.sqrt(v / (1 - b2**steps)) + eps
    corrected = eta / (1 - b1**steps)
    for curvature, given in ((hessian, hessian), (np.diag(np.diag(hessian)), np.diag(hessian))):
        slopes = corrected * np.linalg.eigvals(curvature / preconditioner[:, None])
        found = linearize(tx, given, state=state, params=params)
        expected = np.poly(with_momentum(slopes, b1)).real
        np.testing.assert_allclose(found.characteristic, expected, rtol=1e-9, atol=1e-9)
        sizes = np.sort(np.abs(with_momentum(slopes, b1)))[::-1]
        np.testing.assert_allclose(np.abs(found.poles), sizes, atol=1e-7)
    assert found.coordinates[-4:] == tuple(f"w[{i}]" for i in range(4))
    assert found.matrix.shape == (8, 8)
    # A run in float32 leaves a state that is as good as its digits.
    coarse = jax.tree.map(
        lambda x: np.asarray(x, np.float32 if x.dtype == float else x.dtype), state
    )
    near = linearize(tx, given, state=coarse, params=params)
    np.testing.assert_allclose(near.characteristic, found.characteristic, rtol=1e-4, atol=1e-6)


def test_adagrad_at_a_state_is_gradient_descent_in_the_metric_of_its_sums():
    hessian = some_hessian(3)
    sums = np.array([0.5, 3.0, 40.0])
    tx = gdlab.full_matrix_adagrad(0.1, eps=1e-9)
    with jax.enable_x64(True):
        diagonal = gdlab.adagrad(0.1, 0.0, eps=1e-9)
        state = jax.tree.map(lambda _: jnp.asarray(sums), diagonal.init(jnp.zeros(3)))
        found = linearize(diagonal, hessian, state=state)
        full = jax.tree.map(lambda _: jnp.asarray(some_hessian(3, 1)), tx.init(jnp.zeros(3)))
        turned = linearize(tx, hessian, state=full)
    expected = np.linalg.eigvals(np.eye(3) - 0.1 * hessian / np.sqrt(sums + 1e-9)[:, None])
    np.testing.assert_allclose(np.sort(found.poles.real), np.sort(expected), rtol=1e-12)
    values, basis = np.linalg.eigh(some_hessian(3, 1))
    root = basis / np.sqrt(values + 1e-9) @ basis.T
    expected = np.linalg.eigvals(np.eye(3) - 0.1 * root @ hessian)
    np.testing.assert_allclose(np.sort(turned.poles.real), np.sort(expected), rtol=1e-9)


# Compositions that no table names, against their own iterates.

HESSIAN = some_hessian(3)
START = np.array([1.0, -2.0, 0.5]) * 1e-3
MASK = {"a": True, "b": False}


def on_tree(w):
    flat = jnp.concatenate([w["a"], w["b"]])
    g = jnp.asarray(HESSIAN) @ flat
    return {"a": g[:1], "b": g[1:]}


COMPOSITIONS = {
    "two traces": gdlab.chain(
        gdlab.trace(0.5), gdlab.trace(0.3, nesterov=True), gdlab.scale_by_learning_rate(0.01)
    ),
    "decay before momentum": gdlab.chain(gdlab.add_decayed_weights(0.3), gdlab.sgd(0.05, 0.8)),
    "decay beside momentum": gdlab.chain(
        gdlab.trace(0.6), gdlab.add_decayed_weights(0.3), gdlab.scale_by_learning_rate(0.03)
    ),
    "gradient plus its average": gdlab.chain(
        gdlab.fork(operator.add, gdlab.identity(), gdlab.ema(0.9)),
        gdlab.scale_by_learning_rate(0.05),
    ),
    "constant scales within a clip": gdlab.chain(
        gdlab.clip(1.0),
        gdlab.clip_by_global_norm(1.0),
        gdlab.scale_by_rms(1.0, eps=0.0, initial_scale=4.0),
        gdlab.trace(0.7),
        gdlab.scale_by_learning_rate(0.05),
    ),
    "guard": gdlab.apply_if_finite(gdlab.sgd(0.05, 0.7)),
    "look-ahead of two averages": gdlab.look_ahead(
        gdlab.chain(gdlab.ema(0.5), gdlab.sgd(0.05, 0.6))
    ),
    "observers": gdlab.chain(gdlab.sgd(0.05, 0.7), gdlab.params_ema(0.9), gdlab.params_ema(0.5)),
    "partition": gdlab.partition(
        {"slow": gdlab.sgd(0.01), "fast": gdlab.sgd(0.05, 0.7)},
        {"a": "slow", "b": "fast"},
    ),
    "mask": gdlab.chain(
        gdlab.masked(gdlab.trace(0.7), MASK), gdlab.masked(gdlab.scale(2.0), MASK), gdlab.sgd(0.01)
    ),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", COMPOSITIONS)
def test_composition_moves_as_its_own_code_does(name):
    tx, steps = COMPOSITIONS[name], 40
    with jax.enable_x64(True):
        start = {"a": jnp.asarray(START[:1]), "b": jnp.asarray(START[1:])}
        path = _path_on_tree(tx, start, steps)
    found = linearize(tx, HESSIAN, params=start)
    size = np.abs(path).max()
    np.testing.assert_allclose(found.simulate(START, steps), path, rtol=0, atol=1e-12 * size)
    # Cayley and Hamilton: the iterates obey the characteristic polynomial as a recurrence.
    order = len(found.characteristic)
    windows = np.lib.stride_tricks.sliding_window_view(path, order, axis=0)[..., ::-1]
    terms = windows * found.characteristic
    np.testing.assert_allclose(terms.sum(-1), 0, atol=1e-12 * np.abs(terms).max())


def _path_on_tree(tx, start, steps):
    @jax.jit
    def run(tx, params):
        def step(carry, _):
            params, state = carry
            updates, state = tx.update(on_tree(params), state, params, grad_fn=on_tree)
            new = gdlab.apply_updates(params, updates)
            return (new, state), params

        return jax.lax.scan(step, (params, tx.init(params)), length=steps + 1)[1]

    path = run(tx, start)
    return np.concatenate([np.asarray(path["a"]), np.asarray(path["b"])], axis=1)


def test_observers_and_dead_ends_are_left_out():
    tx = gdlab.chain(gdlab.sgd(0.05, 0.7), gdlab.params_ema(0.9))
    assert linearize(tx, 1.0).coordinates == ("trace", "w")
    np.testing.assert_allclose(
        linearize(tx, 2.0).characteristic, linearize(gdlab.sgd(0.05, 0.7), 2.0).characteristic
    )


@gdlab.leafwise(slots=("newer", "older"))
def delay_by_two():
    def init(like):
        return jnp.zeros_like(like), jnp.zeros_like(like)

    return init, lambda u, state: (state[1], (u, state[0]))


def test_what_comes_back_to_w_by_way_of_another_state_is_kept():
    found = linearize(gdlab.chain(delay_by_two(), gdlab.sgd(0.1)), 3.0)
    assert found.coordinates == ("newer", "older", "w")
    np.testing.assert_allclose(found.characteristic, [1, -1, 0, 0.3], atol=1e-15)


def test_a_momentum_of_zero_is_momentum_still():
    assert linearize(gdlab.sgd(0.05, 0.0), 1.0).matrix.shape == (2, 2)


def test_clipping_is_no_clipping_near_the_minimum_but_it_bounds_what_scales_have_seen():
    clipped = gdlab.chain(gdlab.clip_by_global_norm(1e-6), gdlab.rmsprop(0.1, eps=0.0))
    found = linearize(clipped, 3e-6, gradient_rms=5.0)
    np.testing.assert_allclose(found.characteristic, [1, 0.3 - 1], rtol=1e-12)


# Shapes, simulation and input


def test_simulation_of_a_spectrum_is_that_of_its_modes():
    tx, spectrum = gdlab.sgd(0.1, 0.8), np.array([0.3, 2.0, 9.0])
    together = linearize(tx, spectrum)
    assert together.matrix.shape == (3, 2, 2)
    assert together.characteristic.shape == (3, 3)
    start = np.array([1.0, -1.0, 2.0])
    path = together.simulate(start, 25)
    assert path.shape == (26, 3)
    # Products of other shapes are summed in another order, or with fused multiplications. Each of
    # the 25 steps is two sums of two products, with three roundings each, and no mode grows.
    rounding = 25 * 2 * 3 * np.finfo(float).eps * np.abs(path).max()
    for mode, curvature in enumerate(spectrum):
        alone = linearize(tx, curvature).simulate(start[mode], 25)
        np.testing.assert_allclose(alone, path[:, mode], rtol=0, atol=rounding)
    on_diagonal = linearize(tx, np.diag(spectrum)).simulate(start, 25)
    np.testing.assert_allclose(on_diagonal, path, rtol=0, atol=rounding)
    with jax.enable_x64(True):
        own = path_down(tx, _diagonal_gradient, jnp.asarray(start), 25)
    np.testing.assert_allclose(path, own, rtol=0, atol=rounding)


def _diagonal_gradient(w):
    return jnp.array([0.3, 2.0, 9.0]) * w


def test_simulation_from_a_number_starts_every_mode_there():
    path = linearize(gdlab.sgd(0.1), [1.0, 2.0]).simulate(3.0, 2)
    np.testing.assert_allclose(path, [[3, 3], [2.7, 2.4], [2.43, 1.92]])


def test_noise_comes_in_as_a_gradient_does():
    found = linearize(gdlab.sgd(0.1, 0.8), 3.0)
    np.testing.assert_allclose(found.input, [[1.0], [-0.1]])
    np.testing.assert_allclose(linearize(gdlab.sgd(0.1), [3.0, 5.0]).input, [[[-0.1]], [[-0.1]]])


def test_looking_ahead_starts_at_the_parameters_and_without_velocity():
    np.testing.assert_allclose(linearize(gdlab.nesterov(0.1, 0.8), 3.0).start, [[0.0], [1.0]])


def test_negative_curvature_leaves_by_one_plus_eta_lambda_and_none_stays():
    np.testing.assert_allclose(
        linearize(gdlab.sgd(0.1), [-3.0, 0.0]).poles, [[1.3], [1.0]], rtol=1e-15
    )
    assert linearize(gdlab.sgd(0.1, 0.5), 0.0).poles == pytest.approx([1.0, 0.5])


# What cannot be linearised


def _sign():
    return as_transformation(optax.chain(optax.scale_by_sign(), optax.scale(-0.1)))


REFUSED = {
    "sign": (_sign(), "not linear in the gradient"),
    "lion": (optax.lion(0.1), "cannot be linearised|not linear"),
    "adagrad": (gdlab.adagrad(0.1), r"no limit.*sum_of_squares.*step=.*state="),
    "adadelta": (gdlab.adadelta(), r"no limit.*mean_square_step.*step=.*state="),
    "accumulation over a long period": (
        gdlab.accumulate(gdlab.sgd(0.1), 100),
        "counter micro_step, and does not repeat within 64 steps; shorten.*within it",
    ),
    "coarse momentum": (
        gdlab.sgd(0.1, 0.9, accumulator_dtype=jnp.bfloat16),
        "bfloat16, too coarse",
    ),
    "no oddness": (
        as_transformation(
            optax.stateless(lambda g, _: jax.tree.map(lambda u: -0.1 * (u + u**2), g))
        ),
        "opposite gradients do not give the opposite update",
    ),
    "root": (
        as_transformation(
            optax.stateless(
                lambda g, _: jax.tree.map(lambda u: -jnp.sign(u) * jnp.sqrt(jnp.abs(u)), g)
            )
        ),
        "not linear in the gradient",
    ),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_linearised_is_refused_and_told_why(name):
    tx, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        linearize(tx, 1.0)


@pytest.mark.parametrize(
    "make",
    [
        # A number that is NaN is refused when it is handed in, and an array is not read there.
        lambda: gdlab.sgd(jnp.array(jnp.nan)),
        lambda: gdlab.sgd(np.inf),
        lambda: gdlab.adam(np.inf),
        lambda: gdlab.sgd(0.1, jnp.array(jnp.nan)),
    ],
    ids=["nan rate", "infinite rate", "infinite rate of adam", "nan momentum"],
)
def test_an_optimizer_whose_updates_are_not_finite_is_refused_with_this_reason(make):
    tx = make()
    with pytest.raises(ValueError, match="not finite"):
        linearize(tx, 1.0)


@pytest.mark.parametrize(
    ("curvature", "message"),
    [
        (np.ones((2, 3)), r"not of shape \(2, 3\)"),
        (np.ones((2, 2, 2)), r"not of shape \(2, 2, 2\)"),
        (np.zeros(0), r"not of shape \(0,\)"),
        ([1.0, np.nan, np.inf], "2 of it is not"),
        ([[1.0, 2.0], [0.0, 1.0]], "differ by 2"),
    ],
)
def test_a_curvature_that_is_none_is_refused(curvature, message):
    with pytest.raises(ValueError, match=message):
        linearize(gdlab.sgd(0.1), curvature)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"step": 0}, "step counts from 1.* not 0"),
        ({"step": -3}, "step counts from 1.* not -3"),
        ({"step": 2, "state": ()}, "give one of them"),
        ({"gradient_rms": [1.0] * 3}, r"gradient_rms must be a number, or of shape \(2,\), not"),
        ({"gradient_rms": 0.0}, "gradient_rms must be positive, not 0"),
        ({"gradient_rms": np.nan}, "gradient_rms must be finite"),
        ({"state": ()}, r"not one of adam\(0.1\)"),
        ({"params": np.zeros(3)}, "params hold 3 numbers, but the curvature has 2 directions"),
    ],
    ids=lambda x: "-".join(x) if isinstance(x, dict) else "",
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        linearize(gdlab.adam(0.1), [1.0, 2.0], **arguments)


def test_a_start_of_another_shape_is_refused():
    for curvature in ([1.0, 2.0], np.eye(2)):
        with pytest.raises(ValueError, match=r"w0 must be .* of shape \(2,\), not \(3,\)"):
            linearize(gdlab.sgd(0.1), curvature).simulate(np.ones(3), 2)


def test_a_state_of_other_shapes_is_refused_by_its_path():
    state = gdlab.sgd(0.1, 0.9).init(jnp.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"trace has the shape \(2, 2\).*\(4,\).*params="):
        linearize(gdlab.sgd(0.1, 0.9), np.eye(4), state=state)


def test_an_axis_is_refused_by_its_name():
    tx = gdlab.sgd(gdlab.Axis("learning_rate", [0.1, 0.2]))
    with pytest.raises((TypeError, ValueError), match=r"learning_rate"):
        linearize(tx, 1.0)


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(TypeError):
        linearize(0.1, 1.0)


# Compilations and precision


def test_other_hyperparameters_curvatures_and_steps_compile_nothing():
    linearize(gdlab.adam(0.3, 0.5), [0.1, 0.2])
    linearize(gdlab.adam(0.3, 0.5), [0.1, 0.2], step=3)

    def again():
        linearize(gdlab.adam(0.1, 0.9, 0.95, eps=1e-3), [7.0, 9.0], gradient_rms=5.0)
        linearize(gdlab.adam(0.1), [7.0, 9.0], step=11)

    assert count_compilations(again) == 0


def test_the_precision_of_the_session_neither_matters_nor_changes():
    results = []
    for x64 in (False, True):
        with jax.enable_x64(x64):
            results.append(linearize(gdlab.adam(0.3, 0.77), 2.0, gradient_rms=3.0).matrix)
            assert jax.config.jax_enable_x64 == x64
            assert jnp.ones(()).dtype == (jnp.float64 if x64 else jnp.float32)
    np.testing.assert_array_equal(*results)
    assert results[0].dtype == np.float64


@pytest.mark.x64
def test_strict_promotion_of_the_session_does_no_harm():
    found = linearize(gdlab.adam(0.1, 0.9, eps=0.0), 3.0).characteristic
    np.testing.assert_allclose(found, heavy_ball(0.03, 0.9), rtol=1e-12)


def test_the_state_of_a_number_goes_with_a_number_as_curvature():
    tx = gdlab.rmsprop(0.5, decay=0.75, eps=0.0)
    _, state = tx.update(jnp.array(4.0), tx.init(jnp.array(0.0)))
    # v = 16/4 after the first gradient, so w ← (1 − 0.5·3/2)w.
    assert linearize(tx, 3.0, state=state).poles[0] == pytest.approx(0.25, rel=1e-6)
