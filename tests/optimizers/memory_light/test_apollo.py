"""APOLLO: gradients scaled by columns, as Adam scales a projection."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import agree, gdlab_path

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(17)
STEPS = 9
RATES = np.linspace(0.3, 0.1, STEPS)
MATRIX = RANDOM.normal(size=(3, 5))
GRADS = RANDOM.normal(size=(STEPS, 3, 5))
KEY = jax.random.key(3)


def path(grads=GRADS, params=MATRIX, **settings):
    settings = {"rank": 2} | settings
    return gdlab_path(lambda lr: gdlab.apollo(lr, **settings), RATES, grads, params)


def test_where_nothing_is_projected_it_is_adamw_with_limited_growth():
    adamw = lambda lr: gdlab.adamw(lr, weight_decay=0.1)  # noqa: E731
    far = {"weight_decay": 0.1, "max_growth": 1e9}
    agree(path(rank=3, **far), gdlab_path(adamw, RATES, GRADS, MATRIX))
    agree(
        path(GRADS[:, 0], MATRIX[0], weight_decay=0.1),
        gdlab_path(adamw, RATES, GRADS[:, 0], MATRIX[0]),
    )


@pytest.mark.parametrize("share", ["channel", "tensor"])
def test_first_step_has_the_lengths_that_signs_have(share):
    # Adam's first step is one of signs: ‖sign(R)‖ = √r for each column of the projection R.
    tx = gdlab.scale_from_subspace(gdlab.scale_by_adam(eps=0.0), 2, share=share)
    gradient = jnp.asarray(GRADS[0])
    update, state = tx.update(gradient, tx.init(gradient), key=KEY)
    rows = gdlab.gaussian_rows(jax.random.key(state.seed), (2, 3), jnp.float64)
    axis = 0 if share == "channel" else None
    lengths = np.linalg.norm(np.asarray(rows) @ GRADS[0], axis=axis)
    agree(update, GRADS[0] * np.sqrt(2 if share == "channel" else 10) / lengths)


def test_columns_keep_their_directions():
    tx = gdlab.scale_from_subspace(gdlab.scale_by_adam(), 2)
    state = tx.init(jnp.asarray(MATRIX))
    for gradient in GRADS:
        update, state = tx.update(jnp.asarray(gradient), state, key=KEY)
        ratio = np.asarray(update) / gradient
        agree(ratio, np.broadcast_to(ratio[0], ratio.shape))
        assert (ratio > 0).all()


def test_a_seed_is_kept_and_not_a_projection():
    tx = gdlab.apollo(0.1, rank=2, update_proj_gap=2)
    state, seeds = tx.init(jnp.asarray(MATRIX)), []
    assert jax.tree.map(jnp.shape, state.mu) == (2, 5)
    for key in jax.random.split(KEY, 4):
        _, state = tx.update(jnp.asarray(GRADS[0]), state, jnp.asarray(MATRIX), key=key)
        seeds.append(int(state.seed))
    assert seeds[0] == seeds[1] != seeds[2] == seeds[3]


def test_random_rows_keep_squared_lengths_in_the_mean():
    rows = gdlab.gaussian_rows(KEY, (4000, 3), jnp.float64)
    # Four thousand squares know their mean to √(2/4000).
    np.testing.assert_allclose(rows.T @ rows, np.eye(3), atol=6 * np.sqrt(2 / 4000))


def test_norms_grow_by_a_factor_at_most():
    tx = gdlab.limit_norm_growth(1.5)
    sizes = [1.0, 9.0, 0.1, 0.0, 7.0, 8.0]
    state, found = tx.init(jnp.zeros(2)), []
    for size in sizes:
        update, state = tx.update(size * jnp.array([0.6, -0.8]), state)
        found.append(float(jnp.linalg.norm(update)))
    agree(found, [1.0, 1.5, 0.1, 0.0, 7.0, 8.0])


def test_a_share_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="share must be 'channel' or 'tensor', not 'row'"):
        gdlab.apollo(0.1, share="row")


def test_complex_matrices_turn_with_their_gradients():
    """A phase goes through every step, so complex numbers are as good as pairs of real ones."""
    turn = np.exp(0.7j)
    agree(path(GRADS * turn, MATRIX * turn), path(GRADS + 0j, MATRIX + 0j) * turn)
