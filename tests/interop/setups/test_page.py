"""The page on these setups shows code that is run here."""

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "how-to" / "setups.md"
INCLUDED = re.compile(r"\{literalinclude\} (\S+)\n:pyobject: (\w+)\n")


def functions_of(path):
    return {node.name for node in ast.parse(path.read_text()).body if hasattr(node, "name")}


def test_every_setup_is_on_the_page_and_every_block_of_the_page_is_a_function_of_the_tests():
    included = INCLUDED.findall(PAGE.read_text())
    for file, name in included:
        assert name in functions_of((PAGE.parent / file).resolve()), (file, name)
    shown = {Path(file).name for file, _ in included}
    assert shown == {path.name for path in HERE.glob("test_*.py")} - {Path(__file__).name}
