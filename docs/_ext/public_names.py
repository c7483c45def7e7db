"""``.. public-names:: gdlab.optimizers``: the API pages, read off the one list of public names.

The directive documents every name in the ``__all__`` of ``gdlab`` and of its namespaces, such as
``gdlab.analysis``, that a package defines, and the build warns of a public name that no page
documents. A new function needs no edit here.
"""

import inspect
import operator
import re
import sys

from docutils.nodes import Node
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import stringify_annotation

import gdlab
import gdlab.analysis
import gdlab.interop
import gdlab.losses
import gdlab.plots
import gdlab.problems
import gdlab.scaling

ANNOTATED = re.compile(
    r"[\w.]+(?: \| [\w.]+)*, Data\(convert=<[^>]*>, number=\w+, together=\w+, name='([^']*)'\)"
)
"""An annotated type as Sphinx writes it, with its name within."""
NAMESPACES = {
    "": gdlab,
    "analysis.": gdlab.analysis,
    "interop.": gdlab.interop,
    "losses.": gdlab.losses,
    "plots.": gdlab.plots,
    "problems.": gdlab.problems,
    "scaling.": gdlab.scaling,
}


class PublicNames(SphinxDirective):
    """A table of the public names that ``package`` defines, then each in full."""

    required_arguments = 1

    def run(self) -> list[Node]:
        (package,) = self.arguments
        names = [name for name in public_names() if home(name).startswith(package)]
        if not names:
            raise self.error(f"{package} defines no public name")
        (prefix,) = {name.rpartition(".")[0] for name in names}
        module = f"gdlab.{prefix}".rstrip(".")
        table = [
            ".. autosummary::",
            "   :nosignatures:",
            "",
            *(f"   {own(name)}" for name in names),
        ]
        entries = [f".. {directive(name)}:: {own(name)}" for name in names]
        source = [f".. py:currentmodule:: {module}", "", *table, "", *entries]
        return self.parse_text_to_nodes("\n".join(source))


def public_names() -> list[str]:
    """As they are written after ``gdlab.``."""
    names = [
        prefix + name
        for prefix, namespace in NAMESPACES.items()
        for name in namespace.__all__
        if not name.startswith("__")
    ]
    return sorted(names, key=str.lower)


def own(name: str) -> str:
    """The name without its namespace."""
    return name.rpartition(".")[2]


def value_of(name: str):
    return operator.attrgetter(name)(gdlab)


def is_alias(name: str) -> bool:
    return not (inspect.isclass(value_of(name)) or inspect.isroutine(value_of(name)))


def home(name: str) -> str:
    """Where ``name`` is defined. The aliases of types do not know; the core defines them all.

    The core also defines a schedule of which hyperparameters are made; it belongs to the others.
    """
    if name in gdlab.schedules.__all__:
        return "gdlab.schedules"
    return "gdlab.core" if is_alias(name) else value_of(name).__module__


def directive(name: str) -> str:
    if is_alias(name):
        return "autodata"
    return "autoclass" if inspect.isclass(value_of(name)) else "autofunction"


def describe_alias(_app, _what, fullname, _obj, _options, lines: list[str]) -> None:
    """An alias has the docstring below its assignment, not that of ``typing.Annotated``."""
    name = fullname.removeprefix("gdlab.")
    if name not in public_names() or not is_alias(name):
        return
    for module in [m for m in sys.modules if m.startswith("gdlab.core.")]:
        if found := ModuleAnalyzer.for_module(module).find_attr_docs().get(("", name)):
            lines[:] = found


def keep_moduli(_app, _what, _name, _obj, _options, lines: list[str]) -> None:
    """The bars of |g| are those of a modulus, not of a substitution."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = line.split("``")
            parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
            lines[number] = "``".join(parts)


def name_aliases(_app, _what, _name, _obj, _options, signature, returns):
    """Signatures say ``Hyperparameter``, not what it is an alias of."""
    for name in filter(is_alias, public_names()):
        spelled_out = stringify_annotation(value_of(name), "smart", short_literals=True)
        signature = signature and signature.replace(spelled_out, name)
    # An alias that is not public says in itself what it is called.
    return signature and ANNOTATED.sub(r"\1", signature), returns


def warn_of_undocumented_names(_app: Sphinx, env: BuildEnvironment) -> None:
    documented = env.get_domain("py").objects
    for name in public_names():
        if f"gdlab.{name}" not in documented:
            logging.getLogger(__name__).warning("gdlab.%s is public, but on no API page", name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the directive, and what makes aliases, moduli and omissions visible."""
    app.add_directive("public-names", PublicNames)
    app.connect("autodoc-process-docstring", describe_alias)
    app.connect("autodoc-process-docstring", keep_moduli)
    app.connect("autodoc-process-signature", name_aliases)
    app.connect("env-check-consistency", warn_of_undocumented_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
