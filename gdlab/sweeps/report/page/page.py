"""The HTML page of a result: one file with its pictures, curves and report."""

import functools
import html as markup
import importlib.resources
from typing import Any

import rjsmin

from gdlab.page.document import asset, compact_json, script_asset, self_contained
from gdlab.page.page import Page
from gdlab.sweeps.report.contestants import Measure, contestants_of
from gdlab.sweeps.report.page.page_data import page_data
from gdlab.sweeps.report.report import SweepReport

SHARED_SCRIPTS: tuple[str, ...] = (
    "scales.js",
    "elements.js",
    "painting.js",
    "repainting.js",
)
"""Scripts shared with live pages: formatting of numbers, ticks, HTML elements and canvases."""
SCRIPTS: tuple[str, ...] = ("state.js", "parallel.js", "cells.js", "curves.js", "result.js")
"""Scripts of this page, each after those that it uses."""
HEIGHT: int = 1_200
"""Height of the frame in a notebook, in pixels, before the page reports its own height."""


def page_of(report: SweepReport, title: str) -> Page:
    """The page of the results that a report judges; see :meth:`gdlab.SweepResult.page`."""
    contestants = contestants_of(report.results)
    data = page_data(contestants, Measure(report.metric, report.maximize))
    body = _asset("result.html").replace("{{report}}", report.html())
    body = body.replace("{{title}}", markup.escape(title))
    scripts = [*map(script_asset, SHARED_SCRIPTS), *(rjsmin.jsmin(_asset(s)) for s in SCRIPTS)]
    html = self_contained(
        title,
        body,
        asset("page.css") + _asset("result.css"),
        [f"const PAGE = {compact_json(data)};"],
        map(str, scripts),
    )
    views = {"sweep": functools.partial(_picture, report)}
    return Page(html, title, lambda: None, views, HEIGHT)


def _picture(report: SweepReport) -> Any:
    """The figure of the picture of the result, or of the first result if there are several."""
    contestants = contestants_of(report.results)
    whole = report.results if hasattr(report.results, "plot") else contestants[0].result
    axes = whole.plot(report.metric, maximize=report.maximize)
    return getattr(axes, "figure", None) or axes.ravel()[0].figure


def _asset(name: str) -> str:
    """The text of a file in ``gdlab/sweeps/report/page/assets``."""
    folder = importlib.resources.files("gdlab.sweeps.report.page") / "assets"
    return (folder / name).read_text(encoding="utf-8")
