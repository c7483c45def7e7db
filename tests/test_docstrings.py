"""The wording of docstrings: their first word begins a sentence or a noun phrase."""

import ast
import pathlib
from collections.abc import Iterator

import pytest

import gdlab

PACKAGE = pathlib.Path(gdlab.__file__).parent
FOLDERS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
# fmt: off
FRAGMENT_OPENINGS = {
    "Above", "After", "By", "For", "From", "How", "In", "Of", "On", "That", "Those", "Through",
    "What", "When", "Where", "Whether", "Which", "Whose", "With"
}
# fmt: on
"""Words that open half a sentence, which needs the name above it to be understood."""


def docstrings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and the text of each docstring, those of constants and fields included."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            if (
                isinstance(statement, ast.Expr)
                and isinstance(statement.value, ast.Constant)
                and isinstance(statement.value.value, str)
            ):
                yield statement.lineno, statement.value.value


def fragments(source: str) -> list[int]:
    """The lines of the docstrings that open with half a sentence."""
    return [
        line
        for line, text in docstrings(ast.parse(source))
        if text.strip() and text.split()[0].strip(".,:;") in FRAGMENT_OPENINGS
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_docstring_opens_with_half_a_sentence(folder):
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted((PACKAGE / folder).rglob("*.py"))
        for line in fragments(path.read_text())
    ]
    assert not found, f"begin these docstrings with a noun phrase or a verb: {', '.join(found)}"


def test_docstrings_of_modules_functions_constants_and_fields_are_read():
    source = '''"""Of a module."""
LIMIT = 1
"""By how much."""
class Field:
    """A class."""
    size: int
    """How large."""
    def test(self):
        """Whether it is so."""
'''
    assert sorted(fragments(source)) == [1, 3, 7, 9]
