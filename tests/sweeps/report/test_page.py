"""The page of a result in a real browser: what is pointed at, typed, and never loaded."""

import base64
import dataclasses
import json

import numpy as np
import pytest

from gdlab.sweeps.report.report import sweep_report
from gdlab.sweeps.results.color_scale import color_scale
from tests.sweeps.made import made, sampled

NAN = np.nan
RATES = [0.01, 0.1, 1.0, 10.0]
STEPS = 11


def two_optimizers(names=("sgd", "adam")):
    """Two optimizers at four rates on two seeds: the best is adam at 0.1, rate 10 diverges."""
    final = np.array([[5, 3, 2, NAN], [4, 1, 6, NAN]])[..., None] * [1.0, 1.1]
    coords = {"optimizer": list(names), "learning_rate": RATES}
    accuracy = np.array([[0.2, 0.3, 0.9, NAN], [0.4, 0.5, 0.6, NAN]])[..., None] * [1, 1]
    result = made(final, coords, metrics={"accuracy": accuracy})
    ends = np.where(np.isnan(final), 5.0, final)
    loss = ends[..., None] ** np.linspace(0, 1, STEPS) * 10
    loss[np.isnan(final), STEPS // 2 :] = NAN
    loss[..., -1] = final
    return dataclasses.replace(result, loss=loss, coords=result.coords | {"step": np.arange(STEPS)})


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "result.html"
    two_optimizers().page(title="Two optimizers").save(path)
    return path


@pytest.fixture
def opened(tab, file):
    tab.prefer(prefers_color_scheme="light")
    tab.open(file)
    yield tab
    tab.frames(2)
    assert tab.complaints == []
    assert tab.requests == [file.as_uri()]


def readout(tab):
    tab.frames(2)
    return tab.run("document.getElementById('readout').textContent")


def place(tab, canvas, x, y):
    """A place within a canvas in the window, after scrolling there."""
    found = tab.run(
        f"(() => {{ const c = document.getElementById('{canvas}'); c.scrollIntoView();"
        "const b = c.getBoundingClientRect(); return [b.left, b.top]; })()"
    )
    return found[0] + x, found[1] + y


def cell(tab, point):
    found = tab.run(f"gdlab.places().find((place) => place.point === {point})")
    return place(tab, "cells", found["x"], found["y"])


def test_the_best_point_is_read_out_at_first(opened):
    best = "optimizer = adam, learning_rate = 0.1: final loss 1.05 (seeds 1, 1.1), the best of 8."
    assert readout(opened) == best


def test_a_cell_that_is_pointed_at_is_read_out_and_a_click_keeps_it(opened):
    # Points are numbered optimizer by optimizer: 2 is sgd at 1.
    opened.mouse("mouseMoved", *cell(opened, 2), buttons=0)
    assert readout(opened).startswith("optimizer = sgd, learning_rate = 1: final loss 2.1 ")
    opened.mouse("mouseMoved", 5, 5, buttons=0)
    assert readout(opened).startswith("optimizer = adam, learning_rate = 0.1")
    opened.mouse("mousePressed", *cell(opened, 7))
    opened.mouse("mouseReleased", *cell(opened, 7))
    opened.mouse("mouseMoved", 5, 5, buttons=0)
    assert readout(opened) == "optimizer = adam, learning_rate = 10: diverged."


def test_a_line_that_is_pointed_at_is_read_out(opened):
    corners = opened.run(
        "(() => { const {top, bottom, x} = gdlab.rulers(); return [top, bottom, x]; })()"
    )
    top, bottom, x = corners
    # Between optimizer and rate, nearly at the rate 0.01 of adam, the lower end of its axis.
    high = bottom - 0.75 * (bottom - top)
    at = [x[0] + 0.9 * (x[1] - x[0]), high + 0.9 * (bottom - high)]
    opened.mouse("mouseMoved", *place(opened, "parallel", *at), buttons=0)
    assert readout(opened).startswith("optimizer = adam, learning_rate = 0.01: final loss 4.2")


def test_keys_go_from_rank_to_rank_and_from_cell_to_cell(opened):
    opened.run("document.getElementById('parallel').focus()")
    opened.key("ArrowDown")
    assert readout(opened).endswith("rank 2 of 8.")
    opened.key("End")
    assert readout(opened).endswith("rank 6 of 8.")
    opened.key("Home")
    assert "the best of 8" in readout(opened)
    opened.run("document.getElementById('cells').focus()")
    opened.key("ArrowRight")
    assert readout(opened).startswith("optimizer = adam, learning_rate = 1:")
    opened.key("ArrowDown")
    assert readout(opened).startswith("optimizer = sgd, learning_rate = 1:")


def test_a_part_of_an_axis_can_be_marked(opened):
    top, bottom, x = opened.run(
        "(() => { const {top, bottom, x} = gdlab.rulers(); return [top, bottom, x]; })()"
    )
    begin = place(opened, "parallel", x[1], bottom - 0.5 * (bottom - top))
    end = place(opened, "parallel", x[1], top)
    opened.mouse("mousePressed", *begin)
    opened.mouse("mouseMoved", *end)
    opened.mouse("mouseReleased", *end)
    opened.mouse("mouseMoved", 5, 5, buttons=0)
    # Of the rates 1 and 10 the best is sgd's 1.
    assert readout(opened).startswith("optimizer = sgd, learning_rate = 1:")
    assert not opened.run("document.getElementById('all').hidden")
    opened.run("document.getElementById('parallel').focus()")
    opened.key("Escape")
    assert readout(opened).startswith("optimizer = adam, learning_rate = 0.1")


def test_another_metric_has_its_own_best_point(opened):
    opened.run(
        "(() => { const s = document.getElementById('metric'); s.value = '1';"
        "s.dispatchEvent(new Event('change')); })()"
    )
    assert readout(opened).startswith("optimizer = sgd, learning_rate = 1: accuracy 0.9 ")


def test_curves_are_the_losses_that_were_recorded(opened):
    rows = opened.run(
        "gdlab.losses().map((lanes) => lanes.map((row) => row.map("
        "(u) => (Number.isNaN(u) ? null : u))))"
    )
    known = opened.run("gdlab.problem().curves")
    places = np.array(rows, float)
    assert known["scale"] == "log"
    found = 10 ** (known["low"] + places * (known["high"] - known["low"]))
    np.testing.assert_allclose(found, two_optimizers().loss.reshape(8, 2, STEPS), rtol=1e-3)


@pytest.mark.parametrize(("width", "scheme"), [(400, "light"), (400, "dark"), (1400, "dark")])
def test_every_width_and_scheme_shows_everything(opened, file, width, scheme, tmp_path):
    opened.prefer(prefers_color_scheme=scheme)
    opened.open(file, width=width)
    assert opened.run("document.documentElement.scrollWidth") == width
    for name in ("parallel", "cells", "curves", "legend"):
        colors = opened.run(
            f"(() => {{ const c = document.getElementById('{name}');"
            "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            "const seen = new Set(); for (let i = 0; i < d.length; i += 4)"
            " seen.add(d[i] + 256 * d[i + 1] + 65536 * d[i + 2]); return seen.size; })()"
        )
        assert colors > 5, name
        assert opened.run(f"document.getElementById('{name}').getAttribute('aria-label')")


def test_names_are_text_and_samples_are_dots(tab, tmp_path):
    name = "<img src=x onerror=alert(1)>"
    paths = tmp_path / "names.html", tmp_path / "samples.html"
    two_optimizers((name, "</script>")).page(title=name).save(paths[0])
    sampled([[3.0], [2.0], [1.0]], [0.001, 0.01, 0.1], [0.9, 0.5, 0.8]).page().save(paths[1])
    for path in paths:
        tab.open(path)
        tab.frames(2)
        assert tab.complaints == []
        assert tab.requests == [path.as_uri()]
        assert tab.run("document.querySelectorAll('img').length") == 0
    assert "learning_rate = 0.1, b1 = 0.8" in readout(tab)


def test_a_page_is_small_beside_its_data():
    page = two_optimizers().page()
    assert len(page.html.encode()) < 60_000
    assert "adam is best at learning_rate = 0.1" in page.html


def test_results_whose_axes_differ_are_one_page():
    one = made(np.ones((2, 2)), {"learning_rate": [0.1, 0.2]})
    other = made(np.ones((2, 2, 2)), {"learning_rate": [0.1, 0.2], "b1": [0.5, 0.9]})
    html = sweep_report({"sgd": one, "adam": other}).page().html
    data = json.loads(html.split("const PAGE = ")[1].split(";\n")[0])
    (problem,) = data["problems"]
    assert [each["name"] for each in problem["coordinates"]] == ["optimizer", "learning_rate", "b1"]
    assert problem["coordinates"][2]["texts"] == [None, None, "0.5", "0.9", "0.5", "0.9"]
    assert len(base64.b64decode(problem["curves"]["losses"])) == 2 * 12 * 3


def test_colours_are_spread_where_the_better_quarter_is_crowded():
    scores = np.array([1.0, 1.01, 1.02, 1.03, 9.0])
    scale = color_scale(scores, maximize=False)
    assert scale.kind == "gap"
    places = scale.places(scores)
    # The better quarter has half of the colours.
    np.testing.assert_allclose(places[[0, 1, -1]], [0, 0.5, 1])
    np.testing.assert_allclose(scale.scores(places), scores)


@pytest.mark.parametrize(
    ("scores", "maximize", "kind"),
    [
        ([1e-6, 1e-3, 1.0], False, "log"),
        ([0.1, 0.5, 0.9], True, "linear"),
        ([-1, 3, 5], False, "linear"),
    ],
)
def test_colours_go_from_the_best_to_the_worst(scores, maximize, kind):
    scale = color_scale(np.array(scores), maximize)
    assert scale.kind == kind
    places = scale.places(np.array(scores))
    assert sorted(places) == list(places[::-1] if maximize else places)
    np.testing.assert_allclose(scale.scores(places), scores)


def test_one_score_has_a_colour_and_none_has_none():
    assert color_scale(np.array([2.0, NAN]), False).places(np.array([2.0, NAN]))[0] == 0
    assert np.isnan(color_scale(np.array([NAN]), False).places(np.array([NAN]))[0])


def test_losses_that_fall_to_zero_stand_at_the_end_of_a_logarithmic_axis():
    final = np.array([[0.0], [1e-4], [1.0]])
    result = made(final, {"learning_rate": RATES[:3]}, seeds=[0])
    loss = np.stack([np.ones_like(final), final], axis=-1)
    result = dataclasses.replace(result, loss=loss, coords=result.coords | {"step": np.arange(2)})
    html = result.page().html
    (problem,) = json.loads(html.split("const PAGE = ")[1].split(";\n")[0])["problems"]
    (metric,) = (each for each in problem["metrics"] if each["name"] == "final_loss")
    assert metric["heights"] == [0, 0, 1]
    assert metric["ticks"][0] == [0, "0"]
    assert problem["curves"]["scale"] == "log"
