"""Scripts and styles without the blanks and comments, which are for those who read them here."""

import re

_KEPT = re.compile(
    r"""
      "(?:[^"\\\n]|\\.)*"                   # a string
    | `(?:[^`\\$]|\\.|\$(?!{)               # a template, which may hold objects and templates
        | \${(?:[^{}`]|{[^{}`]*}|`(?:[^`\\]|\\.)*`)*}
      )*`
    | (?:(?<=[(,=:?!&|])|(?<=return))\s*    # a regular expression
      /(?![/*])(?:[^/\\\n\[]|\\.|\[[^\]\n]*\])+/
    """,
    re.VERBOSE,
)
_COMMENT = re.compile(r"(?:^|(?<=\s))//.*$", re.MULTILINE)


def compact_script(code: str) -> str:
    r"""The same JavaScript in fewer characters.

    Args:
        code: ends every statement with a semicolon, and has no comment behind code that quotes.

    >>> print(compact_script('let x = 1; // one\nif (x > 0) say(" a  b ", x - -1);'))
    let x=1;if(x>0)say(" a  b ",x- -1);
    """
    code = "\n".join(line for line in code.splitlines() if not line.lstrip().startswith("//"))
    pieces, end = [], 0
    for kept in _KEPT.finditer(code):
        pieces += [_squeezed(code[end : kept.start()]), kept[0]]
        end = kept.end()
    return "".join([*pieces, _squeezed(code[end:])])


def compact_style(code: str) -> str:
    r"""The same CSS in fewer characters.

    >>> compact_style("@media (width > 9px) {\n  a :hover, b { margin: 0 calc(1px + 2px); }\n}")
    '@media (width > 9px){a :hover,b{margin:0 calc(1px + 2px)}}'
    """
    code = re.sub(r"\s+", " ", code)
    code = re.sub(r" ?([{};]) ?|(?<=[:,]) ", lambda match: match[1] or "", code)
    return code.replace(";}", "}").strip()


def _squeezed(code: str) -> str:
    """Code without strings: blanks matter between words, and between two signs."""
    code = re.sub(r"\s+", " ", _COMMENT.sub("", code))
    code = re.sub(r" ?([^\w\s$+-]) ?", r"\1", code)
    return re.sub(r"(?<![+-]) ?([+-]) ?(?![+-])", r"\1", code).replace(";}", "}")
