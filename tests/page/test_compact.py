"""Scripts lose blanks and comments, and nothing else."""

import pytest

from gdlab.page.compact import compact_script, compact_style
from tests.page import node

SCRIPT = r"""
// A comment with "quotes" and `ticks`.
function f(x, y) {
  const text = `a  b ${x > 0 ? `c  ${ { d: "e  f" }.d }` : "g"}  $ {x} // no comment`; // one
  const parts = "1 ,  2/3".split(/ , *[ /]/);
  const signs = [x - -y, x + +y, x - - -y];
  if (x > 0) return { text, parts, signs };
  else throw new Error("x");
}
return f(1, 2);
"""


@node.needs_node
def test_a_script_does_what_it_did_before():
    assert node.evaluate(compact_script(SCRIPT)) == node.evaluate(SCRIPT)


def test_a_script_is_shorter_and_keeps_its_strings():
    made = compact_script(SCRIPT)
    assert "comment with" not in made
    assert "one\n" not in made
    assert "a  b " in made
    assert "e  f" in made
    assert "const signs=[x- -y,x+ +y,x- - -y];if(x>0)return{text,parts,signs}" in made


@pytest.mark.parametrize(
    ("style", "compact"),
    [
        (".a :hover, b > c {\n  margin: 0 -1px;\n}", ".a :hover,b > c{margin:0 -1px}"),
        ("a { width: calc(1px + (2px - 1%)); }", "a{width:calc(1px + (2px - 1%))}"),
    ],
)
def test_a_style_keeps_the_blanks_that_mean_something(style, compact):
    assert compact_style(style) == compact
