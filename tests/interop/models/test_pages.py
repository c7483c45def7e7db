"""The pages on models say what works: their blocks are run."""

import re
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[3] / "docs" / "how-to"


@pytest.mark.slow
@pytest.mark.parametrize("library", ["nnx", "linen", "equinox"])
def test_every_block_of_the_page_runs(library, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a block saves a result
    page = PAGES / f"models-{library}.md"
    text = page.read_text()
    blocks = list(re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S))
    assert blocks
    namespace = {}
    for block in blocks:
        line = text[: block.start(1)].count("\n")
        code = "\n" * line + block.group(1)  # so that an error names the line of the page
        exec(compile(code, page, "exec"), namespace)
