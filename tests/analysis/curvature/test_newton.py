"""Newton's step against NumPy's solution of the dense system."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab.analysis import newton_step
from tests.analysis import networks

pytestmark = pytest.mark.x64(rank_promotion="allow")


def least_squares(w, batch):
    x, y = batch
    return 0.5 * jnp.mean((x @ w - y) ** 2)


@pytest.mark.parametrize(("size", "condition"), [(1, 1.0), (5, 1e6), (150, 1e6)])
def test_a_quadratic_is_solved_at_once(size, condition):
    rng = np.random.default_rng(size)
    rotation = np.linalg.qr(rng.normal(size=(size, size)))[0]
    matrix = rotation * np.geomspace(1, condition, size) @ rotation.T
    minimiser = jnp.asarray(rng.normal(size=size))

    def loss(w):
        return 0.5 * (w - minimiser) @ (jnp.asarray(matrix) @ (w - minimiser))

    new = newton_step(loss, jnp.asarray(rng.normal(size=size)))
    np.testing.assert_allclose(new, minimiser, atol=1e-14 * condition + 1e-12)


@pytest.mark.parametrize("batch_size", [None, 7])
def test_least_squares_are_solved_by_batches(batch_size):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)), rng.normal(size=30)
    new = newton_step(least_squares, jnp.ones(4), (x, y), batch_size=batch_size)
    np.testing.assert_allclose(new, np.linalg.lstsq(x, y, rcond=None)[0], rtol=1e-12)


def test_a_singular_system_has_the_shortest_step():
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(10, 40)), rng.normal(size=10), rng.normal(size=40)
    new = newton_step(least_squares, jnp.asarray(w), (x, y))
    np.testing.assert_allclose(new, w + np.linalg.pinv(x) @ (y - x @ w), rtol=1e-11, atol=1e-12)


def test_on_a_network_with_decay_it_is_the_dense_step():
    params, data = networks.parameters(), networks.examples()

    def loss(params, batch):
        decay = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))
        return networks.loss(params, batch) + decay

    dense = networks.dense_hessian(params, data, decay=1.0)
    gradient = networks.flat(jax.grad(loss)(params, data))
    new = newton_step(loss, params, data)
    expected = networks.flat(params) - np.linalg.solve(dense, gradient)
    np.testing.assert_allclose(networks.flat(new), expected, atol=1e-13)
    assert jax.tree.structure(new) == jax.tree.structure(params)


def test_steps_converge_quadratically():
    w, errors = jnp.array([0.5]), []
    for _ in range(4):
        w = newton_step(lambda w: jnp.sum(jnp.exp(w) - w), w)
        errors.append(abs(float(w[0])))
    # For e^w − w, the error e becomes e²/2 and less.
    for before, after in itertools.pairwise(errors):
        assert after <= before**2 / 2 + 1e-15


def test_at_a_critical_point_it_stays():
    w = jnp.zeros(3)
    np.testing.assert_array_equal(newton_step(lambda w: jnp.sum(w**2), w), w)


def test_parameters_keep_their_dtypes():
    w = {"a": jnp.asarray(1.0, "bfloat16"), "b": jnp.asarray(1.0, "float32")}
    new = newton_step(lambda w: w["a"] ** 2 + (w["b"] - 2) ** 2, w)
    # The decomposition of a 2 × 2 matrix is right to some units in the last place of float64.
    np.testing.assert_allclose([new["a"], new["b"]], [0.0, 2.0], rtol=0, atol=1e-15)
    assert [leaf.dtype for leaf in jax.tree.leaves(new)] == ["bfloat16", "float32"]


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda w: w[0] ** 2 - w[1] ** 2, "indefinite, with curvatures of -2"),
        (lambda w: w[0] ** 2 + w[1], "singular"),
        (lambda w: jnp.log(w[0] - 1), "gradient is not finite"),
    ],
)
def test_where_there_is_no_step_it_says_why_and_is_nan_under_jit(loss, message):
    with pytest.raises(ValueError, match=message):
        newton_step(loss, jnp.ones(2))
    assert np.isnan(jax.jit(lambda w: newton_step(loss, w))(jnp.ones(2))).all()


def test_directions_that_the_gradient_cannot_reach_do_not_matter():
    new = newton_step(lambda w: w[0] ** 2 - w[1] ** 2, jnp.array([1.0, 0.0]))
    # The decomposition of a 2 × 2 matrix is right to some units in the last place.
    np.testing.assert_allclose(new, [0.0, 0.0], atol=8 * np.finfo(float).eps)
