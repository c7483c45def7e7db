"""The numbers in prose, code and comments have their leading zero: 0.9 and not .9."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PATTERNS = (
    "*.md",
    "docs/**/*.md",
    "docs/**/*.toml",
    "gdlab/**/*.py",
    "examples/**/*.py",
    "examples/**/*.ipynb",
)
READ = sorted(
    path
    for pattern in PATTERNS
    for path in ROOT.glob(pattern)
    if "_build" not in path.parts
    and not path.match("docs/optimizers/methods/*.md")  # written by the build, from the others
)
NO_ZERO = re.compile(
    r"""
    (?<![\w.)\]}"'\\])          # no attribute, suffix or pattern
    (?<!:)(?<!:[+\-<>^,])       # no format specification: {x:.2f}, {x:+.2f}
    \.\d+
    (?![\d]*(?:[fgn%]|e(?![-\d])))
    """,
    re.VERBOSE,
)


def numbers_without_zero(text):
    return [match.group() for match in NO_ZERO.finditer(text)]


@pytest.mark.parametrize(
    "text", ["β = .9", "−.5", "(.1, 2)", "2/.3", "[.68, 1.21]", "of .9.", "√.9"]
)
def test_a_number_without_its_zero_is_found(text):
    assert numbers_without_zero(text)


@pytest.mark.parametrize(
    "text", ["β = 0.9", "x[0].1", "{x:.2f}", "{x:+.1%}", "{x:,.0f}", "1.5", "chain.0.b1", '".0"']
)
def test_other_points_are_none(text):
    assert not numbers_without_zero(text)


def test_numbers_have_their_leading_zero():
    found = {
        str(path.relative_to(ROOT)): numbers
        for path in READ
        if (numbers := numbers_without_zero(path.read_text(encoding="utf-8")))
    }
    assert not found
