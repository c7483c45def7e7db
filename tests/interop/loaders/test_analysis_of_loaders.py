"""Analysis over loaders against the same over arrays, and against NumPy."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import minimize, sgd
from gdlab.analysis import (
    empirical_fisher_vector_product,
    find_learning_rate,
    hessian_vector_product,
    landscape,
    sharpness,
    track,
)
from gdlab.analysis.curvature import one_pass
from gdlab.progress import bar as bars
from tests.interop.loaders.digits import (
    IMAGES,
    LABELS,
    SIZE,
    Again,
    cross_entropy,
    endless,
    grain_loader,
    iter_dataset_of_grain,
    torch_loader,
)

ARRAYS = IMAGES, LABELS
RNG = np.random.default_rng(0)
PARAMS = {"kernel": RNG.normal(size=(64, 10)).astype(np.float32) / 8, "bias": np.zeros(10)}


@pytest.mark.slow
def test_the_mean_over_a_pass_weighs_batches_by_their_examples():
    vector = jax.tree.map(np.ones_like, PARAMS)
    of_loader = hessian_vector_product(cross_entropy, PARAMS, vector, torch_loader())
    of_arrays = hessian_vector_product(cross_entropy, PARAMS, vector, ARRAYS)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), of_loader, of_arrays)


@pytest.mark.parametrize(
    ("directions", "loader"),
    [
        ("filter", torch_loader),
        ("filter", lambda: iter(grain_loader())),
        pytest.param("hessian", grain_loader, marks=pytest.mark.slow),
    ],
    ids=["torch", "iterator of grain", "grain, held in memory"],
)
def test_a_landscape_over_a_loader_is_that_over_all_examples(directions, loader):
    path = jax.tree.map(lambda leaf: np.stack([0 * leaf, leaf]), PARAMS)
    settings = {"directions": directions, "path": path, "points": 3, "progress": False}
    of_loader = landscape(cross_entropy, PARAMS, loader(), **settings)
    of_arrays = landscape(cross_entropy, PARAMS, ARRAYS, **settings)
    assert of_loader.losses.dtype == np.float32
    # The plane of the Hessian is found to the precision of its products.
    tolerance = 1e-5 if directions == "filter" else 1e-3
    np.testing.assert_allclose(of_loader.losses, of_arrays.losses, rtol=tolerance)
    np.testing.assert_allclose(of_loader.path_losses, of_arrays.path_losses, rtol=1e-5)


@pytest.mark.parametrize(("length", "last"), [(4, "100%"), (None, "4.00 batches")])
def test_a_landscape_counts_batches_for_those_who_wait(monkeypatch, length, last):
    shown = io.StringIO()
    shown.isatty = lambda: True
    monkeypatch.setattr(bars, "LOOK", bars.LOOK | {"file": shown, "ncols": 80, "mininterval": 0})
    loader = Again()
    if length is not None:
        loader = type("Measured", (Again,), {"__len__": lambda self: length})()
    landscape(cross_entropy, PARAMS, loader, points=3)
    frames = [frame for frame in shown.getvalue().split("\r") if frame.strip()]
    assert last in frames[-1]
    assert "batches/s" in frames[-1]


FEATURES = IMAGES[:, 18:24].astype(float)
SHARPNESS = np.linalg.eigvalsh(2 * FEATURES.T @ FEATURES / SIZE)[-1]


def squared_error(w, batch):
    """A loss with the same Hessian everywhere: how far six pixels are from telling the digit."""
    images, labels = batch
    return jnp.mean((images[:, 18:24] @ w - labels / 10) ** 2)


def test_tracking_over_a_loader_trains_on_its_batches_and_measures_on_all_of_them():
    settings = {"every": 3, "progress": False}
    found = track(squared_error, jnp.zeros(6), sgd(0.5), 9, iter_dataset_of_grain(), **settings)
    run = minimize(squared_error, jnp.zeros(6), sgd(0.5), 9, data=endless())
    np.testing.assert_allclose(found.params, run.params, atol=1e-6)
    losses = [np.mean((FEATURES @ run.path[step] - LABELS / 10) ** 2) for step in found.step]
    np.testing.assert_allclose(found.loss, losses, rtol=1e-5)
    np.testing.assert_allclose(found.sharpness, SHARPNESS, rtol=1e-5)
    assert np.isfinite(found.alignment).all()


@pytest.mark.slow
def test_tracking_over_one_full_batch_is_tracking_over_the_arrays():
    whole = Again(lambda: iter([ARRAYS]))
    settings = {"every": 2, "progress": False}
    of_loader = track(squared_error, jnp.zeros(6), sgd(0.5), 4, whole, **settings)
    of_arrays = track(squared_error, jnp.zeros(6), sgd(0.5), 4, ARRAYS, **settings)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)  # noqa: E731
    jax.tree.map(close, of_loader, of_arrays)


def test_what_was_measured_before_the_loader_failed_is_kept():
    passes = []

    def broken():
        passes.append(None)
        yield ARRAYS
        yield ARRAYS
        if len(passes) > 1:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone") as caught:
        track(squared_error, jnp.zeros(6), sgd(0.5), 4, Again(broken), every=2, progress=False)
    assert caught.value.result.step.tolist() == [0]


@pytest.mark.slow
def test_the_bound_of_a_range_test_is_computed_on_the_first_batches_of_a_loader():
    find = lambda data: find_learning_rate(  # noqa: E731
        squared_error, jnp.zeros(6), sgd(0.1), data, number=16, steps=20, low=1e-3, progress=False
    )
    assert find(torch_loader()).bound == pytest.approx(2 / SHARPNESS, rel=1e-4)
    of_iterator = find(endless())
    assert np.isnan(of_iterator.bound)
    assert "An iterator cannot be read again" in of_iterator.why


def tracked(data, **more):
    return lambda: track(
        squared_error, jnp.zeros(6), sgd(0.1), 2, data, every=2, progress=False, **more
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (tracked(endless()), ValueError, "generator.*read once, but track reads"),
        (tracked(Again(), batch_size=4), ValueError, "^batch_size is given"),
        (tracked(Again(), curvature_batch_size=4), ValueError, "^curvature_batch_size is given"),
        (
            lambda: landscape(cross_entropy, PARAMS, Again(), batch_size=4),
            ValueError,
            "^batch_size is given",
        ),
        (
            lambda: landscape(cross_entropy, PARAMS, iter([])),
            ValueError,
            "data has no batches",
        ),
        (
            lambda: sharpness(lambda w, b: jnp.sum(w), 1.0, iter([{"x": np.ones(3), "y": 1.0}])),
            ValueError,
            r"data\['y'\] is a scalar",
        ),
        (
            lambda: empirical_fisher_vector_product(cross_entropy, PARAMS, PARAMS, Again()),
            TypeError,
            "data is a Again, but a tree of arrays is needed here",
        ),
    ],
)
def test_what_a_loader_cannot_serve_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_loader_without_end_is_refused_before_the_memory_is_full(monkeypatch):
    monkeypatch.setattr(one_pass, "free_bytes", lambda device: 1e6)
    with pytest.raises(
        ValueError, match=r"batches of data are .* bytes, more than there is memory"
    ):
        sharpness(cross_entropy, PARAMS, Again(endless))
