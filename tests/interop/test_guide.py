"""The guide to other libraries says what works: its blocks are run."""

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "interop.md"


@pytest.mark.slow
def test_every_block_of_the_guide_runs():
    blocks = list(re.finditer(r"^```python\n(.*?)^```", GUIDE.read_text(), re.M | re.S))
    assert blocks
    namespace = {}
    for block in blocks:
        line = GUIDE.read_text()[: block.start(1)].count("\n")
        code = "\n" * line + block.group(1)  # so that an error names the line of the guide
        exec(compile(code, GUIDE, "exec"), namespace)
