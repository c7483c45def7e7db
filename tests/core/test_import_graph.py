"""Which file imports which: without circles, downwards from room to room, in small rooms."""

import ast
import functools
import pathlib

import gdlab

PACKAGE = pathlib.Path(gdlab.__file__).parent
MOST_FILES_IN_A_ROOM = 12
SHOWN_AT_THE_CALL = ("gdlab.plots", "gdlab.page", "gdlab.sweeps.report")
"""Packages that are imported within the functions that show a thing, and count only at the top."""


def name_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


def is_for_types(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imported(node):
    """The modules of the package that an import statement names."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        names = {f"{node.module}.{alias.name}": node.module for alias in node.names}
        return {name if name in FILES else module for name, module in names.items()}
    return set()


def imports_below(node, within_function):
    for child in ast.iter_child_nodes(node):
        if is_for_types(child):
            continue
        for name in imported(child):
            if not (within_function and name.startswith(SHOWN_AT_THE_CALL)):
                yield name
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from imports_below(child, within_function or is_function)


@functools.cache
def imports(name):
    found = imports_below(ast.parse(FILES[name].read_text()), within_function=False)
    return {module for module in found if module in FILES} - {name}


def circle_from(name, above, done):
    """A circle of imports that can be reached from a file, None if there is none."""
    if name in above:
        return [*above[above.index(name) :], name]
    if name not in done:
        for below in sorted(imports(name)):
            if circle := circle_from(below, [*above, name], done):
                return circle
        done.add(name)
    return None


def packages_below(package):
    """The folders of the package that the files of one of them import."""
    inside = [name for name in FILES if name.startswith(f"gdlab.{package}.")]
    found = {below.split(".")[1] for name in inside for below in imports(name) if "." in below}
    return found - {package}


def test_no_import_leads_back_to_its_file():
    done = set()
    for name in FILES:
        circle = circle_from(name, [], done)
        assert circle is None, " → ".join(circle)


def test_what_sweeps_and_analysis_share_knows_nothing_of_them():
    above = {"sweeps", "analysis", "plots", "page"}
    for package in ("core", "axes", "devices", "progress", "training"):
        assert not packages_below(package) & above, package
    assert "analysis" not in packages_below("sweeps")


def test_analysis_sees_sweeps_by_their_results_alone():
    allowed = ("gdlab.sweeps.sweep", "gdlab.sweeps.results", "gdlab.sweeps.settings")
    for name in FILES:
        if name.startswith("gdlab.analysis."):
            others = [
                below
                for below in imports(name)
                if below.startswith("gdlab.sweeps.") and not below.startswith(allowed)
            ]
            assert not others, (name, others)


def test_results_of_sweeps_know_nothing_of_how_they_were_computed():
    rooms = ("compiled", "execute", "persist", "sweep", "study")
    for name in FILES:
        if name.startswith("gdlab.sweeps.results."):
            assert not [
                below
                for below in imports(name)
                for room in rooms
                if below.startswith(f"gdlab.sweeps.{room}")
            ], name


def test_no_room_of_the_sweeps_has_more_than_a_dozen_files():
    for room in [PACKAGE / "sweeps", *(PACKAGE / "sweeps").rglob("*")]:
        if room.is_dir():
            files = [path for path in room.glob("*.py") if path.stem != "__init__"]
            assert len(files) <= MOST_FILES_IN_A_ROOM, (room, len(files))
