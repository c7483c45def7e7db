"""A model that trains in a browser, against JAX and against the analysis of curvature."""

import importlib.util
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.analysis import preconditioned_sharpness, sharpness, sharpness_limit
from tests.page.browser import CHROMIUM, browser

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
    pytest.mark.x64(rank_promotion="allow"),
]

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "network_at_the_edge.py"
RANDOM = np.random.default_rng(2)
INPUTS = np.round(RANDOM.normal(size=(30, 4)), 2)
LABELS = (INPUTS[:, 0] * INPUTS[:, 1] > 0).astype(int)
PARAMS = {"b": np.zeros(3), "v": RANDOM.normal(size=3), "w": RANDOM.normal(size=(4, 3))}
OPTIMIZERS = {
    "descent": gdlab.sgd(0.2),
    "heavy ball": gdlab.sgd(0.1, momentum=0.9),
    "Adam": gdlab.adam(0.02, b2=0.99),
}


def scores(params):
    return jnp.tanh(jnp.asarray(INPUTS) @ params["w"] + params["b"]) @ params["v"]


def loss(params):
    return jnp.mean((scores(params) - jnp.asarray(2.0 * LABELS - 1)) ** 2)


def accuracy(params):
    return jnp.mean((scores(params) > 0) == (jnp.asarray(LABELS) == 1))


def trained(name, steps, start=PARAMS):
    return gdlab.minimize(loss, jax.tree.map(jnp.asarray, start), OPTIMIZERS[name], steps)


def flat(params):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)])


def call(tab, code):
    return json.loads(tab.run(f"JSON.stringify({code})"))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "training.html"
    page = gdlab.explore_training(
        loss, OPTIMIZERS, PARAMS, measure=accuracy, tiles=lambda p: p["w"].T.reshape(3, 2, 2)
    )
    page.save(path)
    assert len(page.html.encode()) < 100_000
    return path


@pytest.fixture(scope="module")
def tab(file):
    with browser() as tab:
        tab.open(file)
        yield tab
        assert tab.complaints == []
        assert tab.requests == [file.as_uri()]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_in_the_page_is_that_of_minimize(tab, name):
    # Another test may have trained it further.
    record = {key: row[:61] for key, row in call(tab, f"gdlab.train({name!r}, 60)").items() if row}
    run = trained(name, 60)
    np.testing.assert_allclose(record["loss"], run.values, rtol=1e-9)
    measures = jax.vmap(accuracy)(run.path)
    np.testing.assert_allclose(record["measure"], measures, atol=1e-6)
    where = call(tab, f"gdlab.goTo({name!r}, 37)")
    point = jax.tree.map(lambda leaf: leaf[37], run.path)
    np.testing.assert_allclose(where, flat(point), rtol=1e-9, atol=1e-12)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_sharpness_and_limit_are_those_of_the_analysis(tab, name):
    record = call(tab, f"gdlab.train({name!r}, 80)")
    steps = len(record["loss"]) - 1
    run = trained(name, steps)
    if name == "Adam":
        expected = preconditioned_sharpness(loss, run.params, OPTIMIZERS[name], run.state)
    else:
        expected = sharpness(loss, run.params)
    # One round of two products a step follows an eigenvalue that moves.
    assert record["sharpness"][-1] == pytest.approx(expected, rel=0.02)
    assert record["limit"][-1] == pytest.approx(sharpness_limit(OPTIMIZERS[name]), rel=1e-6)


def test_a_slider_acts_at_once_and_what_was_beyond_is_forgotten(tab):
    call(tab, "gdlab.train('descent', 30)")
    where = call(tab, "gdlab.goTo('descent', 20)")
    tab.run("gdlab.set('descent', {learning_rate: 0.05})")
    record = call(tab, "gdlab.train('descent', 5)")
    assert len(record["loss"]) == 26
    unravel = jax.flatten_util.ravel_pytree(jax.tree.map(jnp.asarray, PARAMS))[1]
    run = gdlab.minimize(loss, unravel(jnp.asarray(where)), gdlab.sgd(0.05), 5)
    np.testing.assert_allclose(record["loss"][20:], run.values, rtol=1e-9)
    assert record["limit"][20] == pytest.approx(2 / 0.2)
    assert record["limit"][-1] == pytest.approx(2 / 0.05)
    # Back beyond the change, by the settings of that day.
    np.testing.assert_allclose(
        call(tab, "gdlab.goTo('descent', 12)"),
        flat(jax.tree.map(lambda leaf: leaf[12], trained("descent", 12).path)),
        rtol=1e-9, atol=1e-12,
    )  # fmt: skip
    tab.run("gdlab.set('descent', {learning_rate: 0.2})")


def test_train_and_pause_by_keys_and_the_record_is_scrubbed(tab):
    tab.run("document.activeElement.blur()")
    before = tab.run("gdlab.record('descent').loss.length")
    tab.run("gdlab.train('descent', 0)")
    tab.key(" ", "Space", windowsVirtualKeyCode=32)
    tab.wait(f"gdlab.record('descent').loss.length > {before} + 2")
    tab.key(" ", "Space", windowsVirtualKeyCode=32)
    tab.frames(2)
    assert tab.run("document.getElementById('play').textContent") == "Train"
    tab.run("(() => { const s = document.getElementById('scrub'); s.value = 3;"
            "s.dispatchEvent(new Event('input')); })()")  # fmt: skip
    tab.frames(2)
    assert tab.run("document.getElementById('clock').value").startswith("3 / ")


