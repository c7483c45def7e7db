"""The page about loaders says what works: its cells and its blocks are run in order."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "loaders.md"


@pytest.mark.slow
def test_every_cell_and_block_of_the_page_runs():
    pytest.importorskip("torch")
    text = PAGE.read_text()
    blocks = list(re.finditer(r"^```(?:\{code-cell\} )?python\n(.*?)^```", text, re.M | re.S))
    assert len(blocks) == text.count("```{code-cell}") + text.count("```python") > 5
    namespace = {}
    for block in blocks:
        line = text[: block.start(1)].count("\n")
        code = "\n" * line + block.group(1)  # so that an error names the line of the page
        exec(compile(code, PAGE, "exec"), namespace)
