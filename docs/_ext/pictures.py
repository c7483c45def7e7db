"""A picture below the first sentence of each function that draws, made by its own example.

The example in the docstring is run when the page is read. What it draws is the picture; where it
draws nothing, but ends in a value that draws itself, that is drawn. A function of ``gdlab.plots``
whose example does neither fails the build.
"""

import doctest
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from sphinx.application import Sphinx
from sphinx.util import logging

FOLDER = "api/pictures"
"""The folder of the pictures, below the sources. They are not kept in the repository."""
DOTS_PER_INCH = 110
STYLE = Path(__file__).parents[1] / "matplotlibrc"


def add_picture(
    app: Sphinx, what: str, fullname: str, function: Any, _options: Any, lines: list[str]
) -> None:
    """Show below the summary of a function what its example draws."""
    is_plot = what == "function" and fullname.startswith("gdlab.plots.")
    if not is_plot and not (what == "method" and function.__name__.startswith("plot")):
        return
    figures = figures_of(function)
    if not figures and is_plot:
        logging.getLogger(__name__).warning("the example of %s draws no picture", fullname)
    summary = lines.index("") if "" in lines else len(lines)
    for number, figure in enumerate(figures):
        path = Path(FOLDER) / f"{fullname.removeprefix('gdlab.')}{number or ''}.png"
        (app.srcdir / path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(app.srcdir / path, dpi=DOTS_PER_INCH, bbox_inches="tight")
        lines[summary:summary] = [
            "",
            f".. image:: /{path}",
            "   :class: picture",
            f"   :alt: The picture that the example of {fullname} draws",
        ]
    plt.close("all")


def figures_of(function: Callable[..., Any]) -> list[Figure]:
    """The figures that the example in a docstring draws."""
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(function) or "")
    names = dict(vars(sys.modules[function.__module__]))
    with matplotlib.rc_context(fname=STYLE):
        plt.close("all")
        value = None
        for example in examples:
            value = _run(example.source, names)
        if examples and not plt.get_fignums() and hasattr(value, "plot"):
            value.plot()
        return [plt.figure(number) for number in plt.get_fignums()]


def _run(source: str, names: dict[str, Any]) -> Any:
    """The value of an expression; None after a statement."""
    try:
        code = compile(source, "<example>", "eval")
    except SyntaxError:
        exec(compile(source, "<example>", "exec"), names)
        return None
    return eval(code, names)


def setup(app: Sphinx) -> dict[str, bool]:
    """Draws as soon as a docstring is read."""
    matplotlib.use("Agg")
    # Before the docstring's sections are rewritten.
    app.connect("autodoc-process-docstring", add_picture, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
