"""Adafactor: matrices of rank one, their memory, and the decay."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gdlab
from tests.paths import agree, differ, gdlab_path, per_step, steps_of

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(12)
STEPS = 8
RATES = np.linspace(0.3, 0.1, STEPS)
MATRIX = RANDOM.normal(size=(4, 3))
GRADS = RANDOM.normal(size=(STEPS, 4, 3))


def path(grads=GRADS, params=MATRIX, **settings):
    settings = {"min_dim_size_to_factor": 2} | settings
    return gdlab_path(lambda lr: gdlab.adafactor(lr, **settings), RATES, grads, params)


def test_gradients_whose_squares_have_rank_one_are_scaled_as_without_factors():
    rows, columns = RANDOM.uniform(0.5, 2, size=(2, 4))
    signs = np.sign(GRADS)
    grads = signs * np.outer(rows, columns[:3])
    agree(path(grads), path(grads, factored=False))
    agree(steps_of(path(grads, multiply_by_parameter_scale=False), MATRIX)[0], -0.3 * signs[0])


def test_margins_of_the_average_are_averages_of_the_margins():
    tx = gdlab.factored_ema(0.7, 2)
    state, mean = tx.init(jnp.asarray(MATRIX)), np.zeros((4, 3))
    for squares in GRADS**2:
        found, state = tx.update(jnp.asarray(squares), state)
        mean = 0.7 * mean + 0.3 * squares
    agree(np.mean(found, 0), mean.mean(0))
    agree(np.mean(found, 1), mean.mean(1))


@pytest.mark.parametrize(
    ("shape", "axes", "kept"),
    [
        ((300, 200), "largest", ((1, 200), (300, 1))),
        ((200, 300), "last", ((200, 1), (1, 300))),
        ((200, 3, 300), "largest", ((200, 3, 1), (1, 3, 300))),
        ((200, 3, 300), "last", ((200, 3, 300), ())),
        ((127, 300), "largest", ((127, 300), ())),
        ((300,), "largest", ((300,), ())),
    ],
)
def test_the_axes_that_are_factored_are_long(shape, axes, kept):
    state = jax.eval_shape(gdlab.factored_ema(0.9, axes=axes).init, jnp.zeros(shape))
    found = tuple(jax.tree.map(jnp.shape, slot) for slot in (state.rows, state.columns))
    assert sorted(found, key=len) == sorted(kept, key=len)
    assert {found[0], found[1]} == set(kept)


def test_tiny_gradients_do_not_vanish_on_the_way():
    # The product of a row's and a column's mean square would be 1e-64.
    gradient = jnp.full((4, 4), 1e-16, jnp.float32)
    tx = gdlab.scale_by_factored_rms(min_dim_size_to_factor=2, epsilon=0.0)
    np.testing.assert_allclose(tx.update(gradient, tx.init(gradient))[0], 1, rtol=1e-5)


def test_scaling_the_loss_changes_nothing_and_scaling_the_weights_scales_the_steps():
    agree(path(1e3 * GRADS), path())
    agree(path(GRADS, 10 * MATRIX), 10 * path())


def test_decay_is_scaled_by_the_learning_rate_and_that_of_optax_is_not():
    still = 0 * GRADS
    agree(path(still, weight_decay_rate=0.1), MATRIX * np.cumprod(1 - 0.1 * RATES)[:, None, None])
    theirs = optax.adafactor(0.5, weight_decay_rate=0.1)
    with jax.numpy_dtype_promotion("standard"):
        updates, _ = theirs.update(
            jnp.zeros((4, 3)), theirs.init(jnp.asarray(MATRIX)), jnp.asarray(MATRIX)
        )
    agree(updates, -0.1 * MATRIX)


def test_without_a_learning_rate_the_step_is_that_of_the_paper():
    relative = gdlab_path(lambda _: gdlab.adafactor(), RATES, GRADS, MATRIX)
    agree(relative, gdlab_path(lambda _: gdlab.adafactor(0.01), RATES, GRADS, MATRIX))
    late = gdlab.at_most_inverse_root(0.01)(jnp.asarray(39_999))
    assert float(late) == pytest.approx(1 / 200)


def test_a_decay_of_ones_own_takes_the_place_of_the_one_that_rises():
    def scaled(lr, **settings):
        return gdlab.chain(
            gdlab.scale_by_factored_rms(min_dim_size_to_factor=2, **settings),
            gdlab.scale_by_learning_rate(lr),
        )

    rising = 1 - np.arange(1, STEPS + 1) ** -0.5
    own = gdlab_path(lambda lr: scaled(lr, decay=per_step(rising)), RATES, GRADS, MATRIX)
    agree(own, gdlab_path(lambda lr: scaled(lr, decay_rate=0.5), RATES, GRADS, MATRIX))
    assert differ(own, gdlab_path(scaled, RATES, GRADS, MATRIX))


def test_axes_that_there_are_not_are_refused():
    with pytest.raises(ValueError, match="axes must be 'largest' or 'last', not 'first'"):
        gdlab.adafactor(0.1, axes="first")
