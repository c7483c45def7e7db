"""A problem is a loss: it trains, it is swept, and it is compiled once."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import Axis, problems, sgd


def test_problem_is_minimised_like_its_function():
    problem = problems.beale()
    run = gdlab.minimize(problem, problem.start, sgd(0.01), steps=5)
    same = gdlab.minimize(problem.function, problem.start, sgd(0.01), steps=5)
    np.testing.assert_array_equal(run.path, same.path)


def test_problem_with_data_is_trained_on_batches():
    problem = problems.least_squares()
    setting = {"data": problem.data, "batch_size": 50, "key": jax.random.key(0)}
    run = gdlab.minimize(problem, problem.start, sgd(0.02), steps=400, **setting)
    assert run.values[-50:].mean() < 1.2 * problem.minimum < 0.9 * run.values[0]


def test_random_problem_is_given_keys_by_a_sweep():
    problem = problems.quadratic([1.0, 2.0], noise=1.0)
    result = gdlab.sweep(
        problem,
        problem.start,
        sgd(Axis("learning_rate", [0.0, 0.5])),
        steps=3,
        seeds=2,
        progress=False,
    )
    assert len(np.unique(np.asarray(result.loss)[0])) > 1


def test_several_problems_are_swept_together():
    both = {"booth": problems.booth(), "matyas": problems.matyas()}
    starts = {name: problem.start for name, problem in both.items()}
    result = gdlab.sweep(
        both, starts, sgd(Axis("learning_rate", [0.01, 0.1])), steps=3, progress=False
    )
    assert result.dims[0] == "problem"


def test_two_problems_are_equal_only_if_they_are_one():
    first, second = problems.booth(), problems.booth()
    assert first == first
    assert first != second
    assert len({first, second, first}) == 2


def test_unknown_tag_is_refused():
    with pytest.raises(ValueError, match="'steep'"):
        problems.Problem(lambda w: w, "linear", 0.0, "nobody, 2000", tags=frozenset({"steep"}))  # type: ignore[arg-type]


@pytest.mark.x64
def test_condition_number_of_a_hundred_million_keeps_eight_digits_in_float64():
    spectrum = np.geomspace(1e-8, 1.0, 12)
    problem = problems.quadratic(spectrum, problems.random_rotation(12))
    eigenvalues = np.linalg.eigvalsh(np.asarray(jax.hessian(problem)(jnp.asarray(problem.start))))
    assert problem.spectrum[-1] / problem.spectrum[0] == pytest.approx(1e8)
    # A rounding of the largest curvature, 1e-16, is eight digits below the smallest. There is one
    # for each of the twelve products whose sum an element of the Hessian is.
    np.testing.assert_allclose(eigenvalues, spectrum, rtol=0, atol=12 * np.finfo(float).eps)
    slowest = problem.minimisers[0] + 1e-3 * problem_axes(problem)[:, 0]
    np.testing.assert_allclose(float(problem(slowest)), 0.5 * 1e-8 * 1e-6, rtol=1e-6)


@pytest.mark.x64
def test_largest_curvature_of_logistic_regression_is_met_where_all_probabilities_are_a_half():
    problem = problems.logistic_regression(0.01)
    inputs = np.asarray(problem.data[0])
    # The sigmoid is steepest at 0, where its slope is ¼.
    hessian = inputs.T @ inputs / (4 * len(inputs)) + 0.01 * np.eye(inputs.shape[1])
    there = jax.hessian(problem)(jnp.zeros(problem.size), problem.data)
    np.testing.assert_allclose(there, hessian, rtol=1e-10, atol=1e-14)
    assert problem.curvature_bounds is not None
    low, high = problem.curvature_bounds
    np.testing.assert_allclose(high, np.linalg.eigvalsh(hessian)[-1], rtol=1e-12)
    # Far out all examples are told apart for certain, and the decay alone is left.
    assert low == 0.01


def problem_axes(problem):
    return np.linalg.eigh(np.asarray(jax.hessian(problem)(jnp.asarray(problem.start))))[1]


@pytest.mark.x64
def test_modes_of_a_noisy_quadratic_have_their_stationary_variances():
    curvatures, deviations, eta = np.array([1.0, 4.0]), np.array([0.5, 2.0]), 0.2
    problem = problems.quadratic(curvatures, 0.6, noise=deviations, start=[0.0, 0.0])

    def end(key):
        return gdlab.minimize(problem, problem.start, sgd(eta), 60, key=key).params

    ends = jax.vmap(end)(jax.random.split(jax.random.key(1), 4000))
    turn = np.array([[np.cos(0.6), -np.sin(0.6)], [np.sin(0.6), np.cos(0.6)]])
    measured = np.var(np.asarray(ends) @ turn, axis=0)
    law = eta * deviations**2 / (curvatures * (2 - eta * curvatures))
    np.testing.assert_allclose(measured, law, rtol=4 * np.sqrt(2 / 4000))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], np.eye(3)), "rotation has the shape"),
        (([1.0, 2.0], np.ones((2, 2))), "must be orthogonal"),
        (([1.0, 2.0, 3.0], 0.5), "rotation has the shape"),
        (([[1.0]],), "spectrum must be a list of numbers"),
    ],
)
def test_quadratic_that_does_not_fit_is_refused(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        problems.quadratic(*arguments)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: problems.rosenbrock(1), "size must be a whole number between 2 and"),
        (lambda: problems.quadratic([1.0], noise=-1.0), "noise is a standard deviation"),
        (lambda: problems.least_squares(0), "from 1 to 442"),
        (lambda: problems.logistic_regression(0.0), "regularisation must be positive"),
        (lambda: problems.rare_large_gradient(2.0), "slope must be more than 2"),
        (lambda: problems.rotated(problems.heavy_ball_cycle(), 1.0), "only a vector"),
        (
            lambda: problems.rotated(dataclasses.replace(problems.booth(), box=(0.0, 1.0)), 1.0),
            "has a box",
        ),
        (lambda: problems.rescaled(problems.rare_large_gradient(), 2.0), "has a box"),
        (lambda: problems.rescaled(problems.booth(), -1.0), "must be positive"),
        (lambda: problems.dense_network([]), "widths"),
        (lambda: problems.dense_network([4], dropout=1.0), "dropout"),
        (lambda: problems.dense_network([4], shift=8), "shift"),
        (lambda: problems.convolutional_network((4, 8), (1,)), "2 channels, but 1 strides"),
        (lambda: problems.measure_network(problems.booth(), None), "no network"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "name",
    ["ackley", "griewank", "levy", "rastrigin", "rosenbrock", "styblinski_tang", "zakharov"],
)
@pytest.mark.parametrize("size", [0, 2.5])
def test_a_function_of_no_number_of_variables_is_refused_by_its_name(name, size):
    with pytest.raises(
        (TypeError, ValueError), match=f"{name}: size must be a whole number .* not {size}"
    ):
        getattr(problems, name)(size)


def test_parameters_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"Rosenbrock has parameters of shape \(2,\), not \(3,\)"):
        problems.rosenbrock()(jnp.ones(3))
