"""A page as a file and in a notebook; what it does in a browser is in test_page.py."""

import html
import sys

import jax.numpy as jnp
import pytest

import gdlab


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


def test_nothing_is_left_where_a_page_cannot_be_written(tmp_path):
    page = gdlab.explore(bowl, gdlab.sgd(0.1))
    (tmp_path / "x.html").mkdir()
    with pytest.raises(IsADirectoryError):
        page.save(tmp_path / "x.html")
    assert [path.name for path in tmp_path.iterdir()] == ["x.html"]


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
        ({"start": (1, 2, 3)}, "start must be two finite numbers"),
        ({"start": (1, float("nan"))}, "start must be two finite numbers"),
        ({"view": ((1, 0), (0, 1))}, "view must be"),
        ({"view": (0, 1)}, "view must be"),
        ({"ranges": {"lr": (0, 1)}}, "no hyperparameter is called 'lr'"),
        ({"steps": 0}, "steps must be positive"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        gdlab.explore(bowl, gdlab.sgd(0.1), **arguments)


def test_no_optimizer_is_refused():
    with pytest.raises(ValueError, match="tx holds no optimizer"):
        gdlab.explore(bowl, {})
