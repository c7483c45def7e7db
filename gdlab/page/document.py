"""The one file of a page: assets, programs and what is known of them, with nothing to load."""

import base64
import hashlib
import html as markup
import importlib.resources
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import rcssmin
import rjsmin

from gdlab.page.translator.program import RUNNER

SCRIPTS = (
    "scales.js",
    "plane.js",
    "races.js",
    "address.js",
    "painting.js",
    "contour.js",
    "linear.js",
    "charts.js",
    "panels.js",
    "regimes.js",
    "sliders.js",
    "controls.js",
    "main.js",
)
"""The scripts of a page of runs, in the order in which they build on each other."""


def document(
    title: str, page: dict[str, Any], functions: Sequence[str | None], programs: Sequence[str]
) -> str:
    """The live page of a function and its optimizers, as HTML.

    Args:
        title: its heading.
        page: what the scripts know, as JSON.
        functions: the JavaScript of the function, and of a quadratic one its translate whose
            minimum is 0.
        programs: for each optimizer that of its steps on a function.
    """
    function, at_origin = functions
    data = [f"const PAGE = {compact_json(page)};"]
    code = [
        f"const FUNCTION = {function};",
        f"const AT_ORIGIN = {at_origin or 'null'};",
        f"const PROGRAMS = [{','.join(programs)}];",
        f"const assemble = {RUNNER};",
    ]
    body = asset("page.html").replace("{{title}}", markup.escape(title))
    scripts = [*code, *map(script_asset, SCRIPTS)]
    return self_contained(title, body, asset("page.css"), data, scripts)


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
