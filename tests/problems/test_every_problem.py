"""What each problem says of itself, held against what its function does.

Derivatives are JAX's, eigenvalues NumPy's; points that are lower are looked for on a grid, nearby
and along random lines.
"""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from gdlab.problems import Problem
from tests.problems.examples import ALL, EXAMPLES, FACTORIES, example

pytestmark = pytest.mark.x64

KINDS = ("minimisers", "local_minimisers", "saddles", "maximisers")


def each(where=lambda problem: True):
    chosen = [(name, number) for name, number in ALL if where(example(name, number))]
    return pytest.mark.parametrize(
        "problem",
        [pytest.param(example(*one), id=f"{one[0]}-{one[1]}") for one in chosen],
    )


def arguments(problem):
    """All the data, or of a network's as many as show what is to be seen."""
    if problem.data is None:
        return ()
    some = 32 if "network" in problem.tags else None
    return (jax.tree.map(lambda leaf: leaf[:some], problem.data),)


def on_data(problem):
    """The problem as a function of a flat vector, on its data and without a key."""
    args = arguments(problem)
    _, unravel = ravel_pytree(jax.tree.map(jnp.asarray, problem.start))
    return lambda vector: problem(unravel(vector), *args)


def flat(params):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)])


def critical_points(problem):
    return [flat(params) for kind in KINDS for params in getattr(problem, kind)]


def in_box(problem, points):
    return points if problem.box is None else np.clip(points, *problem.box)


@functools.cache
def compiled(problem):
    """Values and gradients at many points, and the Hessian at one: compiled once for a problem."""
    function = on_data(problem)
    many = jax.jit(jax.vmap(jax.value_and_grad(function)))
    return many, jax.jit(jax.hessian(function))


