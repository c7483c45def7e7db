"""The one file of a page: assets, programs and what is known of them, with nothing to load."""

import base64
import hashlib
import html as markup
import importlib.resources
import json
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import rcssmin
import rjsmin

from gdlab.page.translator.program import RUNNER


class Template(NamedTuple):
    """The files in ``gdlab/page/assets`` that make up one kind of page."""

    body: str
    styles: tuple[str, ...]
    scripts: tuple[str, ...]
    """The scripts, in the order in which they build on each other."""


RUNS = Template(
    "page.html",
    ("page.css",),
    (
        "scales.js",
        "elements.js",
        "plane.js",
        "races.js",
        "address.js",
        "painting.js",
        "repainting.js",
        "contour.js",
        "linear.js",
        "charts.js",
        "panels.js",
        "regimes.js",
        "sliders.js",
        "controls.js",
        "main.js",
    ),
)
"""The page on which optimizers run on a function."""
TRAINING = Template(
    "training.html",
    ("page.css", "training.css"),
    (
        "scales.js",
        "elements.js",
        "trained.js",
        "painting.js",
        "repainting.js",
        "charts.js",
        "linear.js",
        "sliders.js",
        "edge.js",
        "spectra.js",
        "training.js",
    ),
)
"""The page on which a model trains."""


def document(
    template: Template,
    title: str,
    page: dict[str, Any],
    function: str,
    programs: Sequence[str],
    constants: Mapping[str, str],
) -> str:
    """The live page of a function and its optimizers, as HTML.

    Args:
        template: the kind of page.
        title: its heading.
        page: what the scripts know, as JSON.
        function: the JavaScript of the function.
        programs: for each optimizer the JavaScript of its steps on a function.
        constants: the JavaScript of further constants that the scripts of this kind of page read.
    """
    known = {
        "FUNCTION": function,
        "PROGRAMS": f"[{','.join(programs)}]",
        "assemble": RUNNER,
        **constants,
    }
    code = [f"const {name} = {value};" for name, value in known.items()]
    return self_contained(
        title,
        asset(template.body).replace("{{title}}", markup.escape(title)),
        "".join(map(asset, template.styles)),
        [f"const PAGE = {compact_json(page)};"],
        [*code, *map(script_asset, template.scripts)],
    )


def self_contained(
    title: str, body: str, style: str, data: Iterable[str], scripts: Iterable[str]
) -> str:
    """A whole HTML document that loads nothing and, in a frame, tells how high it is.

    Args:
        title: the title, as plain text.
        body: the markup between ``<body>`` and the script.
        style: the style sheet, which is made smaller here.
        data: JavaScript that stands in the document as it is: constants that the scripts read.
        scripts: pieces of JavaScript that share one scope, in order, which are compressed; they run
            when the body is there. :func:`script_asset` makes a file of this package such a piece.

    Returns:
        The document. Its policy allows these scripts and this style sheet, images in data
        addresses, and no request.
    """
    code = _inert("\n".join(['"use strict";(() => {', script_asset("frame.js"), *scripts, "})();"]))
    packed = base64.b64encode(zlib.compress(code.encode(), 9)).decode()
    loader = script_asset("loader.js").replace("{{packed}}", packed)
    loader = "\n".join([_inert("\n".join(data)), loader])
    sheet = str(rcssmin.cssmin(style))
    parts = {
        "title": markup.escape(title),
        "policy": "; ".join(
            [
                "default-src 'none'",
                f"script-src '{_hash(loader)}' '{_hash(code)}'",
                f"style-src '{_hash(sheet)}'",
                "img-src data:",
                "base-uri 'none'",
                "form-action 'none'",
            ]
        ),
        "style": sheet,
        "body": body,
        "script": loader,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], asset("document.html"))


def asset(name: str) -> str:
    """The text of a file in ``gdlab/page/assets``."""
    return (importlib.resources.files("gdlab.page") / "assets" / name).read_text(encoding="utf-8")


def script_asset(name: str) -> str:
    """A script in ``gdlab/page/assets``, without comments and needless spaces."""
    return str(rjsmin.jsmin(asset(name)))


def compact_json(data: Any) -> str:
    """JSON without spaces, which is an expression of JavaScript as well."""
    return json.dumps(data, separators=(",", ":"))


def _inert(script: str) -> str:
    """The same script without what would end it: only strings can hold these."""
    return re.sub(r"<(?=/script|!--|script)", r"\\x3c", script, flags=re.IGNORECASE)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
