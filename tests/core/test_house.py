"""How the core is built: few floors, no circle, names that may be imported, and few calls."""

import ast
import functools
import pathlib
import sys

import jax
import jax.numpy as jnp

import gdlab

PACKAGE = pathlib.Path(gdlab.__file__).parent
CORE = {path.stem: path for path in (PACKAGE / "core").glob("*.py")}
FLOORS = 6
CALLS_OF_A_TRACED_STEP = 900
ANY_IN_A_THOUSAND_LINES = 15


@functools.cache
def imports(name):
    """The files of the core that a file imports."""
    nodes = ast.walk(ast.parse(CORE[name].read_text()))
    modules = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {module.split(".")[2] for module in modules if module.startswith("gdlab.core.")}


def floor_of(name, above=()):
    assert name not in above, f"a circle of imports: {' → '.join((*above, name))}"
    return 1 + max((floor_of(below, (*above, name)) for below in imports(name)), default=0)


def test_the_core_has_few_floors_and_no_circle():
    floors = {name: floor_of(name) for name in CORE}
    assert max(floors.values()) <= FLOORS, floors


def test_no_private_name_is_imported_from_another_file():
    found = [
        f"{path.relative_to(PACKAGE)}: {alias.name}"
        for folder in ("core", "transforms", "optimizers", "training")
        for path in (PACKAGE / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert not found


def test_types_say_what_things_are():
    lines = [
        line
        for folder in ("core", "transforms", "optimizers")
        for path in (PACKAGE / folder).rglob("*.py")
        for line in path.read_text().splitlines()
    ]
    mentions = sum(line.replace("[", " ").replace("]", " ").split().count("Any") for line in lines)
    assert 1000 * mentions / len(lines) <= ANY_IN_A_THOUSAND_LINES


def test_a_traced_step_of_adam_makes_few_calls_through_few_of_our_functions():
    tx, params = gdlab.adam(0.1), {"w": jnp.ones((3, 2)), "b": jnp.ones(2)}
    state = tx.init(params)
    step = lambda tx, g, s, p: tx.update(g, s, p)  # noqa: E731
    jax.make_jaxpr(step)(tx, params, state, params)  # what is found out once is known
    jax.clear_caches()
    calls = []

    def count(frame, event, _):
        if event == "call" and frame.f_code.co_filename.startswith(str(PACKAGE)):
            calls.append(frame.f_code.co_qualname)

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        jax.make_jaxpr(step)(tx, params, state, params)
    finally:
        sys.setprofile(before)
    assert 0 < len(calls) <= CALLS_OF_A_TRACED_STEP


def test_a_closure_is_opened_once_a_trace():
    opened = []

    @gdlab.leafwise
    def watched(factor: gdlab.Hyperparameter):
        opened.append(factor)
        return lambda u: factor * u

    tx = gdlab.chain(watched(gdlab.linear_schedule(0.1, 0.2, 3)), gdlab.scale(0.5))
    params = {"a": jnp.ones(2), "b": jnp.ones((2, 2)), "c": jnp.ones(())}
    state = tx.init(params)
    opened.clear()
    jax.make_jaxpr(tx.update)(params, state)
    assert len(opened) == 1