def at(problem, points):
    count = 1 if "network" in problem.tags else 1000
    padded = np.resize(points, (-(-len(points) // count) * count, points.shape[1]))
    chunks = jnp.asarray(padded.reshape(-1, count, points.shape[1]))
    found = [compiled(problem)[0](chunk) for chunk in chunks]
    return tuple(np.concatenate(parts)[: len(points)] for parts in zip(*found, strict=True))


def values_at(problem, points):
    return at(problem, points)[0]


def gradients_at(problem, points):
    return at(problem, points)[1]


def hessian_at(problem, vector):
    return np.asarray(compiled(problem)[1](jnp.asarray(vector)))


def rounding(problem):
    """What a sum of terms of the size of the value at the start leaves of digits."""
    return 1e-12 * (1 + abs(values_at(problem, flat(problem.start)[None])[0]))


def steepness(problem, vector):
    return max(1.0, np.abs(np.linalg.eigvalsh(hessian_at(problem, vector))).max())


def test_every_public_name_is_a_factory_with_an_example():
    missing = sorted(set(FACTORIES) - set(EXAMPLES))
    assert not missing, f"{missing} are public in gdlab.problems: add them to tests/problems"
    assert not set(EXAMPLES) - set(FACTORIES)


@each()
def test_problem_is_made_of_what_its_type_says(problem):
    assert isinstance(problem, Problem)
    assert problem.name
    assert problem.source[-4:].isdigit(), "a source ends with its year"
    assert problem.size == flat(problem.start).size
    shapes = jax.tree.map(np.shape, problem.start)
    for kind in KINDS:
        for params in getattr(problem, kind):
            assert jax.tree.map(np.shape, params) == shapes


@each()
def test_problem_is_called_like_its_function(problem):
    assert inspect.signature(problem) == inspect.signature(problem.function)
    assert ("key" in inspect.signature(problem).parameters) == ("noise" in problem.tags)
    args = arguments(problem)
    value = jax.eval_shape(problem, problem.start, *args)
    assert value.shape == ()


@each()
def test_value_has_the_dtype_of_the_parameters(problem):
    args = arguments(problem)
    for dtype in (jnp.float32, jnp.float64):
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), problem.start)  # noqa: B023
        gradient = jax.eval_shape(jax.grad(problem), params, *args)
        assert jax.eval_shape(problem, params, *args).dtype == dtype
        assert {leaf.dtype for leaf in jax.tree.leaves(gradient)} == {jnp.dtype(dtype)}


@each(lambda problem: problem.minimisers)
def test_value_at_each_minimiser_is_the_minimum(problem):
    values = values_at(problem, np.stack([flat(w) for w in problem.minimisers]))
    np.testing.assert_allclose(values, problem.minimum, rtol=1e-13, atol=rounding(problem))


@pytest.mark.sampled(6)
@each(lambda problem: problem.box is None and any(getattr(problem, kind) for kind in KINDS))
def test_gradient_is_zero_at_each_critical_point(problem):
    for vector in critical_points(problem):
        (gradient,) = gradients_at(problem, vector[None])
        curvature = 1.0 if "nonsmooth" in problem.tags else steepness(problem, vector)
        # The digits of a point are as good as float64 has them.
        assert np.abs(gradient).max() <= 1e-14 * curvature * max(1, np.abs(vector).max())


@each(lambda problem: problem.box is not None)
def test_slope_at_a_minimiser_on_the_wall_leads_out_of_the_box(problem):
    for params in problem.minimisers:
        (gradient,) = gradients_at(problem, flat(params)[None])
        low, high = problem.box
        assert ((flat(params) == low) | (flat(params) == high)).all()
        assert (np.where(flat(params) == low, gradient, -gradient) > 0).all()


@each(lambda problem: problem.minimisers)
def test_nothing_is_lower_than_the_minimum(problem):
    rng = np.random.default_rng(0)
    best, reach = flat(problem.minimisers[0]), 1 + np.abs(flat(problem.start))
    scales = np.geomspace(1e-4, 3, 40)[:, None, None]
    around = best + scales * reach * rng.normal(size=(40, 50, best.size))
    points = [around.reshape(-1, best.size)]
    if problem.bounds is not None:
        (left, right), (bottom, top) = problem.bounds
        x, y = np.meshgrid(np.linspace(left, right, 101), np.linspace(bottom, top, 101))
        points.append(np.column_stack([x.ravel(), y.ravel()]))
    values = values_at(problem, in_box(problem, np.concatenate(points)))
    assert values.min() >= problem.minimum - rounding(problem)


@each(lambda problem: problem.local_minimisers or problem.maximisers or problem.saddles)
def test_critical_points_are_what_they_are_called(problem):
    if "degenerate" in problem.tags:
        pytest.skip("its Hessian does not tell")
    signs = {
        "minimisers": {1},
        "local_minimisers": {1},
        "maximisers": {-1},
        "saddles": {-1, 1},
    }
    for kind, expected in signs.items():
        for params in getattr(problem, kind):
            eigenvalues = np.linalg.eigvalsh(hessian_at(problem, flat(params)))
            assert set(np.sign(eigenvalues)) == expected
    for params in problem.local_minimisers:
        assert values_at(problem, flat(params)[None])[0] > problem.minimum + rounding(problem)


@each(lambda problem: problem.saddles)
def test_there_is_a_way_down_and_a_way_up_from_a_saddle(problem):
    rng = np.random.default_rng(1)
    for params in problem.saddles:
        around = flat(params) + 1e-2 * rng.normal(size=(1000, problem.size))
        here, values = values_at(problem, flat(params)[None])[0], values_at(problem, around)
        assert values.min() < here < values.max()


@each(lambda problem: problem.minimum == -np.inf)
def test_problem_without_a_minimum_falls_without_end(problem):
    assert "unbounded" in problem.tags
    assert not problem.minimisers
    far = 1e6 * np.random.default_rng(2).normal(size=(500, problem.size))
    assert values_at(problem, far).min() < -1e6


@each(lambda problem: problem.spectrum is not None)
def test_spectrum_is_that_of_the_hessian(problem):
    (where, *_) = problem.minimisers + problem.saddles + problem.maximisers
    eigenvalues = np.linalg.eigvalsh(hessian_at(problem, flat(where)))
    scale = max(1e-300, np.abs(eigenvalues).max())
    np.testing.assert_allclose(problem.spectrum, eigenvalues, rtol=1e-12, atol=1e-13 * scale)


@each(lambda problem: problem.curvature_bounds is not None)
def test_every_curvature_lies_within_its_bounds(problem):
    low, high = problem.curvature_bounds
    rng = np.random.default_rng(3)
    reach = 1 + np.abs(flat(problem.start)).max()
    points = reach * np.geomspace(1e-2, 2, 5)[:, None] * rng.normal(size=(5, problem.size))
    eigenvalues = [np.linalg.eigvalsh(hessian_at(problem, point)) for point in points]
    slack = 1e-12 * max(abs(low), abs(high))
    assert np.min(eigenvalues) >= low - slack
    assert np.max(eigenvalues) <= high + slack


@each()
def test_tags_say_what_the_numbers_say(problem):
    tags, bounds, spectrum = problem.tags, problem.curvature_bounds, problem.spectrum
    assert ("saddle" in tags) == bool(problem.saddles)
    assert ("data" in tags) == (problem.data is not None)
    assert ("constrained" in tags) == (problem.box is not None)
    assert ("unbounded" in tags) == (problem.minimum == -np.inf)
    assert ("network" in tags) <= (problem.model is not None and problem.held_out is not None)
    if bounds is not None:
        assert ("convex" in tags) == (bounds[0] >= 0)
        assert ("quadratic" in tags) <= (tuple(spectrum[[0, -1]]) == bounds)
    if spectrum is not None:
        assert (np.abs(spectrum).min() < 1e-12 * max(1, spectrum.max())) == ("degenerate" in tags)
    if spectrum is not None and problem.minimisers:
        bent = spectrum[spectrum > 1e-12]
        assert ("ravine" in tags) == (bent.size > 0 and bent[-1] >= 10 * bent[0])


@each(lambda problem: "convex" in problem.tags and problem.box is None)
def test_convex_problem_lies_below_its_chords(problem):
    rng = np.random.default_rng(4)
    reach = 1 + np.abs(flat(problem.start))
    first, second = reach * rng.normal(size=(2, 1000, problem.size))
    middle = values_at(problem, (first + second) / 2)
    chord = (values_at(problem, first) + values_at(problem, second)) / 2
    assert (middle <= chord + 1e-12 * np.abs(chord)).all()


@each(lambda problem: "quadratic" in problem.tags)
def test_hessian_of_a_quadratic_is_the_same_everywhere(problem):
    points = np.random.default_rng(5).normal(size=(2, problem.size))
    first, second = (hessian_at(problem, point) for point in points)
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-13 * np.abs(first).max())


