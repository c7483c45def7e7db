"""Sophia and AdaHessian, and the estimate of the diagonal of the Hessian that they share."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

import gdlab
from gdlab import minimize
from gdlab.transforms.probes.hutchinson import rademacher_like
from tests.references import curvature as ref

pytestmark = pytest.mark.x64

RANDOM = np.random.default_rng(7)
HALF = RANDOM.normal(size=(4, 4))
HESSIAN = HALF + HALF.T


def quadratic(w):
    return 0.5 * jnp.vdot(w, HESSIAN @ w)


def estimate(key, w):
    tx = gdlab.hutchinson()
    grad_fn = jax.grad(quadratic)
    return tx.update(grad_fn(w), tx.init(w), w, grad_fn=grad_fn, key=key)[0]


# --- Hutchinson


def test_probes_are_plus_and_minus_one_and_as_often_the_one_as_the_other():
    like = {"a": jnp.zeros((40, 50)), "b": jnp.zeros(2000)}
    probe = rademacher_like(jax.random.key(0), like)
    for leaf in jax.tree.leaves(probe):
        assert set(np.unique(leaf).tolist()) == {-1.0, 1.0}
        assert abs(float(leaf.mean())) < 4 / 2000**0.5
    both = jnp.mean(probe["a"].ravel() * probe["b"])
    assert abs(float(both)) < 4 / 2000**0.5


def test_the_mean_of_the_estimates_is_the_diagonal():
    keys = jax.random.split(jax.random.key(1), 4000)
    estimates = np.asarray(jax.vmap(estimate, (0, None))(keys, jnp.ones(4)))
    error = np.abs(estimates.mean(0) - np.diag(HESSIAN))
    assert (error < 5 * estimates.std(0) / 4000**0.5).all()
    # Each deviates by the elements beside the diagonal, with signs.
    off = np.abs(HESSIAN - np.diag(np.diag(HESSIAN))).sum(1)
    assert (np.abs(estimates - np.diag(HESSIAN)[None]).max(0) <= off + 1e-12).all()


def test_of_a_diagonal_hessian_one_probe_tells_all():
    loss = lambda w: jnp.sum(jnp.arange(1.0, 4.0) * w**4)  # noqa: E731
    tx, w = gdlab.hutchinson(), jnp.array([1.0, -2.0, 0.5])
    extra = {"grad_fn": jax.grad(loss), "key": jax.random.key(3)}
    found, _ = tx.update(w, tx.init(w), w, **extra)
    np.testing.assert_allclose(found, 12 * np.arange(1, 4) * np.asarray(w) ** 2, rtol=1e-14)


# --- Sophia

CURVATURE = np.array([0.5, 2.0, -1.0, 8.0])


@gdlab.leafwise
def fixed():
    return lambda u: jnp.asarray(CURVATURE, u.dtype)


def optax_fixed():
    return optax.GradientTransformation(
        lambda _: optax.EmptyState(), lambda u, s, _=None: (jnp.asarray(CURVATURE), s)
    )


def test_sophia_is_optaxs_but_for_its_correction_and_the_age_of_its_curvature():
    grads = RANDOM.normal(size=(25, 4))
    rates = np.full(25, 0.1)
    given = {"b1": 0.9, "b2": 0.8, "gamma": 0.3, "weight_decay": 0.05, "update_interval": 4}
    theirs = optax.contrib.sophia(0.1, hessian_diagonal_fn=optax_fixed(), **given)
    w, path = jnp.ones(4), []
    with jax.numpy_dtype_promotion("standard"):
        state = theirs.init(w)
        for g in grads:
            updates, state = theirs.update(jnp.asarray(g), state, w)
            w = w + updates
            path.append(w)
    known = {"learning_rate": rates, "curvature": lambda _: CURVATURE, **given}
    departs = {"bias_correction": True, "hessian_first": False}
    np.testing.assert_allclose(path, ref.sophia(grads, np.ones(4), **known, **departs), rtol=1e-10)
    tx = gdlab.sophia(0.1, hessian_diagonal_fn=fixed(), **given)
    w, state, path = jnp.ones(4), tx.init(jnp.ones(4)), []
    for g in grads:
        updates, state = tx.update(jnp.asarray(g), state, w)
        w = w + updates
        path.append(w)
    np.testing.assert_allclose(path, ref.sophia(grads, np.ones(4), **known), rtol=1e-10)


def test_no_element_of_sophia_moves_farther_than_the_learning_rate():
    tx = gdlab.sophia(0.1, weight_decay=0.0)
    loss = lambda w: jnp.sum(1e4 * jnp.cosh(w))  # noqa: E731
    run = minimize(loss, jnp.array([3.0, -2.0, 1e-3]), tx, 12, key=jax.random.key(0))
    steps = np.abs(np.diff(run.path, axis=0))
    assert steps.max() <= 0.1 * (1 + 1e-12)


def test_the_hessian_is_estimated_once_a_period():
    seen = []

    def gradient(w):
        jax.debug.callback(lambda: seen.append(None))
        return w

    tx, w = gdlab.sophia(0.1, update_interval=5), jnp.ones(3)
    state = tx.init(w)
    step = jax.jit(lambda s: tx.update(w, s, w, grad_fn=gradient, key=jax.random.key(0))[1])
    for _ in range(11):
        state = step(state)
    jax.effects_barrier()
    assert len(seen) == 3


# --- AdaHessian


def test_where_the_curvature_is_the_gradient_adahessian_is_adam():
    given = {"b1": 0.8, "b2": 0.9, "eps": 1e-3}
    ours = gdlab.adahessian(0.1, **given, hessian_diagonal_fn=gdlab.identity())
    loss = lambda w: jnp.sum(jnp.cosh(w)) + w[0] * w[1]  # noqa: E731
    start = jnp.array([1.0, -2.0])
    key = jax.random.key(0)
    paths = [minimize(loss, start, tx, 30, key=key).path for tx in (ours, gdlab.adam(0.1, **given))]
    np.testing.assert_allclose(*paths, rtol=1e-12)


def test_a_change_of_units_changes_nothing():
    units = jnp.array([1e3, 1e-2, 1.0])
    loss = lambda w: jnp.sum(jnp.cosh(w) + w**4)  # noqa: E731
    start, key = jnp.array([1.0, -0.5, 2.0]), jax.random.key(0)
    tx = gdlab.adahessian(0.2, eps=0.0)
    run = minimize(loss, start, tx, 20, key=key)
    other = minimize(lambda w: loss(w / units), start * units, tx, 20, key=key)
    np.testing.assert_allclose(other.path / units[None], run.path, rtol=1e-9)


def test_curvatures_are_averaged_over_the_window_of_a_convolution():
    tx = gdlab.spatial_mean()
    kernel = jnp.asarray(RANDOM.normal(size=(3, 2, 4, 5)))
    mean, _ = tx.update(kernel, tx.init(kernel))
    np.testing.assert_allclose(mean[1, 1], kernel.mean((0, 1)), rtol=1e-13)
    matrix = kernel[0, 0]
    np.testing.assert_array_equal(tx.update(matrix, tx.init(matrix))[0], matrix)
