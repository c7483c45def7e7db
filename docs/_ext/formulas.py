"""Formulas in running text do not break where a line ends.

They are written in Unicode, so that a page reads the same in an editor: 1/(1 − β) = 10. In the
built page a formula is an inline element that the style sheet does not let wrap. One too long for
the line of a phone breaks after a relation, and if that is not enough after a sum that no bracket
encloses, as it does in print.
"""

from docutils import nodes
from formula_text import MAX_LENGTH, split_text

UNBROKEN = "unbroken"
"""The class of what the style sheet keeps in one line."""
AS_WRITTEN = (nodes.FixedTextElement, nodes.literal, nodes.raw, nodes.math)


def keep_formulas(_app, page: nodes.document, _name: str) -> None:
    """Mark the formulas of a page, and its short inline code."""
    for parent in list(page.findall(nodes.TextElement)):
        if isinstance(parent, nodes.literal) and len(parent.astext()) <= MAX_LENGTH:
            parent["classes"].append(UNBROKEN)
        elif not isinstance(parent, AS_WRITTEN):
            parent[:] = _marked(_merged(parent.children))


def _merged(children: list[nodes.Node]) -> list[nodes.Node]:
    """Make one text of those that stand side by side, as lines of the source do."""
    merged: list[nodes.Node] = []
    for child in children:
        if merged and isinstance(child, nodes.Text) and isinstance(merged[-1], nodes.Text):
            merged[-1] = nodes.Text(merged[-1] + child)
        else:
            merged.append(child)
    return merged


def _marked(children: list[nodes.Node]) -> list[nodes.Node]:
    marked: list[nodes.Node] = []
    for child in children:
        if not isinstance(child, nodes.Text):
            marked.append(child)
            continue
        for part, is_formula in split_text(str(child)):
            if part:
                text = nodes.Text(part)
                marked.append(
                    nodes.inline("", "", text, classes=[UNBROKEN]) if is_formula else text
                )
    return marked


def setup(app) -> dict[str, bool]:
    """Marks formulas once all references are resolved."""
    app.connect("doctree-resolved", keep_formulas)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
