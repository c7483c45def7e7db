"""SOAP: Adam in a basis that turns with the problem."""

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import agree, differ, gdlab_path, steps_of

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(9)
STEPS = 14
RATES = np.linspace(0.3, 0.1, STEPS)
SQUARE = RANDOM.normal(size=(4, 4))
GRADS = RANDOM.normal(size=(STEPS, 4, 4))


def path(grads=GRADS, params=SQUARE, **settings):
    settings = {"weight_decay": 0.0, "every": 3} | settings
    return gdlab_path(lambda lr: gdlab.soap(lr, **settings), RATES, grads, params)


def adam_a_step_late(grads, params, **settings):
    """Adam without the first gradient, and with the other learning rates."""
    later = gdlab_path(
        lambda lr: gdlab.adam(lr, 0.95, 0.95, **settings), RATES[1:], grads[1:], params
    )
    return np.concatenate([params[None], later])


@pytest.mark.sampled(1)
@pytest.mark.parametrize("settings", [{}, {"statistics": "kl"}])
def test_turning_the_coordinates_of_the_axes_turns_the_path(settings):
    left, right = (np.linalg.qr(RANDOM.normal(size=(4, 4)))[0] for _ in range(2))
    turned = path(left @ GRADS @ right, left @ SQUARE @ right, **settings)
    agree(turned, left @ path(**settings) @ right, rtol=1e-8, atol=1e-8)
    adam = gdlab_path(gdlab.adam, RATES, left @ GRADS @ right, left @ SQUARE @ right)
    assert differ(adam, left @ gdlab_path(gdlab.adam, RATES, GRADS, SQUARE) @ right)


def test_where_nothing_is_turned_it_is_adam_that_does_not_see_the_first_gradient():
    agree(path(max_dim=3), adam_a_step_late(GRADS, SQUARE))
    agree(path(GRADS[:, 0], SQUARE[0]), adam_a_step_late(GRADS[:, 0], SQUARE[0]))
    assert differ(path(), adam_a_step_late(GRADS, SQUARE))


def test_in_a_basis_that_is_the_coordinates_it_is_adam():
    # The grams of diagonal gradients are diagonal, with the largest entry first.
    size = np.array([4.0, 3.0, 2.0, 1.0])
    grads = np.stack([np.diag(size * (1 + 0.1 * row)) for row in RANDOM.normal(size=(STEPS, 4))])
    agree(path(grads, SQUARE), adam_a_step_late(grads, SQUARE))


def test_the_skipped_step_is_not_counted_by_the_corrections():
    # The first step that counts is one of Adam's, ±η in each direction of the first basis.
    first, second = steps_of(path(eps=0.0), SQUARE)[:2]
    assert not first.any()
    left, right = (np.linalg.eigh(m)[1] for m in (GRADS[0] @ GRADS[0].T, GRADS[0].T @ GRADS[0]))
    agree(np.abs(left.T @ second @ right), np.full((4, 4), RATES[1]), rtol=1e-9)


def test_bases_are_refreshed_after_every_third_step_that_counts():
    tx = gdlab.scale_by_soap(every=3)
    state, seen = tx.init(jnp.asarray(SQUARE)), []
    for gradient in jnp.asarray(GRADS[:8]):
        _, state = tx.update(gradient, state)
        seen.append(np.asarray(state.basis[0]))
    changed = [differ(*pair) for pair in zip([np.eye(4), *seen], seen, strict=False)]
    assert changed == [True, False, False, True, False, False, True, False]
    for basis in seen:
        agree(basis @ basis.T, np.eye(4), atol=1e-12)


def test_squares_go_along_when_eigenvectors_change_places():
    # After the first step the second direction grows beyond the first.
    tx = gdlab.scale_by_soap(every=1)
    small, large = (np.diag([1.0, x]) + 1e-3 * RANDOM.normal(size=(2, 2)) for x in (0.5, 9.0))
    state = tx.init(jnp.zeros((2, 2)))
    for gradient in (small, large):
        _, state = tx.update(jnp.asarray(gradient), state)
    # The square of the large one stands first now, and the basis begins with its direction.
    assert float(state.nu[0, 0]) == pytest.approx(0.05 * 81, rel=0.02)
    assert abs(float(state.basis[0][1, 0])) == pytest.approx(1, abs=1e-2)


def test_with_one_turned_axis_statistics_of_least_divergence_are_means_over_the_other():
    tx = gdlab.scale_by_soap(max_dim=3, statistics="kl", factor_decay=0.9)
    grads = GRADS[:5, :3]
    state = tx.init(jnp.asarray(grads[0]))
    factor = grads[0] @ grads[0].T / 4
    for gradient in grads:
        factor = 0.9 * factor + 0.1 * gradient @ gradient.T / 4
        _, state = tx.update(jnp.asarray(gradient), state)
    agree(state.factors[0], factor)


def test_names_that_there_are_not_are_refused():
    with pytest.raises(ValueError, match="refresh must be 'qr' or 'eigh', not 'svd'"):
        gdlab.in_eigenbasis(gdlab.identity(), refresh="svd")
    with pytest.raises(ValueError, match="must be 'gram' or 'kl', not 'fisher'"):
        gdlab.soap(0.1, statistics="fisher")
