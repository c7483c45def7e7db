"""MARS: what its correction does, exactly and approximately, and to which leaves."""

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from tests.paths import agree, differ, gdlab_path, path_down
from tests.references.mars import mars as paper

pytestmark = pytest.mark.x64

MATRIX = np.random.default_rng(5).normal(size=(30, 3, 4))
LONG = {"grads": MATRIX, "params": MATRIX[0]}


def test_mars_without_a_correction_is_adamw_on_shortened_gradients():
    shortened = MATRIX / np.maximum(np.linalg.norm(MATRIX, axis=(1, 2), keepdims=True), 1)
    agree(
        gdlab_path(lambda lr: gdlab.mars(lr, gamma=0.0, weight_decay=0.1), **LONG),
        gdlab_path(
            lambda lr: gdlab.adamw(lr, 0.95, 0.99, weight_decay=0.1),
            grads=shortened,
            params=MATRIX[0],
        ),
    )


def test_vectors_are_given_to_adamw_with_numbers_of_their_own():
    vector = {"grads": MATRIX[:, 0], "params": MATRIX[0, 0]}
    adamw = gdlab_path(lambda lr: gdlab.adamw(lr, 0.9, 0.95, weight_decay=0.1), **vector)
    agree(gdlab_path(lambda lr: gdlab.mars(lr, gamma=9.0), **vector), adamw)
    own = gdlab_path(lambda lr: gdlab.mars(lr, adam_learning_rate=0.0), **vector)
    agree(own, np.tile(MATRIX[0, 0], (30, 1)))


@pytest.mark.parametrize("exact", [True, False])
def test_mars_on_a_quadratic_takes_the_steps_of_its_algorithm(exact):
    curvature, start = np.linspace(0.5, 3.0, 12).reshape(3, 4), 0.05 * MATRIX[0]
    grad_fn = lambda w: curvature * w  # noqa: E731
    tx = gdlab.mars(0.03, gamma=0.5, exact=exact)
    path = path_down(tx, grad_fn, jnp.asarray(start), 20)
    expected = paper(grad_fn, start, learning_rate=np.full(20, 0.03), gamma=0.5, exact=exact)
    agree(path[1:], expected)
    # The two differ by the first step alone: before it the approximation knows no gradient.
    other = paper(grad_fn, start, learning_rate=np.full(20, 0.03), gamma=0.5, exact=not exact)
    assert differ(path[1:], other)


def test_exact_correction_is_free_of_the_noise_and_the_approximate_one_is_not():
    """∇fₜ(w) = w − ξₜ: the difference of two gradients on the same data knows no ξ."""
    points, noise = MATRIX[:10, 0], MATRIX[10:20, 1]

    def corrections(exact):
        tx = gdlab.reduce_variance(1.0, 0.5, exact=exact)
        state, every = tx.init(jnp.asarray(points[0])), []
        for w, xi in zip(points, noise, strict=True):
            grad_fn = lambda w, xi=xi: w - xi  # noqa: E731
            w = jnp.asarray(w)
            u, state = tx.update(grad_fn(w), state, w, grad_fn=grad_fn)
            every.append(u - grad_fn(w))
        return np.stack(every[1:])

    np.testing.assert_allclose(corrections(True), np.diff(points, axis=0), atol=1e-14)
    np.testing.assert_allclose(corrections(False), np.diff(points - noise, axis=0), atol=1e-14)


def test_norm_is_bounded_array_by_array():
    """One large array leaves the others their length, which a global norm would not."""
    params = {"small": jnp.full((1, 2), 0.1), "large": jnp.full((2, 2), 100.0)}
    tx = gdlab.mars(1.0, b1=0.0, b2=0.0, eps=1.0, eps_root=0.0)
    updates, _ = tx.update(params, tx.init(params), params)
    np.testing.assert_allclose(updates["small"], np.full((1, 2), -0.1 / 1.1))
    np.testing.assert_allclose(updates["large"], np.full((2, 2), -0.5 / 1.5))
