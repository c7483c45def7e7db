"""Shampoo: polar factors, rotations, blocks and grafting."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import gdlab
from gdlab.transforms.matrices.kronecker_roots import inverse_root
from tests.paths import agree, differ, gdlab_path, steps_of

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(7)
STEPS = 12
RATES = np.linspace(0.3, 0.1, STEPS)
MATRIX = RANDOM.normal(size=(4, 3))
GRADS = RANDOM.normal(size=(STEPS, 4, 3))


def path(grads=GRADS, params=MATRIX, **settings):
    return gdlab_path(lambda lr: gdlab.shampoo(lr, **settings), RATES, grads, params)


def direction(gradient, **settings):
    tx = gdlab.scale_by_kronecker_roots(**settings)
    gradient = jnp.asarray(gradient)
    return np.asarray(tx.update(gradient, tx.init(gradient))[0])


def turn(n):
    return np.linalg.qr(RANDOM.normal(size=(n, n)))[0]


def test_root_is_the_fractional_power_of_the_matrix():
    matrix = RANDOM.normal(size=(5, 9))
    matrix = matrix @ matrix.T
    for power in (0.25, 0.5, 1 / 6):
        expected = scipy.linalg.fractional_matrix_power(matrix + 0.1 * np.eye(5), -power)
        agree(inverse_root(jnp.asarray(matrix), power, 0.1, False), np.real(expected), rtol=1e-11)


def test_root_is_that_of_the_range_where_a_matrix_has_no_full_rank():
    # Rounding leaves eigenvalues of about 1e-16 of the largest, whose roots would be huge.
    thin = np.random.default_rng(3).normal(size=(6, 2))
    basis, scales, _ = np.linalg.svd(thin, full_matrices=False)
    for power in (0.25, 0.5):
        expected = basis * scales ** (-2 * power) @ basis.T
        agree(inverse_root(jnp.asarray(thin @ thin.T), power, 0.0, False), expected, rtol=1e-10)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("settings", [{}, {"axes": 0}, {"axes": 1}, {"kronecker_sum": True}])
def test_without_accumulation_a_square_matrix_becomes_its_polar_factor(settings):
    square = RANDOM.normal(size=(3, 3))
    polar = scipy.linalg.polar(square)[0]
    agree(direction(square, decay=0.0, eps=0.0, **settings), polar, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("settings", [{}, {"axes": 1}])
def test_without_accumulation_a_matrix_of_full_rank_becomes_its_polar_factor(settings):
    polar = scipy.linalg.polar(MATRIX)[0]
    agree(direction(MATRIX, decay=0.0, eps=0.0, **settings), polar, rtol=1e-10, atol=1e-11)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("shape", [(), (5,), (3, 3), (3, 4, 2), (2, 3, 2, 2)])
def test_first_direction_does_not_depend_on_the_scale_of_the_loss_at_any_rank(shape):
    # With the exponent −1/k in place of −1/2k it would fall with the scale.
    gradient = RANDOM.normal(size=shape)
    agree(direction(1e3 * gradient, eps=0.0), direction(gradient, eps=0.0), rtol=1e-10, atol=1e-11)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("settings", [{}, {"decay": 0.9}, {"axes": 0, "decay": 0.9}])
def test_turning_the_coordinates_of_the_axes_turns_the_path(settings):
    left, right = turn(4), turn(3)
    settings = {"eps": 1e-2, "momentum": 0.5} | settings
    turned = path(left @ GRADS @ right, left @ MATRIX @ right, **settings)
    agree(turned, left @ path(**settings) @ right, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_root_of_both_factors_bounds_the_full_matrix_times_the_rank(rank):
    grads = np.stack(
        [RANDOM.normal(size=(4, rank)) @ RANDOM.normal(size=(rank, 3)) for _ in range(20)]
    )
    tx = gdlab.scale_by_kronecker_roots()
    state = tx.init(jnp.zeros((4, 3)))
    for gradient in grads:
        _, state = tx.update(jnp.asarray(gradient), state)
    left, right = (scipy.linalg.sqrtm(np.asarray(factor[0])) for factor in state.factors)
    full = sum(np.outer(g, g) for g in grads.reshape(20, -1))
    bound = rank * np.kron(left, right)
    assert np.linalg.eigvalsh(bound - full).min() > -1e-10 * np.linalg.norm(full)


def test_a_vector_has_the_diagonal_form_and_does_not_turn():
    adagrad = gdlab_path(lambda lr: gdlab.adagrad(lr, 0.0, 1e-3), RATES, GRADS[:, 0], MATRIX[0])
    agree(path(GRADS[:, 0], MATRIX[0], eps=1e-3), adagrad)


@pytest.mark.slow
def test_blocks_are_arrays_of_their_own():
    blocked = path(block_size=2)
    # Four rows make two blocks of two, three columns one of two and one of one.
    for rows in (slice(0, 2), slice(2, 4)):
        for columns in (slice(0, 2), slice(2, 3)):
            alone = path(GRADS[:, rows, columns], MATRIX[rows, columns])
            agree(blocked[:, rows, columns], alone)
    assert differ(blocked, path())


def test_axes_are_chosen_by_leaf():
    tx = gdlab.shampoo(0.1, decay=0.9, axes=[("a", 0), ("", (0, 1))])
    state = tx.init({"a": jnp.zeros((4, 3)), "b": jnp.zeros((4, 3))})
    shapes = jax.tree.map(jnp.shape, state.factors)
    assert shapes == {"a": ((1, 4, 4),), "b": ((1, 4, 4), (1, 3, 3))}


def test_a_grafted_step_has_the_length_of_the_graft_and_the_direction_of_the_factors():
    rule = gdlab.scale_by_rss(0.0, 1e-7)
    adagrad = gdlab_path(lambda lr: gdlab.adagrad(lr, 0.0), RATES, GRADS, MATRIX)
    onto, plain = path(graft=rule, eps=1e-2), path(eps=1e-2)
    for step, other, own in zip(
        *(steps_of(p, MATRIX) for p in (onto, adagrad, plain)), strict=True
    ):
        agree(np.linalg.norm(step), np.linalg.norm(other))
        agree(step / np.linalg.norm(step), own / np.linalg.norm(own), atol=1e-12)


def test_the_graft_goes_alone_before_the_start():
    rule = gdlab.scale_by_rss(0.0, 1e-7)
    adagrad = gdlab_path(lambda lr: gdlab.adagrad(lr, 0.0), RATES, GRADS, MATRIX)
    both = path(graft=rule, start=4)
    agree(both[:4], adagrad[:4])
    # The factors have seen all gradients.
    agree(np.diff(both, axis=0)[3:], np.diff(path(graft=rule), axis=0)[3:], atol=1e-12)
    with pytest.raises(ValueError, match="give graft as well"):
        gdlab.shampoo(0.1, start=3)


def test_roots_are_kept_between_the_steps_at_which_they_are_due():
    tx = gdlab.scale_by_kronecker_roots(0.9, every=3)
    state, seen = tx.init(jnp.asarray(MATRIX)), []
    for gradient in jnp.asarray(GRADS[:7]):
        _, state = tx.update(gradient, state)
        seen.append(np.asarray(state.roots[0]))
    changes = [differ(after, before) for before, after in itertools.pairwise(seen)]
    assert changes == [False, False, True, False, False, True]
