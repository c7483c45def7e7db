"""Functions of many variables, on a plane: what a browser computes against JAX and closed forms."""

import json
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.page.plane import plane_of

pytestmark = pytest.mark.x64(rank_promotion="allow")

RANDOM = np.random.default_rng(5)
CURVATURES = np.geomspace(1.0, 20.0, 12)
VECTORS = np.linalg.qr(RANDOM.normal(size=(12, 12)))[0]
START = RANDOM.normal(size=12)
INPUTS = RANDOM.normal(size=(20, 3))
PARAMS = {"b": np.zeros(4), "v": RANDOM.normal(size=4), "w": RANDOM.normal(size=(3, 4))}


def valley(w):
    return 0.5 * jnp.sum(jnp.asarray(CURVATURES) * (jnp.asarray(VECTORS.T) @ w) ** 2)


def network(params):
    hidden = jnp.tanh(jnp.asarray(INPUTS) @ params["w"] + params["b"])
    return jnp.mean((hidden @ params["v"] - jnp.asarray(INPUTS[:, 0] * INPUTS[:, 1])) ** 2)


def test_the_principal_plane_holds_runs_that_lie_in_one():
    inside = RANDOM.normal(size=(2, 7))
    path = RANDOM.normal(size=7) + RANDOM.normal(size=(30, 2)) @ inside
    plane = plane_of("principal", lambda w: 0.0, {"a": path}, None, "abcdefg")
    np.testing.assert_allclose(plane.distance(path), 0, atol=1e-12)
    np.testing.assert_allclose(plane.directions @ plane.directions.T, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(plane.coordinates(path[-1]), 0, atol=1e-12)


def test_the_principal_plane_of_a_single_point_has_orthonormal_directions():
    plane = plane_of("principal", lambda w: 0.0, {"a": np.ones((1, 4))}, None, "abcd")
    np.testing.assert_allclose(plane.directions @ plane.directions.T, np.eye(2), atol=1e-12)


def test_the_principal_plane_of_long_runs_takes_memory_in_proportion_to_their_length():
    path = RANDOM.normal(size=(3000, 3))
    tracemalloc.start()
    plane_of("principal", lambda w: 0.0, {"a": path}, None, "abc")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 30 * path.nbytes


@pytest.mark.slow
def test_the_plane_of_eigenvectors_has_the_extreme_curvatures():
    plane = plane_of("eigenvectors", valley, {"a": np.stack([START, 0 * START])}, None, "a" * 12)
    hessian = jax.hessian(plane.restricted(valley))(jnp.zeros(2))
    np.testing.assert_allclose(hessian, np.diag([1.0, 20.0]), atol=1e-9)


def test_the_plane_of_two_variables_has_their_values_as_coordinates():
    path = RANDOM.normal(size=(5, 3))
    plane = plane_of(("c", 0), lambda w: 0.0, {"a": path}, None, "abc")
    np.testing.assert_allclose(plane.coordinates(path), path[:, [2, 0]])
    assert plane.distance(path[-1]) == pytest.approx(0)
    assert plane.names == ("c", "a")


def settings(tab):
    return json.loads(tab.run("JSON.stringify(gdlab.settings())"))["optimizers"]


@pytest.mark.slow
def test_runs_in_twelve_variables_are_those_of_minimize_and_their_modes_follow_closed_forms(
    tab, tmp_path
):
    path = tmp_path / "valley.html"
    optimizers = {"descent": gdlab.sgd(0.08), "adam": gdlab.adam(0.1)}
    gdlab.explore(valley, optimizers, START, steps=40).save(path)
    tab.open(path)
    for name, tx in optimizers.items():
        run = gdlab.minimize(valley, jnp.asarray(START), tx, 40)
        np.testing.assert_allclose(settings(tab)[name]["values"], run.values, rtol=1e-9)
    errors = tab.run("gdlab.run('descent', gdlab.settings().start).errors.map((e) => [...e])")
    shown = np.linspace(0, 11, 6).round().astype(int)
    factors = (1 - 0.08 * CURVATURES[shown, None]) ** np.arange(41)
    expected = (VECTORS.T @ START)[shown, None] * factors
    np.testing.assert_allclose(np.abs(errors), np.abs(expected), rtol=1e-9, atol=1e-13)
    assert tab.run("document.getElementById('modes').clientWidth") > 200
    assert tab.complaints == []
    assert tab.requests == [path.as_uri()]


def test_a_network_runs_as_in_jax_and_beside_its_loss_stands_that_on_the_plane(tab, tmp_path):
    path = tmp_path / "network.html"
    tx = gdlab.adam(0.03)
    page = gdlab.explore(network, tx, PARAMS, steps=60)
    page.save(path)
    assert len(page.html) < 100_000
    run = gdlab.minimize(network, jax.tree.map(jnp.asarray, PARAMS), tx, 60)
    whole = np.concatenate([np.reshape(run.path[k], (61, -1)) for k in "bvw"], axis=1)
    plane = plane_of("principal", lambda w: 0.0, {"a": whole}, None, "a" * 20)
    unravel = jax.flatten_util.ravel_pytree(jax.tree.map(jnp.asarray, PARAMS))[1]
    on_plane = plane.restricted(lambda w: network(unravel(w)))
    tab.open(path, width=400)
    found = settings(tab)["adam"]
    np.testing.assert_allclose(found["values"], run.values, rtol=1e-9)
    coordinates = plane.coordinates(whole)
    np.testing.assert_allclose(np.reshape(found["path"], (61, 2)), coordinates, atol=1e-9)
    expected = jax.vmap(on_plane)(jnp.asarray(coordinates))
    np.testing.assert_allclose(found["projected"], expected, rtol=1e-8)
    # The start is moved along the plane and stays as far from it.
    tab.run("document.getElementById('map').focus()")
    tab.key("ArrowRight", "ArrowRight", windowsVirtualKeyCode=39)
    tab.frames(2)
    moved = np.asarray(tab.run("gdlab.settings().start")) - coordinates[0]
    start = unravel(jnp.asarray(whole[0] + moved @ plane.directions))
    expected = gdlab.minimize(network, start, tx, 60).values
    np.testing.assert_allclose(settings(tab)["adam"]["values"], expected, rtol=1e-8)
    assert tab.run("document.documentElement.scrollWidth") <= 400
    assert tab.complaints == []
