"""A page as a file and in a notebook; what it does in a browser is in test_page.py."""

import html
import importlib.resources
import json
import re
import sys
import xml.etree.ElementTree

import jax.numpy as jnp
import numpy as np
import pytest

import gdlab
from gdlab import problems
from gdlab.page import training_pictures
from tests.page.parts import parts


def bowl(w):
    return jnp.sum(w**2)


def test_a_page_is_saved_as_a_whole_and_loads_nothing(tmp_path):
    page = gdlab.explore(bowl, gdlab.sgd(0.1))
    page.save(tmp_path / "x.html")
    written = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert written == page.html
    assert [path.name for path in tmp_path.iterdir()] == ["x.html"]
    assert "default-src 'none'" in written
    assert "unsafe" not in written
    assert len(written.encode()) < 100_000


def test_fifteen_optimizers_fit_on_a_page_of_the_size_that_is_promised():
    optimizers = {f"Adam {i}": gdlab.adamw(0.1) for i in range(15)}
    assert len(gdlab.explore(bowl, optimizers).html.encode()) < 100_000


def test_a_page_that_is_larger_says_what_it_is_made_of():
    data = jnp.linspace(0, 1, 12_000)
    with pytest.warns(UserWarning, match="of which .* are the function with its data") as caught:
        gdlab.explore(lambda w: jnp.mean((w[0] - data) ** 2) + w[1] ** 2, gdlab.sgd(0.1))
    assert caught[0].filename == __file__


def test_nothing_is_left_where_a_page_cannot_be_written(tmp_path):
    page = gdlab.explore(bowl, gdlab.sgd(0.1))
    (tmp_path / "x.html").mkdir()
    with pytest.raises(IsADirectoryError):
        page.save(tmp_path / "x.html")
    assert [path.name for path in tmp_path.iterdir()] == ["x.html"]


def test_a_panel_that_only_a_quadratic_function_has_is_refused_for_another():
    with pytest.raises(ValueError, match="'poles' is there for quadratic functions only"):
        gdlab.explore(lambda w: jnp.sum(w**4), gdlab.sgd(0.1), steps=2, panels=["poles"])


@pytest.mark.slow
def test_each_view_is_saved_as_a_picture_for_slides(tmp_path):
    page = gdlab.explore(bowl, {"a": gdlab.sgd(0.1), "b": gdlab.adam(0.1)}, steps=9)
    for view in ("map", "loss", "modes", "poles"):
        page.save(tmp_path / "x.svg", view=view)
        text = (tmp_path / "x.svg").read_text(encoding="utf-8")
        assert xml.etree.ElementTree.fromstring(text).tag.endswith("svg")
    with pytest.raises(ValueError, match="no view 'pole'; this page has map, loss, modes, poles"):
        page.save(tmp_path / "x.svg", view="pole")
    with pytest.raises(ValueError, match=r"a picture ends in \.svg"):
        page.save(tmp_path / "x.html", view="map")
    assert [path.name for path in tmp_path.iterdir()] == ["x.svg"]


def test_views_of_a_training_page_are_its_first_steps(tmp_path, monkeypatch):
    monkeypatch.setattr(training_pictures, "STEPS", 10)
    page = gdlab.explore_training(
        lambda w: jnp.sum(jnp.cosh(w)), gdlab.sgd(0.1), jnp.array([1.0, -0.5]),
        measure=lambda w: jnp.mean(w > 0), tiles=lambda w: w.reshape(1, 1, 2),
        matrix=lambda w: w.reshape(1, 2),
    )  # fmt: skip
    path = [np.array([1.0, -0.5])]
    for _ in range(10):
        path.append(path[-1] - 0.1 * np.sinh(path[-1]))
    curvatures = np.cosh(path)  # the Hessian is diagonal
    (losses,) = page._views["loss"]().axes[0].lines
    np.testing.assert_allclose(losses.get_ydata(), curvatures.sum(axis=1), rtol=1e-12)
    sharpness, limit = page._views["sharpness"]().axes[0].lines
    np.testing.assert_allclose(sharpness.get_ydata(), curvatures[::5].max(axis=1), rtol=1e-9)
    np.testing.assert_allclose(limit.get_ydata(), 2 / 0.1, rtol=1e-6)
    (measured,) = page._views["accuracy"]().axes[0].lines
    assert set(measured.get_ydata()) == {0.5}
    gradient, update = page._views["matrix"]().axes
    assert [bar.get_height() for bar in gradient.patches] == [1]
    assert [bar.get_height() for bar in update.patches] == [1]
    assert gradient.get_title(loc="left") == "sgd: gradient"
    page.save(tmp_path / "weights.svg", view="tiles")
    assert "<svg" in (tmp_path / "weights.svg").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="this page has sharpness, loss, accuracy, tiles, matrix"):
        page.save(tmp_path / "map.svg", view="map")


