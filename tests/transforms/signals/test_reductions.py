"""Means and sums over axes, and what is kept after them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import chain, ema, fork, identity, mean_over, outer_over_mean, square, sum_over

pytestmark = pytest.mark.x64

PARAMS = {
    "scalar": np.array(0.5),
    "vector": np.arange(3.0),
    "matrix": np.arange(12.0).reshape(4, 3),
    "cube": np.arange(24.0).reshape(2, 3, 4),
    "empty": np.zeros((0, 3)),
}


def second(signal):
    """Updates that are ``signal`` alone, broadcast to the whole shape."""
    return fork(lambda u, x: 0 * u + x, identity(), signal)


@pytest.mark.parametrize("axes", [(), (0,), (-1,), (1, -1), (0, 0)])
@pytest.mark.parametrize(("part", "reduce"), [(mean_over, np.mean), (sum_over, np.sum)])
def test_axes_that_an_array_has_are_reduced_over(part, reduce, axes):
    with jax.numpy_rank_promotion("allow"):
        tx = second(part(*axes))
        params = jax.tree.map(jnp.asarray, PARAMS)
        updates, _ = tx.update(params, tx.init(params))
    for name, w in PARAMS.items():
        own = {a % w.ndim for a in axes or range(w.ndim) if -w.ndim <= a < w.ndim}
        expected = reduce(w, axis=tuple(own), keepdims=True) if own and w.size else w
        np.testing.assert_allclose(updates[name], np.broadcast_to(expected, w.shape), rtol=1e-14)


def test_an_average_after_a_reduction_keeps_an_array_of_its_size():
    tx = second(chain(square(), mean_over(-1), ema(0.9)))
    with jax.numpy_rank_promotion("allow"):
        kept = tx.init(jax.tree.map(jnp.asarray, PARAMS)).ema
    assert jax.tree.map(jnp.shape, kept) == {
        "scalar": (),
        "vector": (1,),
        "matrix": (4, 1),
        "cube": (2, 3, 1),
        "empty": (0, 3),
    }


def test_matrix_of_rank_one_has_the_means_of_rows_and_columns():
    v = np.random.default_rng(0).uniform(0.1, 2.0, size=(4, 3))
    rows, columns = v.mean(1, keepdims=True), v.mean(0, keepdims=True)
    factored = np.asarray(outer_over_mean()(jnp.asarray(rows), jnp.asarray(columns)))
    np.testing.assert_allclose(factored.mean(1, keepdims=True), rows, rtol=1e-14)
    np.testing.assert_allclose(factored.mean(0, keepdims=True), columns, rtol=1e-14)
    assert np.linalg.matrix_rank(factored) == 1


def test_matrix_of_rank_one_has_the_least_divergence_from_the_one_it_stands_for():
    # Generalised Kullback–Leibler divergence, whose least value Adafactor's theorem is about.
    random = np.random.default_rng(1)
    v = random.uniform(0.1, 2.0, size=(4, 3))
    divergence = lambda w: np.sum(v * np.log(v / w) - v + w)  # noqa: E731
    rows, columns = v.mean(1, keepdims=True), v.mean(0, keepdims=True)
    best = np.asarray(outer_over_mean()(jnp.asarray(rows), jnp.asarray(columns)))
    for _ in range(50):
        other = rows * np.exp(0.1 * random.normal(size=(4, 1)))
        assert divergence(other * columns / rows.mean()) > divergence(best)


def test_a_matrix_without_squares_stays_zero():
    zero = outer_over_mean()(jnp.zeros((2, 1)), jnp.zeros((1, 3)))
    np.testing.assert_array_equal(zero, np.zeros((2, 3)))
