"""The sharpness, once and along a run, against dense Hessians."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab.analysis import follow_sharpness, sharpness
from tests.analysis import networks

pytestmark = pytest.mark.x64(rank_promotion="allow")


def test_it_is_the_largest_and_not_the_steepest_curvature():
    value = sharpness(lambda w: w[0] ** 2 - 5 * w[1] ** 2, jnp.ones(2))
    assert isinstance(value, float)
    assert value == pytest.approx(2.0, rel=1e-14)


def test_a_preconditioner_scales_both_sides():
    rng = np.random.default_rng(0)
    matrix, diagonal = rng.normal(size=(20, 20)), rng.uniform(size=20)
    matrix += matrix.T
    loss = lambda w: 0.5 * w @ (jnp.asarray(matrix) @ w)  # noqa: E731
    expected = np.max(np.linalg.eigvals(diagonal[:, None] * matrix).real)
    w, preconditioner = jnp.ones(20), jnp.asarray(diagonal)
    assert sharpness(loss, w, preconditioner=preconditioner) == pytest.approx(expected, rel=1e-12)
    found = follow_sharpness(loss, w, jnp.zeros(20), preconditioner=preconditioner, iterations=20)
    assert found.value == pytest.approx(expected, rel=1e-12)


def test_a_negative_preconditioner_is_refused():
    with pytest.raises(ValueError, match="preconditioner must be finite, and not negative"):
        sharpness(lambda w: jnp.sum(w**2), jnp.ones(2), preconditioner=jnp.array([1.0, -1.0]))


def test_followed_along_a_run_it_is_that_of_dense_hessians():
    data = networks.examples()

    @jax.jit
    def run(params):
        def step(carry, _):
            params, vector = carry
            found = follow_sharpness(networks.loss, params, vector, data)
            gradient = jax.grad(networks.loss)(params, data)
            new = jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient)
            return (new, found.vector), (params, found.value, found.residual)

        start = params, jax.tree.map(jnp.zeros_like, params)
        return jax.lax.scan(step, start, length=20)[1]

    path, values, residuals = run(networks.parameters())
    for step in (0, 10, 19):
        params = jax.tree.map(lambda leaf: leaf[step], path)  # noqa: B023
        dense = networks.dense_hessian(params, data)
        largest = np.linalg.eigvalsh(dense)[-1]
        # A residual bounds the error, and its square over the gap does.
        np.testing.assert_allclose(values[step], largest, rtol=1e-2 if step == 0 else 1e-5)
        assert abs(values[step] - largest) <= residuals[step]


def test_an_eigenvalue_that_overtakes_is_found():
    def loss(w, c):
        return 0.5 * jnp.mean(c) * w[0] ** 2 + 0.5 * w[1] ** 2 + 0.05 * jnp.sum(w[2:] ** 2)

    w, vector, seen = jnp.ones(30), jnp.zeros(30), []
    follow = jax.jit(lambda vector, c: follow_sharpness(loss, w, vector, c))
    for curvature in (2.0, 1.5, 0.9, 0.5):
        value, vector, _ = follow(vector, jnp.array([curvature]))
        seen.append(value)
    np.testing.assert_allclose(seen, [2.0, 1.5, 1.0, 1.0], rtol=1e-9)


def test_a_run_that_diverges_has_no_sharpness_and_keeps_its_vector():
    given = jnp.array([3.0, 4.0])
    found = jax.jit(lambda w: follow_sharpness(lambda w: jnp.sum(jnp.log(w)), w, given))(
        jnp.zeros(2)
    )
    assert np.isnan(found.value)
    np.testing.assert_array_equal(found.vector, given)
    again = follow_sharpness(lambda w: jnp.sum(w**2), given, jnp.full(2, jnp.nan))
    assert again.value == pytest.approx(2.0)


def test_a_hessian_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="the Hessian is not finite"):
        sharpness(lambda w: jnp.sum(jnp.log(w)), jnp.zeros(2))
