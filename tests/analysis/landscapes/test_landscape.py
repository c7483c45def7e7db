"""Landscapes of quadratics and small networks, against closed forms and NumPy."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import minimize, problems, sgd
from gdlab.analysis import landscape
from gdlab.progress import bar as bars
from tests.analysis import networks

RNG = np.random.default_rng(0)
BASIS = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
EIGENVALUES = np.array([9.0, 4.0, 1.0, 0.5, 0.0, -1.0])
HESSIAN = BASIS * EIGENVALUES @ BASIS.T
SLOPE = RNG.normal(size=6)


def quadratic(params):
    w = jnp.concatenate([jnp.ravel(params["kernel"]), params["bias"]])
    return w @ jnp.asarray(HESSIAN, w.dtype) @ w / 2 + jnp.asarray(SLOPE, w.dtype) @ w


def quadratic_in_numpy(w):
    return w @ HESSIAN @ w / 2 + SLOPE @ w


def params_of(w):
    return {"kernel": jnp.asarray(w[:4].reshape(2, 2)), "bias": jnp.asarray(w[4:])}


def flat(tree):
    """Rows of numbers, the kernel before the bias."""
    return np.concatenate(
        [np.reshape(tree["kernel"], (-1, 4)), np.reshape(tree["bias"], (-1, 2))], axis=1
    )


def path_of(rows):
    return {"kernel": jnp.asarray(rows[:, :4].reshape(-1, 2, 2)), "bias": jnp.asarray(rows[:, 4:])}


@pytest.mark.sampled(2)
@pytest.mark.x64
@pytest.mark.parametrize("directions", ["filter", "pca", "hessian", "random"])
def test_of_a_quadratic_it_is_exact(directions):
    rows = np.random.default_rng(1).normal(size=(7, 6))
    center = rows[-1]
    found = landscape(
        quadratic, params_of(center), directions=directions, path=path_of(rows), points=(5, 4),
        extent=((-1, 2), (-3, 0.5)),
    )  # fmt: skip
    first, second = flat(found.directions)
    np.testing.assert_array_equal(found.x, np.linspace(-1, 2, 5))
    np.testing.assert_array_equal(found.y, np.linspace(-3, 0.5, 4))
    expected = [
        [quadratic_in_numpy(center + x * first + y * second) for x in found.x] for y in found.y
    ]
    np.testing.assert_allclose(found.losses, expected, rtol=1e-12)
    np.testing.assert_allclose(found.loss, quadratic_in_numpy(center), rtol=1e-12)
    np.testing.assert_allclose(
        found.path_losses, [quadratic_in_numpy(row) for row in rows], rtol=1e-12
    )


@pytest.mark.x64
def test_along_eigenvectors_the_loss_curves_by_the_largest_eigenvalues():
    found = landscape(quadratic, params_of(np.zeros(6)), directions="hessian", points=9)
    first, second = flat(found.directions) @ SLOPE
    x, y = found.x, found.y[:, None]
    np.testing.assert_allclose(
        found.losses, 4.5 * x**2 + 2 * y**2 + first * x + second * y, atol=1e-10
    )
    assert found.names == ("eigenvector of λ = 9", "eigenvector of λ = 4")


@pytest.mark.x64
def test_random_directions_keep_lengths():
    found = landscape(
        lambda w: jnp.sum(w**2), jnp.zeros(30), directions="random", key=jax.random.key(3)
    )
    np.testing.assert_allclose(found.losses, found.x**2 + found.y[:, None] ** 2, atol=1e-12)


def test_another_key_draws_other_directions():
    one, same, other = (
        landscape(jnp.sum, jnp.zeros(9), directions="random", points=2, key=jax.random.key(key))
        for key in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.directions, same.directions)
    assert np.abs(one.directions - other.directions).max() > 0.1


def test_filters_have_the_norms_of_the_parameters_and_biases_do_not_move():
    params = {
        "dense": RNG.normal(size=(5, 3)).astype(np.float32),
        "conv": RNG.normal(size=(3, 3, 2, 4)).astype(np.float32),
        "bias": np.ones(3, np.float32),
        "scale": np.float32(2.0),
    }
    params["conv"][..., 1] = 0
    norm = lambda tree: sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree))  # noqa: E731
    directions = landscape(norm, params, points=2).directions
    for direction in np.asarray(directions["dense"]):
        np.testing.assert_allclose(
            np.sqrt((direction**2).sum(0)), np.sqrt((params["dense"] ** 2).sum(0)), rtol=1e-5
        )
    for direction in np.asarray(directions["conv"]):
        for channel in range(4):
            np.testing.assert_allclose(
                np.linalg.norm(direction[..., channel]),
                np.linalg.norm(params["conv"][..., channel]),
                rtol=1e-5,
            )
    assert not np.any(directions["bias"])
    assert not np.any(directions["scale"])


def test_rescaling_the_layers_of_a_relu_network_leaves_its_filter_normalised_picture_unchanged():
    problem = problems.dense_network([12, 12], bias=False)
    images, labels = problem.data
    data = images[:60], labels[:60]
    factors = {"dense0": 16.0, "dense1": 0.5, "out": 0.125}
    rescaled = {
        name: {"kernel": factors[name] * layer["kernel"]} for name, layer in problem.start.items()
    }
    pictures = {
        directions: [
            landscape(problem, params, data, directions=directions, points=7).losses
            for params in (problem.start, rescaled)
        ]
        for directions in ("filter", "random")
    }
    np.testing.assert_allclose(*pictures["filter"], rtol=1e-5)
    assert np.ptp(pictures["filter"][0]) > 1
    # What does not know of filters sees another valley.
    assert np.abs(np.subtract(*pictures["random"])).max() > 0.1


@pytest.mark.slow
@pytest.mark.x64
def test_principal_components_explain_what_numpy_says_they_do():
    rows = np.random.default_rng(2).normal(size=(20, 6)) * [5, 3, 1, 1, 0.5, 0.1]
    found = landscape(quadratic, params_of(rows[3]), directions="pca", path=path_of(rows), points=2)
    _, sizes, components = np.linalg.svd(rows - rows.mean(axis=0))
    assert found.explained_variance == pytest.approx((sizes**2)[:2].sum() / (sizes**2).sum())
    np.testing.assert_allclose(
        np.abs(components[:2] @ flat(found.directions).T), np.eye(2), atol=1e-12
    )
    shares = 100 * sizes**2 / (sizes**2).sum()
    assert found.names == tuple(f"principal component {i + 1} ({shares[i]:.3g} %)" for i in (0, 1))
    assert np.all((found.path - found.path.mean(axis=0))[0] < 0)


@pytest.mark.x64
def test_a_path_is_projected_by_least_squares_onto_directions_that_are_not_at_right_angles():
    rng = np.random.default_rng(4)
    rows, spanning, center = rng.normal(size=(8, 6)), rng.normal(size=(2, 6)), rng.normal(size=6)
    spanning[1] += 2 * spanning[0]
    found = landscape(
        quadratic, params_of(center), directions=path_of(spanning), path=path_of(rows), points=2
    )
    coordinates = np.linalg.lstsq(spanning.T, (rows - center).T)[0].T
    np.testing.assert_allclose(found.path, coordinates, atol=1e-12)
    nearest = center + coordinates @ spanning
    np.testing.assert_allclose(
        found.gap,
        [quadratic_in_numpy(row) - quadratic_in_numpy(point)
         for row, point in zip(rows, nearest, strict=True)],
        atol=1e-11,
    )  # fmt: skip
    share = nearest.var(axis=0).sum() / rows.var(axis=0).sum()
    assert found.explained_variance == pytest.approx(share)
    for axis, along in zip((found.x, found.y), coordinates.T, strict=True):
        assert axis[0] < along.min()
        assert along.max() < axis[-1]


@pytest.mark.x64
def test_a_path_within_the_plane_has_no_gap_and_is_explained():
    run = minimize(lambda w: jnp.array([4.0, 1.0, 0.0]) @ w**2 / 2, jnp.ones(3), sgd(0.2), steps=30)
    found = landscape(
        lambda w: jnp.array([4.0, 1.0, 0.0]) @ w**2 / 2, run.params, directions="pca", path=run.path
    )
    assert found.explained_variance == pytest.approx(1)
    np.testing.assert_allclose(found.gap, 0, atol=1e-12)
    np.testing.assert_allclose(found.path_losses, run.values, atol=1e-12)


@pytest.mark.x64(rank_promotion="allow")
def test_minibatches_and_chunks_change_nothing():
    params, data = networks.parameters(), networks.examples(23)
    whole = landscape(networks.loss, params, data, points=(6, 7))
    parts = landscape(networks.loss, params, data, points=(6, 7), batch_size=5)
    np.testing.assert_allclose(parts.losses, whole.losses, rtol=1e-12)
    row, column = 4, 1
    here = jax.tree.map(
        lambda leaf, way: leaf + whole.x[column] * way[0] + whole.y[row] * way[1],
        params, whole.directions,
    )  # fmt: skip
    np.testing.assert_allclose(whole.losses[row, column], networks.loss(here, data), rtol=1e-12)


def test_directions_can_be_those_of_another_landscape():
    params, data = networks.parameters(), networks.examples(10)
    one = landscape(networks.loss, params, data, points=3)
    again = landscape(networks.loss, params, data, points=3, directions=one.directions)
    np.testing.assert_array_equal(again.losses, one.losses)
    assert again.path is None
    assert again.gap is None


def test_a_progress_bar_counts_the_points_to_the_last(monkeypatch):
    shown = io.StringIO()
    shown.isatty = lambda: True
    monkeypatch.setattr(bars, "LOOK", bars.LOOK | {"file": shown, "mininterval": 0})
    monkeypatch.setattr(bars, "notebook_display", lambda: None)
    counted = []
    monkeypatch.setattr(bars.Bar, "advanced", lambda self, state, steps: counted.append(steps))
    path = jnp.ones((3, 4)) * jnp.arange(3.0)[:, None]
    landscape(jnp.sum, jnp.ones(4), directions="random", path=path, points=9)
    assert sum(counted) == 9 * 9 + 1 + 2 * 3
    assert len(counted) > 10
    assert "landscape" in shown.getvalue() or "points" in shown.getvalue()
    before = len(shown.getvalue())
    landscape(jnp.sum, jnp.ones(4), directions="random", points=9, progress=False)
    assert len(shown.getvalue()) == before


LINE = jnp.outer(jnp.arange(5.0), jnp.ones(3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"directions": "pca"}, "give path=run.path"),
        ({"directions": "pca", "path": LINE}, "no second principal"),
        ({"directions": "filter"}, "no filters to normalise by"),
        ({"directions": "up"}, "must be one of"),
        ({"directions": jnp.outer(jnp.array([1.0, -3.0]), jnp.arange(3.0))}, "parallel"),
        ({"directions": jnp.eye(3)[:2] * jnp.array([[1.0], [0.0]])}, "one of them is zero"),
        ({"directions": "random", "path": LINE.at[3, 1].set(jnp.nan)}, "not finite from step 3 on"),
        ({"directions": jnp.ones((3, 3))}, "directions"),
        ({"directions": "random", "path": jnp.ones((4, 2))}, "path"),
        ({"directions": "random", "extent": 0.0}, "extent must be a positive number"),
        ({"directions": "random", "extent": ((1, 0), (0, 1))}, "extent must be"),
        ({"directions": "random", "points": (1, 5)}, "points must be a whole number between 2"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        landscape(jnp.sum, jnp.ones(3), **settings)


def test_parameters_of_a_run_that_diverged_are_refused():
    with pytest.raises(ValueError, match="params are not finite"):
        landscape(jnp.sum, jnp.array([1.0, jnp.inf, 1.0]), directions="random")


def test_a_random_loss_is_refused():
    with pytest.raises(TypeError, match="fix the key"):
        landscape(lambda w, key: jnp.sum(w) * jax.random.normal(key), jnp.ones(3))


def test_directions_of_very_different_lengths_span_a_plane():
    directions = jnp.array([[1e4, 0.0, 0.0], [0.0, 1e-2, 1e-2]])
    path = jnp.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [2.0, 0.0, 3.0]])
    found = landscape(jnp.sum, jnp.zeros(3), directions=directions, path=path, points=2)
    np.testing.assert_allclose(found.path, [[1e-4, 50], [0, 0], [2e-4, 150]], rtol=1e-5)


def test_a_plane_of_one_parameter_is_refused():
    with pytest.raises(ValueError, match="two parameters or more"):
        landscape(jnp.sum, jnp.ones(1), directions="random")
