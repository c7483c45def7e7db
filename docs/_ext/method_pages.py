"""A page for each method, read off its factory, its docstring and a table beside it.

Of each public factory of ``gdlab.optimizers`` that takes a learning rate or stands in a table of
``docs/optimizers/methods/*.toml``, the build writes ``optimizers/methods/<name>.md``: its
docstring, the memory that its state takes, as measured, the defaults beside those of other
libraries, and the composition, as text and as a block diagram. ``optimizers/methods/index.md``
lists them all.

The tables say what cannot be read off: the names and defaults elsewhere, the differences, and the
cost beyond elementwise arithmetic. A method without an entry fails the build.
"""

import inspect
import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib
import matplotlib.pyplot as plt
from sphinx.application import Sphinx
from sphinx.util import logging

import gdlab
from gdlab import GradientTransformation, expand
from gdlab.plots.diagrams.block_diagram import block_diagram
from gdlab.plots.diagrams.blocks import Box, Frame, Parallel, Series, block_of

FAMILIES = {
    "momentum": "Gradient descent and momentum",
    "sign": "Signs of gradients",
    "adaptive": "A scale for each parameter",
    "matrix": "Matrices as a whole",
    "kronecker": "A factor for each axis",
    "memory_light": "Little memory",
    "tuning_free": "Without a learning rate to tune",
    "sharpness": "Flat minima",
    "curvature": "Curvature and line searches",
    "outer": "Outer steps around other methods",
    "privacy": "Privacy",
}
"""The titles of the folders of ``gdlab.optimizers``, in the order of the list."""
LIBRARIES = {"optax": "optax", "torch": "PyTorch", "keras": "Keras"}
LARGE, LONG = (256, 256), (65536,)
"""A matrix and a vector on which memory is measured."""
MOST_BOXES = 24
"""In a diagram that opens methods within a method."""
INTRODUCTION = (
    "Each has a page of its own, which the code itself draws and measures. {doc}`differences` "
    "lists where libraries do not agree.\n"
)
BAR = "\\|"
"""The bar of a modulus, within a table."""
logger = logging.getLogger(__name__)


def write_pages(app: Sphinx) -> None:
    """Write the pages, the pictures on them and the list of them."""
    folder = Path(app.srcdir) / "optimizers" / "methods"
    tables = {
        name: entry
        for file in sorted(folder.glob("*.toml"))
        for name, entry in tomllib.loads(file.read_text()).items()
    }
    methods = {name: getattr(gdlab, name) for name in gdlab.__all__ if _is_method(name, tables)}
    for name in sorted(methods.keys() - tables.keys()):
        logger.warning("%s has no entry in docs/optimizers/methods/*.toml", name)
    for name in sorted(tables.keys() - methods.keys()):
        logger.warning("docs/optimizers/methods: %s is no public factory", name)
    matplotlib.use("Agg")
    plt.rcParams["svg.fonttype"] = "none"
    for name, factory in methods.items():
        _write(folder / f"{name}.md", _page(name, factory, tables.get(name, {}), folder))
    _write(folder / "index.md", _list(methods))
    _write(folder / "differences.md", _differences(tables))


def _is_method(name: str, tables: dict[str, object]) -> bool:
    factory = getattr(gdlab, name)
    module = getattr(factory, "__module__", "")
    return name in tables or (
        module.startswith("gdlab.optimizers")
        and "learning_rate" in inspect.signature(factory).parameters
        and not name.startswith("scale_by")
    )


def _page(name: str, factory: object, entry: dict[str, str], folder: Path) -> str:
    tx = _example(factory)
    parts = [f"# `{name}`\n", _docstring(name)]
    parts.append("## Memory and cost\n")
    parts.append(_memory(tx))
    parts.append(f"Cost of a step: {entry.get('cost') or 'elementwise'}.\n")
    rows = [(title, entry.get(key, "–")) for key, title in LIBRARIES.items()]
    parts.append("## Elsewhere\n\n| Library | Name and defaults |\n|---|---|")
    parts.append(f"| gdlab | `{name}{_signature(factory)}` |")
    parts.extend(f"| {title} | {_code(call)} |" for title, call in rows)
    if differs := entry.get("differs"):
        parts.append(f"\n{differs}")
    if tx is not None:
        parts.append(_composition(name, tx, folder))
    return "\n".join(parts) + "\n"


def _docstring(name: str) -> str:
    return f"```{{eval-rst}}\n.. autofunction:: gdlab.{name}\n   :no-index:\n```\n"


def _signature(factory: object) -> str:
    parameters = inspect.signature(factory).parameters.values()  # type: ignore[arg-type]
    written, keyword_only = [], False
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            written.append("*")
            keyword_only = True
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        keyword_only |= bool(star)
        default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
        written.append(f"{star}{parameter.name}{default}")
    return f"({', '.join(written)})"


def _code(call: str) -> str:
    return "–" if call in ("", "–") else f"`{call}`"


