"""The pages for those who come from elsewhere: what their tables and their code claim.

A table whose last column says that two calls do the same is run: each of its rows is a call of the
other library and one of gdlab, as a reader would copy them.
"""

import ast
import contextlib
import importlib
import inspect
import itertools
import os
import re
import warnings
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest

import gdlab
from tests.names import NAMES
from tests.paths import GRADS, gdlab_path, keras_path, torch_path

PAGES = Path(__file__).parents[2] / "docs" / "how-to"
PAGE_NAMES = ("torch", "keras", "optuna", "wandb-sweeps", "ray-tune")
LEARNING_RATE = 0.5
STEPS = 36
pytestmark = pytest.mark.x64


def text_of(page):
    return (PAGES / f"coming-from-{page}.md").read_text()


def rows(page, first):
    """The rows of the table whose first heading is ``first``, below the heading of its section."""
    section = text_of(page).split(f"## {first}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def calls(page, first):
    """Both calls of each row whose last cell says that they do the same."""
    found = rows(page, first)
    assert len(found) > 5
    pairs = [(code(row[0]), code(row[1])) for row in found if row[-1].startswith("the same")]
    return [pytest.param(*pair, id=pair[0]) for pair in pairs]


def code(cell):
    (source,) = re.findall(r"`([^`]+)`", cell)
    return source


def ours(source, learning_rate):
    return eval(source, NAMES | {"lr": learning_rate})


# --- Methods and schedules of the tables


def evaluated(source, bound, **names):
    """The value of a call as the table writes it: each class in it is ``bound(name)``."""
    nodes = ast.walk(ast.parse(source))
    classes = {n.id for n in nodes if isinstance(n, ast.Name) and n.id[0].isupper()}
    return eval(source, names | {name: bound(name) for name in classes})


@pytest.mark.slow
@pytest.mark.parametrize(("theirs", "source"), calls("torch", "All optimizers"))
def test_a_method_of_torch_takes_the_steps_that_the_table_says(theirs, source):
    rates = np.full(len(GRADS), 0.02)
    grads = GRADS[:, :3] if "centered" in theirs else GRADS
    params = np.array([1.0, -2.0, 0.5, 3.0, -0.25])[: grads.shape[1]]

    def make(library, thetas):
        return evaluated(theirs, lambda name: partial(getattr(library, name), thetas), lr=0.02)

    expected = torch_path(make, rates, grads, params)
    found = gdlab_path(lambda _: ours(source, 0.02), rates, grads, params)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize(("theirs", "source"), calls("torch", "All schedulers"))
def test_a_scheduler_of_torch_sets_the_values_that_the_table_says(theirs, source):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=LEARNING_RATE)
    schedulers, averages = torch.optim.lr_scheduler, torch.optim.swa_utils

    def bound(name):
        if name == "ChainedScheduler":
            return schedulers.ChainedScheduler
        return partial(getattr(averages if name == "SWALR" else schedulers, name), optimizer)

    scheduler = evaluated(theirs, bound)
    expected = []
    for _ in range(STEPS):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    found = jax.vmap(ours(source, LEARNING_RATE))(np.arange(STEPS))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("theirs", "source"), calls("keras", "All optimizers"))
def test_a_method_of_keras_takes_the_steps_that_the_table_says(theirs, source):
    rates = np.full(len(GRADS), 0.02)

    def make(library):
        return evaluated(theirs, partial(getattr, library), lr=0.02)

    expected = keras_path(make, rates)
    found = gdlab_path(lambda _: ours(source, 0.02), rates)
    # Keras has the exponent −0.8 of its Adafactor in float32.
    tolerance = 1e-5 if "Adafactor" in theirs else 1e-10
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize(("theirs", "source"), calls("keras", "All schedules"))
def test_a_schedule_of_keras_has_the_values_that_the_table_says(theirs, source):
    steps = np.arange(0, STEPS, 3)
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        keras = imported("keras")
        schedule = evaluated(theirs, partial(getattr, keras.optimizers.schedules), lr=LEARNING_RATE)
        expected = [float(keras.ops.convert_to_numpy(schedule(step))) for step in steps]
    found = jax.vmap(ours(source, LEARNING_RATE))(steps)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)  # it computes in float32


