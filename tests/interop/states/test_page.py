"""The page about moving states says what works: its blocks on torch and Keras are run."""

import os
import re
import warnings
from pathlib import Path

import jax
import pytest

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "carry-states-over.md"


def blocks(title):
    """The blocks of a section that are not run when the page is built, with their lines."""
    text = PAGE.read_text()
    section = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert section
    found = re.finditer(r"^```python\n(.*?)^```", section.group(1), re.M | re.S)
    for block in found:
        line = text[: section.start(1) + block.start(1)].count("\n")
        yield "\n" * line + block.group(1)  # so that an error names the line of the page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("title", "module"),
    [("From torch", "torch"), ("From Keras", "keras"), ("Between machines", "torch")],
)
def test_every_block_of_the_page_runs(title, module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.environ.setdefault("KERAS_BACKEND", "jax")
    with warnings.catch_warnings(action="ignore"), jax.numpy_dtype_promotion("standard"):
        pytest.importorskip(module, reason=f"{module} is not installed")
        namespace = {}
        codes = list(blocks(title))
        assert codes
        for code in codes:
            exec(compile(code, PAGE, "exec"), namespace)
