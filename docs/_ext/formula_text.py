"""Where formulas are in a text, and where long ones may break."""

import re
from collections.abc import Iterator

RELATIONS = "=≈≤≥<>←→∈≠∝≪≫"
SUMS = "+−±∓"
PRODUCTS = "×·/÷∘⊙⊗"
MAX_LENGTH = 30
"""The number of characters that fit into one line on a phone."""
FORMULA = re.compile(rf"\S+(?:[ \n][{RELATIONS}{SUMS}{PRODUCTS}][ \n]\S+)+|[^\s/]+/[^\s/]+")
"""Words with operators between them, or a quotient in one word."""


def split_text(text: str) -> Iterator[tuple[str, bool]]:
    """The parts of a text, and for each whether it is a formula or a piece of one."""
    end = 0
    for formula in FORMULA.finditer(text):
        yield text[end : formula.start()], False
        for number, piece in enumerate(pieces_of(formula.group())):
            yield " " if number else "", False
            yield piece, len(piece) <= MAX_LENGTH  # a longer one has to break somewhere
        end = formula.end()
    yield text[end:], False


def pieces_of(formula: str) -> list[str]:
    """The formula in as few pieces as fit into a line each."""
    for operators in ("", RELATIONS, RELATIONS + SUMS):
        pieces = _cut_after(operators, formula)
        if max(map(len, pieces)) <= MAX_LENGTH:
            break
    return pieces


def _cut_after(operators: str, formula: str) -> list[str]:
    """The formula, cut after those operators that stand outside of all brackets."""
    pieces, depth = [""], 0
    for word in formula.split():
        pieces[-1] += f" {word}" if pieces[-1] else word
        depth += sum(map(word.count, "([{")) - sum(map(word.count, ")]}"))
        if depth <= 0 and word in tuple(operators):
            pieces.append("")
    return [piece for piece in pieces if piece]
