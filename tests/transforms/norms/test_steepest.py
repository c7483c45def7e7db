"""Steepest directions: of norm one, and with the dual norm as inner product."""

import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import scion, steepest
from tests.paths import gdlab_path
from tests.references.matrix import lmo

pytestmark = pytest.mark.x64

G = np.random.default_rng(3).normal(size=(4, 6))  # inputs, outputs

NORMS = {
    "spectral": (
        lambda w: np.linalg.norm(w, 2) * np.sqrt(4 / 6),
        lambda g: np.linalg.norm(g, "nuc") * np.sqrt(6 / 4),
    ),
    "sign": (lambda w: 4 * np.abs(w).max(), lambda g: np.abs(g).sum() / 4),
    "column": (
        lambda w: np.sqrt(np.mean(w**2, 1)).max(),
        lambda g: np.sqrt(6) * np.linalg.norm(g, axis=1).sum(),
    ),
    "row": (
        lambda w: np.sqrt(4) * np.linalg.norm(w, axis=0).max(),
        lambda g: np.linalg.norm(g, axis=0).sum() / np.sqrt(4),
    ),
    "rms": (
        lambda w: np.sqrt(np.mean(w**2)),
        lambda g: np.linalg.norm(g) * np.sqrt(24),
    ),
}
"""Each norm, and the one that is dual to it."""


def after(tx, g=G):
    g = jnp.asarray(g)
    return tx.update(g, tx.init(g))[0]


@pytest.mark.parametrize("name", NORMS)
def test_the_direction_has_norm_one_and_no_other_such_ascends_more(name):
    norm, dual = NORMS[name]
    u = np.asarray(after(steepest(name, "polar_express", 10, 0.0)))
    # Polar Express leaves 1e-9 at its fixed point.
    np.testing.assert_allclose(norm(u), 1, rtol=1e-6)
    np.testing.assert_allclose(np.sum(G * u), dual(G), rtol=1e-6)
    np.testing.assert_allclose(u, lmo(G, name, 0.0, exact=True), atol=1e-6)
    for other in np.random.default_rng(0).normal(size=(20, 4, 6)):
        assert np.sum(G * other) / norm(other) <= dual(G)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", NORMS)
def test_constrained_weights_stay_in_the_ball(name):
    norm, _ = NORMS[name]
    grads = np.random.default_rng(1).normal(size=(30, 4, 6))
    make = lambda lr: scion(lr, 0.7, norms=name, ns_coeffs="polar_express", ns_steps=10)  # noqa: E731
    path = gdlab_path(make, np.linspace(1, 0.01, 30), grads, np.zeros((4, 6)))
    assert max(map(norm, path)) <= 0.7 * (1 + 1e-6)
    assert max(map(norm, path)) > 0.5


def test_norms_and_radii_are_chosen_by_path():
    params = {"embed": jnp.ones((3, 2)), "hidden": jnp.eye(2), "bias": jnp.array([3.0, 4.0])}
    tx = scion(1.0, [("embed", 10.0), ("", 1.0)], 0.0, [("embed", "sign")], constrained=False)
    updates, _ = tx.update(params, tx.init(params), params)
    np.testing.assert_allclose(updates["embed"], np.full((3, 2), -10 / 3))
    np.testing.assert_allclose(updates["bias"], -np.array([3, 4]) / np.sqrt(12.5), rtol=1e-7)
    assert 0.6 < -updates["hidden"][0, 0] < 1.3


def test_scaling_the_loss_changes_nothing():
    grads = np.random.default_rng(1).normal(size=(5, 4, 6))
    for name in NORMS:
        make = lambda lr: scion(lr, norms=name, eps=0.0)  # noqa: B023, E731
        once, much = (
            gdlab_path(make, np.full(5, 0.1), factor * grads, np.ones((4, 6)))
            for factor in (1.0, 1e5)
        )
        np.testing.assert_allclose(once, much, rtol=1e-9)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"there are 'auto', 'spectral', .*, not 'nuclear'"):
        after(steepest("nuclear"))
    with pytest.raises(ValueError, match=r"'sign' is for matrices, .* shape \(3,\) is none"):
        after(steepest("sign"), np.ones(3))
