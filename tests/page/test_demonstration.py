"""The demonstration of momentum in a browser: each of its parts is there, and its numbers hold."""

import importlib.util
import pathlib

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab.analysis import expected_loss, regime_map
from tests.page.browser import CHROMIUM, browser

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
    pytest.mark.x64,
]

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples" / "momentum.py"
CURVATURES = np.array([1.0, 25.0])
ALONG = np.array([np.cos(np.pi / 12), np.sin(np.pi / 12)])
START = np.array([-2.0, 0.8])
MODES = np.array([ALONG @ START, ALONG @ (START[1], -START[0])])
"""The start in eigen-coordinates."""
RATE, MOMENTUM = 0.03, 0.8


def heavy_ball(steps):
    """The errors of both modes, by the recursion itself."""
    errors = [MODES, (1 - RATE * CURVATURES) * MODES]
    while len(errors) <= steps:
        now, before = errors[-1], errors[-2]
        errors.append(now - RATE * CURVATURES * now + MOMENTUM * (now - before))
    return np.array(errors[: steps + 1])


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("momentum", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    path = tmp_path_factory.mktemp("page") / "momentum.html"
    example.main(path)
    with browser() as tab:
        tab.prefer(prefers_color_scheme="light")
        tab.open(path, height=2400)
        tab.run("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        tab.frames(3)
        yield tab
        assert tab.complaints == []


def words(tab, name):
    return tab.run(f"document.getElementById('{name}').textContent")


def test_each_method_has_sliders_and_a_mark_where_its_stability_ends(tab):
    sliders = "[...document.querySelectorAll('#sliders input[type=range]')].map((one) => one.title)"
    assert tab.run(sliders) == ["learning_rate", *["learning_rate", "momentum"] * 2]
    limits = tab.run("[...document.querySelectorAll('.limit')].map((one) => one.textContent)")
    # η < 2/λ, η < 2(1 + β)/λ, and η < 2(1 + β)/(1 + 2β)/λ in Nesterov's form
    closed = [2 / 25, 2 * 1.8 / 25, 2 * 1.8 / 2.6 / 25]
    assert [float(limit.removeprefix("stable below ")) for limit in limits] == pytest.approx(
        closed, rel=5e-3
    )
    assert tab.run("document.querySelectorAll('.mark:not([hidden])').length") == 3


def test_in_eigen_coordinates_the_start_moves_along_the_eigenvectors(tab):
    tab.run("document.getElementById('eigen').click()")
    tab.run("document.getElementById('map').focus()")
    tab.key("ArrowRight", "ArrowRight", windowsVirtualKeyCode=39)
    tab.frames(2)
    moved = np.array(tab.run("gdlab.settings().start")) - START
    np.testing.assert_allclose(moved / np.linalg.norm(moved), ALONG, atol=1e-9)
    tab.key("r", "KeyR")
    tab.frames(2)


def test_the_error_by_mode_is_that_of_the_recursion(tab):
    tab.wait("document.getElementById('modes').hasAttribute('aria-label')")
    said = tab.run("document.getElementById('modes').getAttribute('aria-label')")
    assert said.startswith("Error of momentum at step 100")
    found = [
        float(x.split(": ")[1].replace("−", "-")) for x in said[:-1].split(". ")[1].split("; ")
    ]
    np.testing.assert_allclose(found, heavy_ball(100)[-1], rtol=1e-2)


def test_the_map_of_regimes_has_the_colours_of_the_analysis(tab):
    across = np.geomspace(0.001, 0.3, 40)[1:-1]
    up = 1 - np.geomspace(1, 0.01, 22)[1:-1]
    axes = gdlab.Axis("rate", across), gdlab.Axis("beta", up)
    expected = regime_map(gdlab.sgd(axes[0], momentum=axes[1]), CURVATURES).regime
    tab.frames(60)  # until the map is fine
    found = tab.run(
        """(() => {
          const map = document.getElementById("regimes"), pen = map.getContext("2d");
          const { data } = pen.getImageData(0, 0, map.width, map.height);
          const left = Math.max(56, 28 + pen.measureText("0.99").width);
          const bottom = map.height - 34;
          const [width, height] = [map.width - 10 - left, bottom - 25];
          return Array.from({ length: 38 }, (_, i) => Array.from({ length: 20 }, (_, j) => {
            const [x, y] = [left + width * (i + 1) / 39, bottom - height * (j + 1) / 21];
            const at = 4 * (Math.round(y) * map.width + Math.round(x));
            const [r, b] = [data[at], data[at + 2]];
            return b > r + 20 ? "monotone" : r > b + 20 ? "oscillating" : "divergent";
          }));
        })()"""
    )
    # On a border a point may fall to either side of it.
    assert np.mean(np.array(found) == expected) > 0.96
    assert set(expected.ravel()) == {"monotone", "oscillating", "divergent"}


def test_the_modes_are_springs_whose_damping_follows_from_the_recursion(tab):
    said = words(tab, "damping")
    for mode, curvature in enumerate(CURVATURES):
        pole = np.log(np.roots([1, -(1 + MOMENTUM - RATE * curvature), MOMENTUM])[0])
        ratio = -pole.real / abs(pole)
        assert f"Mode {mode + 1}: underdamped, ζ = {ratio:.3g}" in said


def test_the_parts_of_a_step_are_its_gradient_and_the_step_before(tab):
    tab.run("location.hash = 'shown=9&parts=1'")
    tab.frames(2)
    parts = {k: np.array(v) for k, v in tab.run("gdlab.analysis('momentum').parts").items()}
    turn = np.stack([ALONG, [-ALONG[1], ALONG[0]]])
    path = heavy_ball(10) @ turn
    np.testing.assert_allclose(parts["whole"] - parts["from"], path[10] - path[9], rtol=1e-9)
    remembered = parts["whole"] - parts["fresh"]
    np.testing.assert_allclose(remembered, MOMENTUM * (path[9] - path[8]), rtol=1e-9)
    assert "what is remembered" in words(tab, "parts")
    assert tab.run("document.getElementById('parts').offsetParent !== null")
    tab.run("location.hash = ''")
    tab.frames(2)


def test_the_stochastic_split_is_that_of_the_analysis(tab):
    tx = gdlab.sgd(RATE, momentum=MOMENTUM)
    split = expected_loss(tx, CURVATURES, MODES, 100, noise=1.0)
    np.testing.assert_allclose(
        tab.run("gdlab.analysis('momentum').noise"), split.stochastic, rtol=1e-9
    )
    values = tab.run("gdlab.settings().optimizers.momentum.values")
    np.testing.assert_allclose(values, split.deterministic, rtol=1e-6, atol=1e-15)


def test_every_panel_has_a_caption_and_the_close_ups_say_of_whom(tab):
    captions = tab.run(
        "[...document.querySelectorAll('figure')].filter((one) => one.offsetParent !== null)"
        ".map((one) => one.querySelector('figcaption').innerText.split('\\n')[0].trim())"
    )
    assert captions == [
        "Loss",
        "Error by mode of momentum",
        "Poles of momentum",
        "Where momentum converges",
        "Position over time",
        "Phase plane",
        "Expected excess loss",
    ]


def test_the_run_of_nesterov_is_that_of_minimize(tab):
    # The one that no closed form above stands for.
    turn = np.stack([ALONG, [-ALONG[1], ALONG[0]]])
    hessian = jnp.asarray(turn.T @ np.diag(CURVATURES) @ turn)
    tx = gdlab.nesterov(RATE, momentum=MOMENTUM)
    run = gdlab.minimize(lambda w: 0.5 * w @ hessian @ w, jnp.asarray(START), tx, 100)
    found = tab.run("gdlab.settings().optimizers.Nesterov.path")
    np.testing.assert_allclose(np.reshape(found, (-1, 2)), run.path, rtol=1e-7, atol=1e-10)
