"""The exercises of the lecture, made by the cells of its pages."""

import ast
import re
from pathlib import Path
from typing import Any

from gdlab.page.exercise import Exercise

LECTURE = Path(__file__).parents[2] / "docs" / "lecture"
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(?::tags: \[([^\]]*)\]\n)?\n?(.*?)^```$", re.M | re.S)


def exercise_cells(page: str) -> tuple[str, list[str]]:
    """The first cell of a page of the lecture, which imports, and its cells tagged ``exercise``.

    Settings of JAX are left out: they would outlast the test, which has its own.
    """
    cells = CELL.findall((LECTURE / f"{page}.md").read_text(encoding="utf-8"))
    setup = re.sub(r"^jax\.config\.update\(.*\)$", "", cells[0][1], flags=re.M)
    return setup, [code for tags, code in cells if "exercise" in tags.split(", ")]


def exercise_of(page: str, position: int) -> Exercise:
    """The exercise that one cell of a page makes, from the first cell of the page alone."""
    setup, cells = exercise_cells(page)
    *body, last = ast.parse(cells[position]).body
    assert isinstance(last, ast.Expr)
    scope: dict[str, Any] = {"__name__": page}
    exec(setup, scope)
    exec(compile(ast.Module(body, []), page, "exec"), scope)
    return eval(compile(ast.Expression(last.value), page, "eval"), scope)


def pages_with_exercises() -> dict[str, int]:
    """Page of the lecture → the number of its exercises."""
    counts = {
        path.stem: len(exercise_cells(path.stem)[1])
        for path in LECTURE.glob("*.md")
        if CELL.search(path.read_text("utf-8"))
    }
    return {page: count for page, count in sorted(counts.items()) if count}
