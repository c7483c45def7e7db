"""The single HTML file of a page, with all assets, programs and data inlined."""

import base64
import hashlib
import html as markup
import importlib.resources
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import rcssmin
import rjsmin

from gdlab.page.translator.program import RUNNER


class Template(NamedTuple):
    """The files in ``gdlab/page/assets`` that make up one kind of page."""

    bodies: tuple[str, ...]
    """The pieces of markup, from top to bottom."""
    styles: tuple[str, ...]
    scripts: tuple[str, ...]
    """The scripts, each after those that it uses."""


RUNS = Template(
    ("page.html",),
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
    ("training.html",),
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


class Document(NamedTuple):
    """The content of a page, from which its HTML is written."""

    template: Template
    """The kind of page."""
    title: str
    """The heading, as plain text."""
    page: dict[str, Any]
    """The data that the scripts read as ``PAGE``, JSON-serialisable."""
    constants: dict[str, str]
    """Name → JavaScript of each further constant that the scripts read."""

    def html(self) -> str:
        """The whole document, as HTML."""
        body = "".join(map(asset, self.template.bodies))
        code = [f"const {name} = {value};" for name, value in self.constants.items()]
        return self_contained(
            self.title,
            body.replace("{{title}}", markup.escape(self.title)),
            "".join(map(asset, self.template.styles)),
            [f"const PAGE = {compact_json(self.page)};"],
            [*code, *map(script_asset, self.template.scripts)],
        )


def program_constants(function: str, programs: Sequence[str]) -> dict[str, str]:
    """The JavaScript constants with which scripts run optimizers on a function.

    Args:
        function: the JavaScript of the function.
        programs: the JavaScript of each optimizer.
    """
    return {
        "FUNCTION": function,
        "PROGRAMS": f"[{','.join(programs)}]",
        "assemble": RUNNER,
    }


def self_contained(
    title: str, body: str, style: str, data: Iterable[str], scripts: Iterable[str]
) -> str:
    """A complete HTML document that loads nothing and, in a frame, reports its own height.

    Args:
        title: the title, as plain text.
        body: the markup between ``<body>`` and the script.
        style: the style sheet, which is minified here.
        data: uncompressed JavaScript: constants that the scripts read.
        scripts: pieces of JavaScript that share one scope, in order. They are compressed, and run
            after the body is parsed. :func:`script_asset` reads such a piece from a file of this
            package.

    Returns:
        The document. Its content security policy allows these scripts, this style sheet and images
        in data URLs, and no network request.
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
    """JSON without spaces, which is also a JavaScript expression."""
    return json.dumps(data, separators=(",", ":"))


def _inert(script: str) -> str:
    """The script with character sequences escaped that would end it; they occur only in strings."""
    return re.sub(r"<(?=/script|!--|script)", r"\\x3c", script, flags=re.IGNORECASE)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