@pytest.mark.parametrize("width", [400, 1400])
def test_every_width_shows_all_curves(tab, width):
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    tab.call("Emulation.setDeviceMetricsOverride", **size)
    tab.frames(3)
    assert tab.run("document.documentElement.scrollWidth") <= width
    for name in ("sharpness", "loss", "measure", "tiles"):
        canvas = f"document.getElementById('{name}')"
        assert tab.run(f"{canvas}.clientWidth") > 200, name
        assert "at step" in tab.run(f"{canvas}.getAttribute('aria-label')")


@pytest.mark.slow
def test_a_method_that_is_not_diagonal_says_that_it_has_no_limit(tab, tmp_path):
    path = tmp_path / "muon.html"
    gdlab.explore_training(loss, gdlab.muon(0.02), PARAMS).save(path)
    with browser() as other:
        other.open(path)
        record = call(other, "gdlab.train('muon', 3)")
        run = gdlab.minimize(loss, jax.tree.map(jnp.asarray, PARAMS), gdlab.muon(0.02), 3)
        np.testing.assert_allclose(record["loss"], run.values, rtol=1e-8)
        assert record["limit"] == [None] * 4
        expected = sharpness(loss, run.params)
        assert record["sharpness"][-1] == pytest.approx(expected, rel=0.05)
        other.frames(2)
        assert other.run("document.getElementById('verdict').textContent") != ""
        assert other.complaints == []


def test_tiles_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"tiles must have shape .* not \(4, 3\)"):
        gdlab.explore_training(loss, gdlab.sgd(0.1), PARAMS, tiles=lambda p: p["w"])


@pytest.mark.slow
def test_the_sharpness_of_the_digits_rises_to_the_limit_and_stays(tmp_path):
    spec = importlib.util.spec_from_file_location("edge", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    path = tmp_path / "digits.html"
    example.main(path)
    assert len(path.read_bytes()) < 100_000
    with browser() as tab:
        tab.open(path)
        record = call(tab, "gdlab.train('gradient descent', 20)")
        start = jax.tree.map(jnp.asarray, example.start())
        run = gdlab.minimize(example.loss, start, gdlab.sgd(0.3), 20)
        np.testing.assert_allclose(record["loss"], run.values, rtol=1e-9)
        for name, steps in (("gradient descent", 500), ("heavy ball", 300), ("Adam", 350)):
            for _ in range(steps // 50):
                record = call(tab, f"gdlab.train({name!r}, 50)")
            shares = np.array(record["sharpness"][5:]) / record["limit"][-1]
            assert shares[:10].mean() < 0.8, name
            # It crosses the limit by little, is thrown back, and returns.
            assert 1.0 < shares.max() < 1.25, name
            assert 0.75 < np.median(shares[-150:]) < 1.1, name
            assert record["loss"][-1] < 0.3 * record["loss"][0]
        assert tab.complaints == []


@pytest.mark.slow
def test_the_matrix_view_has_the_singular_values_of_momentum_and_update(tab, tmp_path):
    path = tmp_path / "matrix.html"
    optimizers = {
        "Muon": gdlab.muon(0.02),
        "heavy ball": gdlab.sgd(0.1, momentum=0.9),
        "descent": gdlab.sgd(0.1),
    }
    gdlab.explore_training(loss, optimizers, PARAMS, matrix=lambda p: p["w"]).save(path)
    with browser() as other:
        other.open(path)
        for name, tx in optimizers.items():
            call(other, f"gdlab.train({name!r}, 6)")
            found = call(other, f"gdlab.spectra({name!r})")
            run = gdlab.minimize(loss, jax.tree.map(jnp.asarray, PARAMS), tx, 6)
            update = np.linalg.svd(run.path["w"][6] - run.path["w"][5], compute_uv=False)
            np.testing.assert_allclose(found["update"], update, rtol=1e-7, atol=1e-12)
            if name == "heavy ball":
                expected = np.linalg.svd(run.state.trace["w"], compute_uv=False)
                np.testing.assert_allclose(found["momentum"], expected, rtol=1e-8)
            if name == "Muon":
                assert found["update"][-1] > 0.5 * found["update"][0]
                assert found["momentum"][-1] < 0.5 * found["momentum"][0]
        # An earlier update is found again.
        call(other, "gdlab.goTo('heavy ball', 4)")
        run = gdlab.minimize(loss, jax.tree.map(jnp.asarray, PARAMS), optimizers["heavy ball"], 4)
        update = np.linalg.svd(run.path["w"][4] - run.path["w"][3], compute_uv=False)
        found = call(other, "gdlab.spectra('heavy ball')")["update"]
        np.testing.assert_allclose(found, update, rtol=1e-7)
        assert other.complaints == []


def test_a_matrix_that_is_computed_is_refused():
    with pytest.raises(ValueError, match="matrix must pick elements of the parameters"):
        gdlab.explore_training(loss, gdlab.sgd(0.1), PARAMS, matrix=lambda p: p["w"] / 3)