@each(lambda problem: "plateau" in problem.tags)
def test_slope_of_a_plateau_all_but_vanishes_somewhere_far_from_the_minimisers(problem):
    size = problem.size
    low, high = (-5.0, 5.0) if problem.bounds is None else np.transpose(problem.bounds)
    points = np.random.default_rng(6).uniform(low, high, size=(2000, size))
    apart = [np.linalg.norm(points - flat(w), axis=1) for w in problem.minimisers]
    far = points[np.min(apart, axis=0) > 1]
    slopes = np.linalg.norm(gradients_at(problem, far), axis=1)
    assert slopes.min() < 0.05 * slopes.max()


@each()
def test_start_is_a_point_with_a_slope(problem):
    start = flat(problem.start)
    (gradient,) = gradients_at(problem, start[None])
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 1e-4 * min(1, np.abs(gradient).max() + 1)
    for kind in KINDS:
        for params in getattr(problem, kind):
            assert np.abs(start - flat(params)).max() > 1e-3 * (kind != "saddles")
    if problem.bounds is not None:
        (left, right), (bottom, top) = problem.bounds
        for x, y in [start, *(flat(w) for kind in KINDS for w in getattr(problem, kind))]:
            assert left <= x <= right
            assert bottom <= y <= top


@each(lambda problem: problem.gradient_noise is not None)
def test_noise_of_the_gradient_has_its_covariance_and_mean_zero(problem):
    count = 20_000
    start = jnp.asarray(flat(problem.start))
    keys = jax.random.split(jax.random.key(0), count)
    draws = np.asarray(jax.jit(jax.vmap(jax.grad(problem), (None, 0)))(start, keys))
    expected, covariance = np.asarray(jax.grad(problem)(start)), problem.gradient_noise
    largest = np.linalg.eigvalsh(covariance).max()
    # Four standard errors of a mean and of a covariance of so many normal numbers.
    np.testing.assert_allclose(
        draws.mean(axis=0), expected, rtol=0, atol=4 * np.sqrt(largest / count)
    )
    np.testing.assert_allclose(
        np.cov(draws.T), covariance, rtol=0, atol=4 * largest * np.sqrt(2 / count)
    )


@each(lambda problem: "noise" in problem.tags)
def test_random_problem_differs_from_key_to_key_and_not_without_one(problem):
    args = arguments(problem)
    loss = jax.jit(problem)
    one, same, other = (
        float(loss(problem.start, *args, key=jax.random.key(seed))) for seed in (0, 0, 1)
    )
    assert one == same != other
    assert float(loss(problem.start, *args)) == float(loss(problem.start, *args, key=None))
