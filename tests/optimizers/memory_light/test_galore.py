"""GaLore: moments in the span of a few singular vectors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import agree, differ, gdlab_path, steps_of

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(16)
STEPS = 9
RATES = np.linspace(0.3, 0.1, STEPS)
MATRIX = RANDOM.normal(size=(5, 3))
GRADS = RANDOM.normal(size=(STEPS, 5, 3))


def path(grads=GRADS, params=MATRIX, **settings):
    settings = {"rank": 2, "update_proj_gap": 4} | settings
    return gdlab_path(lambda lr: gdlab.galore(lr, **settings), RATES, grads, params)


def test_where_nothing_is_projected_it_is_adamw():
    adamw = lambda lr: gdlab.adamw(lr, weight_decay=0.1)  # noqa: E731
    agree(path(rank=3, weight_decay=0.1), gdlab_path(adamw, RATES, GRADS, MATRIX))
    agree(
        path(GRADS[:, 0], MATRIX[0], weight_decay=0.1),
        gdlab_path(adamw, RATES, GRADS[:, 0], MATRIX[0]),
    )


def test_without_a_rule_inside_it_is_the_best_approximation_of_its_rank():
    gradient = jnp.asarray(GRADS[0])
    tx = gdlab.in_subspace(gdlab.identity(), 2)
    u, s, vh = np.linalg.svd(GRADS[0], full_matrices=False)
    agree(tx.update(gradient, tx.init(gradient))[0], (u[:, :2] * s[:2]) @ vh[:2], atol=1e-12)


def test_steps_stay_in_the_span_of_the_last_refresh_on_the_shorter_side():
    # Of 5 by 3 numbers it is the three columns that are projected: every row of a step lies in the
    # plane of the first two right singular vectors of the first gradient, or of the fifth.
    steps = steps_of(path(), MATRIX)
    for start in (0, 4):
        across = np.linalg.svd(GRADS[start])[2][2]
        agree(steps[start : start + 4] @ across, np.zeros((4, 5)), atol=1e-12)
    assert differ(steps[4:8] @ np.linalg.svd(GRADS[0])[2][2], np.zeros((4, 5)))


def test_moments_are_of_the_projected_shape_and_stay_at_a_refresh():
    tx = gdlab.galore(0.1, rank=2, update_proj_gap=1)
    state = tx.init({"tall": jnp.zeros((5, 3)), "wide": jnp.zeros((3, 5)), "bias": jnp.zeros(3)})
    shapes = {"tall": (5, 2), "wide": (2, 5), "bias": (3,)}
    assert jax.tree.map(jnp.shape, state.nu) == shapes
    assert jax.tree.map(jnp.shape, state.basis) == {"tall": (2, 3), "wide": (2, 3), "bias": ()}
    tx = gdlab.in_subspace(gdlab.ema(0.5), 2, 1)
    state, mean = tx.init(jnp.asarray(MATRIX)), 0
    for gradient in GRADS[:3]:
        rows = np.asarray(gdlab.singular_vectors(jnp.asarray(gradient.T), 2))
        mean = 0.5 * mean + 0.5 * gradient @ rows.T
        update, state = tx.update(jnp.asarray(gradient), state)
        agree(update, mean @ rows, atol=1e-12)


def test_the_other_side_is_projected_where_it_is_asked_for():
    # This is what optax has: it projects the longer side.
    steps = steps_of(path(axis=0, update_proj_gap=99), MATRIX)
    across = np.linalg.svd(GRADS[0])[0][:, 2:]
    agree(np.einsum("tij,ik->tkj", steps, across), np.zeros((STEPS, 3, 3)), atol=1e-12)
    assert differ(path(axis=0), path())