def test_a_picture_of_sharpness_without_a_limit_says_why_there_is_none():
    pictures = training_pictures.TrainingPictures(
        lambda w: jnp.sum(w**2), {"mixing": gdlab.full_matrix_adagrad(0.1)}, jnp.ones(2),
        None, "accuracy", None, None,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"no run to draw: mixing: .* no diagonal preconditioner"):
        pictures.views()["sharpness"]()


def test_a_notebook_shows_the_page_in_a_sandbox_with_a_still_picture_beside_it():
    page = gdlab.explore(bowl, gdlab.sgd(0.1), title="<b>")
    shown = page._repr_html_()
    assert 'sandbox="allow-scripts"' in shown
    assert html.escape(page.html) in shown
    assert "data:image/png;base64," in shown
    assert "<b>" not in shown


def test_without_matplotlib_the_still_picture_is_left_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    shown = gdlab.explore(bowl, gdlab.sgd(0.1))._repr_html_()
    assert "<iframe" in shown
    assert "image/png" not in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": (1,)}, "start must be two finite numbers or more"),
        ({"start": (1, 2, 3), "plane": "main"}, "plane must be 'principal', 'eigenvectors' or two"),
        ({"start": (1, 2, 3), "plane": (0, 3)}, "no variable is called 3; there are 3, from 'w₁'"),
        (
            {"start": (1, 2, 3), "panels": ["poles"]},
            "'poles' is there for quadratic functions only",
        ),
        ({"start": [0.1] * 5001}, "start has 5001 numbers; a page takes functions of at most 5000"),
        ({"start": [0.1] * 1001, "steps": 9999}, "it takes at most 4994 steps, not 9999"),
        ({"start": (1, float("nan"))}, "start must be two finite numbers"),
        ({"start": {"x": "a", "y": 2.0}}, "start must be two finite numbers"),
        ({"view": ((1, 0), (0, 1))}, "view must be"),
        ({"view": (0, 1)}, "view must be"),
        ({"view": ((0, 1), (1,))}, "view must be"),
        ({"ranges": {"lr": (0, 1)}}, "no hyperparameter is called 'lr'"),
        ({"ranges": {"learning_rate": 0.1}}, "ranges must be a dictionary"),
        ({"ranges": {"learning_rate": (0.1, 0.2, 0.3)}}, "ranges must be a dictionary"),
        ({"panels": ["maps"]}, "panels: 'maps' is none of map, loss"),
        ({"panels": []}, "choose at least one"),
        ({"steps": 0}, "steps must be a whole number from 1 to 10000, not 0"),
        ({"steps": 1.5}, "steps must be a whole number, not 1.5"),
        ({"steps": 10**9}, "steps must be a whole number from 1 to 10000, not 1000000000"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        gdlab.explore(bowl, gdlab.sgd(0.1), **arguments)


def test_whole_numbers_may_be_those_of_numpy():
    start, tx = (1.0, 2.0, 3.0), gdlab.sgd(0.1)
    page = gdlab.explore(bowl, tx, start, steps=np.int64(5), plane=np.array([0, 2]))
    assert page.html == gdlab.explore(bowl, tx, start, steps=5, plane=(0, 2)).html


@pytest.mark.parametrize(
    ("fun", "error", "message"),
    [
        (
            lambda w: w[0] ** 2 + w[2] ** 2,
            IndexError,
            r"test_explore.*reads index 2 of an axis of 2",
        ),
        (lambda w: w[0] ** 2 + w[-3] ** 2, IndexError, "reads index -1 of an axis of 2"),
        (lambda w: 2 * w, TypeError, "must return a real scalar"),
    ],
)
def test_what_is_no_function_of_two_variables_is_refused(fun, error, message):
    with pytest.raises(error, match=message):
        gdlab.explore(fun, gdlab.sgd(0.1))


def test_a_problem_brings_its_name_and_its_start():
    problem = problems.rosenbrock()
    html = gdlab.explore(problem, gdlab.sgd(0.001), steps=2).html
    assert "<title>Rosenbrock</title>" in html
    assert '"start":[-1.2,1.0]' in html
    chosen = gdlab.explore(problem, gdlab.sgd(0.001), (0.5, 0.25), steps=2).html
    assert '"start":[0.5,0.25]' in chosen


def test_a_random_problem_is_shown_as_it_is_without_a_key():
    page = gdlab.explore(problems.quadratic([1.0, 9.0], noise=1.0), gdlab.sgd(0.1), steps=2)
    assert '"curvatures":[1.0,9.0]' in page.html


def test_names_that_are_no_formula_and_runs_that_leave_do_not_keep_a_page_from_being_shown():
    page = gdlab.explore(bowl, {r"$\bad$": gdlab.sgd(0.1), "a$b_c": gdlab.sgd(100.0)}, steps=200)
    assert "data:image/png;base64," in page._repr_html_()


@pytest.mark.parametrize(
    ("fun", "start"),
    [
        (bowl, (0.0, 0.0)),
        (lambda w: 0 * w[0] + 3.0, (-1.5, 1.0)),
        (lambda w: jnp.sqrt(w[0] * w[1]), (-1.5, 1.0)),
    ],
)
def test_a_run_that_does_not_move_has_a_window_about_its_start(fun, start):
    page = gdlab.explore(fun, gdlab.sgd(0.1), start)
    view = json.JSONDecoder().raw_decode(page.html.partition('"view":')[2])[0]
    for (low, high), at in zip(view, start, strict=True):
        assert low < at < high
        assert 1 <= high - low <= 10


def test_a_single_optimizer_is_called_by_its_factory():
    assert '"name":"adam"' in gdlab.explore(bowl, gdlab.adam(0.1), steps=2).html


def test_optimizers_of_parts_of_ones_own_have_their_numbers_as_sliders():
    page = gdlab.explore(problems.rosenbrock(), parts(1e-3), steps=2)
    shown = json.JSONDecoder().raw_decode(page.html.partition('"optimizers":')[2])[0]
    assert {one["name"]: [slider["label"] for slider in one["sliders"]] for one in shown} == {
        "rarely": ["decay", "every", "step_size"],
        "rarely within accumulate": ["learning_rate", "momentum", "steps"],
        "a wrapper": ["learning_rate", "momentum", "decay"],
        "a bus": ["mu.decay", "2.decay", "step_size", "eps"],
        "a window": ["step_size"],
        "by leaf": ["learning_rate.0", "weight_decay"],
    }


def test_what_would_eat_the_machine_is_refused_with_its_place():
    wide = jnp.broadcast_to(jnp.float32(1), (3000, 2000))
    with pytest.raises(ValueError, match=r"6000000 numbers; a page takes at most 4194304"):
        gdlab.explore(lambda w: jnp.sum(wide * w[0] ** 2), gdlab.sgd(0.1))
    square = jnp.broadcast_to(jnp.float32(1), (300, 300))
    with pytest.raises(ValueError, match=r"'dot_general' \(.*test_explore.py.*27000000 products"):
        gdlab.explore(lambda w: jnp.sum(square @ (square * w[0] ** 2)), gdlab.sgd(0.1))


def test_no_optimizer_is_refused():
    with pytest.raises(ValueError, match="tx holds no optimizer"):
        gdlab.explore(bowl, {})


def test_scripts_are_written_so_that_making_them_smaller_changes_no_string():
    # What makes them smaller takes a template within a template for code.
    nested = re.compile(r"\$\{[^}\n]*`")
    for asset in (importlib.resources.files("gdlab.page") / "assets").iterdir():
        if asset.name.endswith(".js"):
            assert not nested.search(asset.read_text(encoding="utf-8")), asset.name
