"""The one file of a page: assets, programs and what is known of them, with nothing to load."""

import base64
import hashlib
import html as markup
import importlib.resources
import json
import re
from collections.abc import Sequence
from typing import Any

import rcssmin
import rjsmin

from gdlab.page.translator.program import RUNNER

SCRIPTS = (
    "scales.js",
    "races.js",
    "address.js",
    "painting.js",
    "contour.js",
    "linear.js",
    "panels.js",
    "regimes.js",
    "controls.js",
    "main.js",
)
"""In the order in which they build on each other."""


def document(
    title: str, page: dict[str, Any], functions: Sequence[str | None], programs: Sequence[str]
) -> str:
    """The page as HTML.

    Args:
        title: its heading.
        page: what the scripts know, as JSON.
        functions: the JavaScript of the function, and of a quadratic one its translate whose
            minimum is 0.
        programs: for each optimizer that of its steps on a function.
    """
    function, at_origin = functions
    script = "\n".join(
        [
            '(() => {\n"use strict";',
            f"const PAGE = {json.dumps(page, separators=(',', ':'))};",
            f"const FUNCTION = {function};",
            f"const AT_ORIGIN = {at_origin or 'null'};",
            "const PROGRAMS = [",
            ",\n".join(programs),
            "];",
            f"const assemble = {RUNNER};",
            *(str(rjsmin.jsmin(_asset(name))) for name in SCRIPTS),
            "})();",
        ]
    )
    script, style = _inert(script), str(rcssmin.cssmin(_asset("page.css")))
    parts = {
        "title": markup.escape(title),
        "policy": "; ".join(
            [
                "default-src 'none'",
                f"script-src '{_hash(script)}'",
                f"style-src '{_hash(style)}'",
                "img-src data:",
                "base-uri 'none'",
                "form-action 'none'",
            ]
        ),
        "style": style,
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _asset("page.html"))


def _asset(name: str) -> str:
    return (importlib.resources.files("gdlab.page") / "assets" / name).read_text(encoding="utf-8")


def _inert(script: str) -> str:
    """The same script without what would end it: only strings can hold these."""
    return re.sub(r"<(?=/script|!--|script)", r"\\x3c", script, flags=re.IGNORECASE)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
