"""Steps along a sphere, and the brake on the way out of it."""

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import apply_updates, descend_on_sphere, radial_brake
from tests.oracles.method import GRADS, PARAMS

pytestmark = pytest.mark.x64

W, U = PARAMS["cube"], GRADS["cube"][0]


def after(tx, w=W, u=U):
    w, u = jnp.asarray(w), jnp.asarray(u)
    return apply_updates(w, tx.update(u, tx.init(w), w)[0])


def norms(w, axes):
    return np.sqrt(np.sum(np.asarray(w) ** 2, axis=axes))


@pytest.mark.parametrize(("letters", "axes"), [(None, (0, 1, 2)), ("bio", (1, 2)), ("iob", (0, 1))])
def test_each_matrix_has_a_sphere_of_its_own(letters, axes):
    moved = after(descend_on_sphere(0.3, letters))
    np.testing.assert_allclose(norms(moved, axes), norms(W, axes), rtol=1e-13)
    assert np.abs(moved - W).max() > 0.1


def test_a_direction_at_right_angles_turns_the_weights_by_the_arc_tangent_of_the_rate():
    w, u = jnp.array([0.0, 3.0]), jnp.array([7.0, 0.0])
    turned = after(descend_on_sphere(0.5), w, u)
    angle = np.arctan(0.5)
    np.testing.assert_allclose(turned, [-3 * np.sin(angle), 3 * np.cos(angle)], rtol=1e-12)


def test_without_a_gradient_and_from_zero_nothing_moves():
    np.testing.assert_array_equal(after(descend_on_sphere(0.3), W, 0 * U), W)
    np.testing.assert_array_equal(after(descend_on_sphere(0.3), 0 * W, U), 0 * W)


@pytest.mark.parametrize(("outward", "inward"), [(0.5, 1.0), (0.0, 0.0), (0.25, 0.5), (1.0, 1.0)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_norm_changes_by_the_part_that_the_brake_leaves(outward, inward, sign):
    u = 0.1 * sign * W + 0.05 * U
    braked = after(radial_brake(outward, inward, "bio"), W, u)
    before, plain = norms(W, (1, 2)), norms(W + u, (1, 2))
    left = np.where(plain > before, outward, inward)
    np.testing.assert_allclose(norms(braked, (1, 2)), before + left * (plain - before), rtol=1e-12)
    # Only the length differs from that of the step without a brake.
    ratio = np.asarray(braked) / (W + u)
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1, :1], ratio.shape), rtol=1e-12)


def test_without_a_brake_the_step_is_what_it_was():
    tx = radial_brake(1.0, 1.0)
    w, u = jnp.asarray(W), jnp.asarray(U)
    np.testing.assert_array_equal(tx.update(u, tx.init(w), w)[0], u)
    np.testing.assert_array_equal(radial_brake().update(0 * u, tx.init(w), w)[0], 0 * u)
