"""Eigenpairs against NumPy's decomposition of dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab.analysis import hessian_eigenpairs
from tests.analysis import networks

pytestmark = pytest.mark.x64(rank_promotion="allow")


def quadratic(w, matrix):
    return 0.5 * w @ (matrix.astype(w.dtype) @ w)


def expected(matrix, k, which):
    values = np.linalg.eigvalsh(matrix)
    order = {"largest": -values, "smallest": values, "magnitude": -np.abs(values)}[which]
    return values[np.argsort(order)][:k]


def symmetric(size, rank, seed=0):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(size, rank))
    return factor * rng.choice([-1, 1], size=rank) @ factor.T


def test_those_of_a_network_are_numpys():
    params, data = networks.parameters(), networks.examples()
    dense = networks.dense_hessian(params, data)
    for which in ("largest", "smallest", "magnitude"):
        check_eigenpairs(
            hessian_eigenpairs(networks.loss, params, data, k=5, which=which), dense, which
        )


def check_eigenpairs(pairs, dense, which):
    np.testing.assert_allclose(pairs.values, expected(dense, 5, which), rtol=1e-9)
    assert jax.tree.map(jnp.shape, pairs.vectors["layer0"]) == {
        "kernel": (5, 10, 16),
        "bias": (5, 16),
    }
    vectors = np.concatenate(
        [np.reshape(leaf, (5, -1)) for leaf in jax.tree.leaves(pairs.vectors)], axis=1
    )
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(5), atol=1e-12)
    residuals = vectors @ dense - np.asarray(pairs.values)[:, None] * vectors
    np.testing.assert_allclose(np.linalg.norm(residuals, axis=1), pairs.residuals, atol=1e-12)
    assert np.max(pairs.residuals) < 1e-9


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("matrix", "k", "which"),
    [
        # One pass finds 1.6 and 1.3, converged, and a random restart the other 1.6. Were they
        # further from the rest, rounding would bring it in before the end of the pass.
        (np.diag(np.r_[1.6, 1.6, 1.3, np.linspace(-1, 1, 197)]), 2, "largest"),
        (np.eye(6), 6, "largest"),
        (np.zeros((4, 4)), 3, "magnitude"),
        (np.array([[-3.0]]), 1, "largest"),
        (np.diag([5.0, 5, 4, -7, -7, 1]), 4, "magnitude"),
        (symmetric(10, 3), 10, "largest"),
        (symmetric(100, 3), 6, "smallest"),
        # More than one pass each, as a Krylov space has one vector for an eigenvalue.
        (np.diag(np.r_[10.0, 10, 10, np.linspace(0, 9, 197)]), 4, "largest"),
        # Crowded at the wanted end, for which the small space does not do.
        (np.diag(0.9 ** np.arange(200)), 3, "smallest"),
    ],
)
def test_multiple_missing_and_crowded_eigenvalues_are_numpys(matrix, k, which):
    pairs = hessian_eigenpairs(quadratic, jnp.ones(len(matrix)), matrix, k=k, which=which)
    np.testing.assert_allclose(pairs.values, expected(matrix, k, which), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(pairs.vectors @ pairs.vectors.T, np.eye(k), atol=1e-10)


def test_a_start_at_the_wrong_eigenvector_ends_at_the_right_one():
    matrix = np.diag(np.r_[3.0, np.linspace(0, 2, 49)])
    for iterations in (None, 50):
        pairs = hessian_eigenpairs(
            quadratic, jnp.ones(50), matrix, start=jnp.eye(50)[49], iterations=iterations
        )
        np.testing.assert_allclose(pairs.values, [3.0])


def test_a_good_start_saves_iterations():
    matrix = np.diag(np.linspace(0, 1, 300))
    right = jnp.eye(300)[299]
    without, given = (
        hessian_eigenpairs(quadratic, jnp.ones(300), matrix, start=start, iterations=5)
        for start in (None, right + 1e-3)
    )
    assert given.residuals[0] < 0.01 < without.residuals[0]


def test_as_many_products_are_computed_as_asked_for():
    calls = []

    def loss(w):
        jax.debug.callback(lambda: calls.append(1))
        return 0.5 * jnp.arange(200.0) @ w**2

    hessian_eigenpairs(loss, jnp.ones(200), k=2, iterations=15)
    jax.effects_barrier()
    # Twelve vectors are kept, and each has its residual.
    assert len(calls) == 15 + 12


def test_float32_comes_within_its_precision():
    matrix = np.diag(np.r_[50.0, 20.0, np.linspace(-1, 1, 198)])
    pairs = hessian_eigenpairs(quadratic, jnp.ones(200, "float32"), matrix, k=2)
    assert pairs.values.dtype == np.float32
    np.testing.assert_allclose(pairs.values, [50.0, 20.0], rtol=2e-6)


def test_bfloat16_parameters_have_float32_eigenpairs():
    pairs = hessian_eigenpairs(quadratic, jnp.ones(2, "bfloat16"), np.diag([1.0, 2.0]))
    assert pairs.values.dtype == np.float32
    np.testing.assert_allclose(pairs.values, [2.0], rtol=1e-6)


def test_they_are_those_of_each_lane_under_vmap():
    curvatures = jnp.array([[1.0, 2.0, 3.0], [5.0, 4.0, np.nan], [0.0, 0.0, 0.0]])
    values = jax.jit(
        jax.vmap(lambda c: hessian_eigenpairs(lambda w: 0.5 * c @ w**2, jnp.ones(3)).values)
    )(curvatures)
    np.testing.assert_allclose(values, [[3.0], [np.nan], [0.0]])


def test_a_hessian_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="the Hessian is not finite"):
        hessian_eigenpairs(lambda w: jnp.sum(jnp.log(w)), jnp.zeros(3))


def test_eigenvalues_that_do_not_converge_are_warned_of(monkeypatch):
    monkeypatch.setattr("gdlab.analysis.curvature.eigenpairs._MOST_PASSES", 1)
    monkeypatch.setattr("gdlab.analysis.curvature.eigenpairs._MOST_NUMBERS", 1)
    matrix = np.diag(np.linspace(0, 1, 250))
    with pytest.warns(RuntimeWarning, match="largest eigenvalues have not all converged"):
        hessian_eigenpairs(quadratic, jnp.ones(250), matrix, k=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 4}, "k must be from 1 to 3, .* not 4"),
        ({"k": 0}, "k must be a whole number between 1 and .* not 0"),
        ({"which": "LM"}, "which must be 'largest'"),
        ({"k": 3, "iterations": 2}, "as many iterations"),
        ({"start": {"a": 1.0}}, "start and params differ"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        hessian_eigenpairs(lambda w: jnp.sum(w**2), jnp.ones(3), **arguments)


def test_an_eigenvalue_that_is_lost_in_rounding_beside_larger_ones_is_told():
    curvature = np.r_[1e6, np.geomspace(1, 1e-6, 99)]
    start = jnp.ones(100, jnp.float32)
    lost = jnp.asarray(curvature, jnp.float32)
    with pytest.warns(RuntimeWarning, match="smallest eigenvalue is lost in rounding"):
        hessian_eigenpairs(lambda w: 0.5 * lost @ w**2, start, which="smallest")
    largest = hessian_eigenpairs(lambda w: 0.5 * lost @ w**2, start)
    np.testing.assert_allclose(largest.values, [1e6], rtol=1e-5)