def imported(module):
    """A library, if it is installed."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    with warnings.catch_warnings(action="ignore"):  # Keras's own, about NumPy
        return pytest.importorskip(module, reason=f"{module} is not installed")


# --- Names of all tables

ELSEWHERE = {
    "torch": (
        "torch", "torch.optim", "torch.optim.lr_scheduler", "torch.optim.swa_utils",
        "torch.nn.utils", "torch.amp", "torch.utils.data", "torch.optim.Optimizer",
        "torch.optim.lr_scheduler.LRScheduler", "torch.Tensor",
    ),
    "keras": (
        "keras", "keras.optimizers", "keras.optimizers.schedules", "keras.callbacks",
        "keras.Model", "keras.optimizers.Optimizer",
    ),
    "optuna": (
        "optuna", "optuna.samplers", "optuna.pruners", "optuna.trial.Trial", "optuna.Study",
        "optuna.storages", "optuna.visualization", "optuna.importance", "optuna.terminator",
    ),
}  # fmt: skip
"""Where in the other library the names are that its tables use."""
HERE = (
    gdlab,
    gdlab.analysis,
    gdlab.interop,
    gdlab.losses,
    gdlab.plots,
    gdlab.GradientTransformation,
    gdlab.State,
    gdlab.SweepResult,
    gdlab.Trajectory,
    gdlab.Axis,
    gdlab.SuccessiveHalving,
    gdlab.Hyperband,
    gdlab.PopulationBasedTraining,
    jax,
    jax.random,
)
"""Where the names of gdlab's columns are."""
OF_THE_READER = {
    *("tx", "state", "params", "updates", "grads", "grad", "loss", "batch", "data", "batch_size"),
    *("steps", "step", "lr", "d", "k", "t", "x", "y", "w", "p", "group", "model", "layer"),
    *("optimizer", "scheduler", "result", "run", "study", "trial", "config", "jax", "DataLoader"),
    *("lambda", "for", "in", "None", "True", "False", "learning_rate", "momentum"),
    *("more", "objective", "optuna", "keras", "torch"),
}
"""Names that a reader has given, and words of Python."""


def names_in(place):
    """The attributes of a module or a class, and the parameters of what is in it."""
    found = set(dir(place))
    for name in found.copy():
        value = getattr(place, name, None)
        with contextlib.suppress(TypeError, ValueError):
            found |= set(inspect.signature(value).parameters)
    return found


def tables(page):
    """Each table of a page: its headings, and its rows."""
    lines = text_of(page).splitlines()
    for heads, body in itertools.groupby(lines, lambda line: line.startswith("|")):
        if heads:
            first, _, *rest = (
                [cell.strip() for cell in row.strip("|").split(" | ")] for row in body
            )
            yield first, rest


def unknown_names(page, is_ours, known):
    """The names in the code of some columns that are nowhere."""
    for heads, body in tables(page):
        for row in body:
            for head, cell in zip(heads, row, strict=True):
                if (head == "gdlab") is is_ours and head not in ("Steps", "Values"):
                    for source in re.findall(r"(?<!})`([^`]+)`", cell):
                        text = re.sub(r"\"[^\"]*\"|\d[\w.]*", "", source)
                        yield from set(re.findall(r"[^\W\d]\w*", text)) - known


BLOCKS = re.MULTILINE | re.DOTALL


@pytest.mark.parametrize("page", PAGE_NAMES)
def test_all_names_of_gdlab_in_the_tables_are_there(page):
    known = OF_THE_READER.union(*map(names_in, HERE))
    assert not list(unknown_names(page, True, known))


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in ELSEWHERE if page in PAGE_NAMES])
def test_all_names_of_the_other_library_in_the_tables_are_there(page):
    imported(page)
    known = OF_THE_READER.union(*(names_in(named(path)) for path in ELSEWHERE[page]))
    assert not list(unknown_names(page, False, known))


def named(path):
    """The module or the class of a dotted name."""
    module, _, name = path.rpartition(".")
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        return getattr(importlib.import_module(module), name)


# --- The code of the other libraries


@pytest.mark.slow
@pytest.mark.parametrize("page", ["torch", "keras"])
def test_the_code_of_the_other_library_runs_beside_that_of_the_page(page):
    imported(page)
    names = {}
    blocks = re.findall(r"^```(?:python|{code-cell})\n(.*?)^```", text_of(page), BLOCKS)
    as_for_users = jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow")
    with jax.enable_x64(False), as_for_users[0], as_for_users[1]:
        for block in blocks:
            exec(block, names)


@pytest.mark.parametrize("page", PAGE_NAMES)
def test_its_code_can_be_read_by_python(page):
    blocks = re.findall(r"^```(?:python|{code-cell})\n(.*?)^```", text_of(page), BLOCKS)
    assert len(blocks) > 2
    for block in blocks:
        ast.parse(block.removeprefix(":tags: [hide-input]"))