def _example(factory: object) -> GradientTransformation | None:
    """The method with its defaults and some learning rate; None if it needs more."""
    required = [
        parameter.name
        for parameter in inspect.signature(factory).parameters.values()  # type: ignore[arg-type]
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    known = {"learning_rate": 1e-3, "base_optimizer": gdlab.sgd(1e-3), "inner": gdlab.sgd(1e-3)}
    if not set(required) <= known.keys():
        return None
    return factory(**{name: known[name] for name in required})  # type: ignore[operator]


def _memory(tx: GradientTransformation | None) -> str:
    """The words that a state keeps beside the parameters, for each of them."""
    if tx is None:
        return "The memory depends on the arguments.\n"

    def words(shape: tuple[int, ...]) -> float:
        like = {"w": jax.ShapeDtypeStruct(shape, jnp.float32)}
        state = jax.eval_shape(tx.init, like)
        total = sum(leaf.size * leaf.dtype.itemsize / 4 for leaf in jax.tree.leaves(state))
        return total / jnp.prod(jnp.array(shape))

    matrix, vector = words(LARGE), words(LONG)
    return (
        f"Words kept for each parameter, beside the parameter itself: **{matrix:.3g}** for a "
        f"matrix of {LARGE[0]} × {LARGE[1]}, **{vector:.3g}** for a long vector.\n"
    )


def _composition(name: str, tx: GradientTransformation, folder: Path) -> str:
    opened = fully = expand(tx)
    while (further := expand(fully)) != fully:
        fully = further
    shown = fully if _boxes(block_of(fully)) <= MOST_BOXES else opened
    if _boxes(block_of(shown)) > 1:
        ax = block_diagram(shown)
        ax.figure.savefig(folder / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})
        plt.close(ax.figure)
        picture = f"```{{image}} {name}.svg\n:alt: Block diagram of {name}\n```\n"
    else:
        picture = ""
    code = f"```python\n>>> gdlab.expand(gdlab.{tx!r})\n{_broken(repr(opened))}\n```"
    return f"\n## Composition\n\n{picture}\n{code}"


def _broken(source: str, indent: int = 0, widest: int = 88) -> str:
    """An expression in several lines, one for each argument, where it is too long for one."""
    opening = source.find("(")
    if indent + len(source) <= widest or opening < 0 or not source.endswith(")"):
        return " " * indent + source
    arguments, depth, begin = [], 0, opening + 1
    for place, letter in enumerate(source[opening + 1 : -1], start=opening + 1):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            arguments.append(source[begin:place].strip())
            begin = place + 1
    arguments.append(source[begin:-1].strip())
    lines = [f"{_broken(argument, indent + 4, widest)}," for argument in arguments]
    return "\n".join([" " * indent + source[: opening + 1], *lines, " " * indent + ")"])


def _boxes(block: object) -> int:
    if isinstance(block, Box):
        return 1
    if isinstance(block, Frame):
        return _boxes(block.block)
    inner = block.blocks if isinstance(block, Series) else block.branches  # type: ignore[attr-defined]
    return sum(map(_boxes, inner)) + isinstance(block, Parallel)


def _list(methods: dict[str, object]) -> str:
    text = ["# All methods\n", INTRODUCTION]
    by_family: dict[str, list[str]] = {family: [] for family in FAMILIES}
    for name, factory in sorted(methods.items()):
        family = factory.__module__.split(".")[2] if "optimizers" in factory.__module__ else "outer"
        by_family.setdefault(family, []).append(name)
    for family, names in by_family.items():
        if not names:
            continue
        text.append(f"## {FAMILIES.get(family, family.capitalize())}\n\n| Method | |\n|---|---|")
        text.extend(f"| [`{name}`]({name}.md) | {_first_sentence(name)} |" for name in names)
        text.append("")
    listed = "\n".join(["differences", *sorted(methods)])
    text.append(f"```{{toctree}}\n:hidden:\n\n{listed}\n```")
    return "\n".join(text) + "\n"


def _differences(tables: dict[str, dict[str, str]]) -> str:
    rows = [
        f"| [`{name}`]({name}.md) | {entry['differs'].strip().replace('|', BAR)} |"
        for name, entry in sorted(tables.items())
        if entry.get("differs")
    ]
    text = (
        "# Where methods differ from library to library\n\nWhere optax or another library departs "
        "from the paper, gdlab follows the paper. What was a choice is an argument; questions that "
        "several methods share are answered under {doc}`../../conventions`.\n\n"
    )
    return text + "\n".join(["| Method | Difference |", "|---|---|", *rows]) + "\n"


def _first_sentence(name: str) -> str:
    return (
        (inspect.getdoc(getattr(gdlab, name)) or "")
        .split("\n\n")[0]
        .replace("\n", " ")
        .replace("|", BAR)
    )


def _write(path: Path, text: str) -> None:
    # A page that did not change keeps its date, so that it is not read anew.
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Writes the pages before Sphinx looks for its sources."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
