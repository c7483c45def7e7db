"""What every test stands on: its precision and its devices.

Precision. A test about mathematics carries ``@pytest.mark.x64`` (a whole file of them:
``pytestmark = pytest.mark.x64``). It and its function-scoped fixtures then run in float64, and
mixing dtypes or ranks raises instead of promoting; ``x64(rank_promotion="allow")`` lets a bias be
added to a batch, and ``x64(dtype_promotion="standard")`` runs code of others, which mixes dtypes.
Every other test sees what a user sees: float32 and JAX's own promotion. Arrays made while a file is
imported, parameters of ``parametrize`` among them, are float32 all the same.

Strict modes. ``.ci/run`` repeats a part of the tests while JAX is told to be strict about one thing
(:data:`USUAL` lists them). ``@pytest.mark.usually(debug_nans="it makes a NaN on purpose")`` names
those of them under which a test, or a whole file, cannot run, with the reason: there it runs as JAX
usually does.

Devices. The CPU shows itself as eight devices, so that a sharding can be tested in place. That
costs nothing: whatever is not sharded runs on the first of them, as it would with one.

Memory. Each compiled program is a dozen memory maps, of which Linux allows a process 65530, and
crashes beyond. So JAX forgets its programs between two tests
once there are many.

Figures. They are closed after each test, those of doctests in gdlab among them: Matplotlib warns of
more than twenty, and a warning is an error.

Browser. ``tab`` is a tab of a headless Chromium, one for all tests of a file; without Chromium they
are skipped.

Time. The plain run takes a sample of the cases of a test that carries
``@pytest.mark.sampled(n)``: n of them, evenly spaced. The others are slow.

Garbage. Python collects garbage after every few hundred new objects, and JAX then searches its own
caches too. Tracing makes so many objects that this took a tenth of the run. So garbage is collected
more rarely, and objects that exist before the first test are left out.

Random numbers. A generator of NumPy at the top of a file begins anew for each test, so that its
data do not depend on the tests that ran before it in the same process.

Ctrl-C. It raises KeyboardInterrupt, also where the tests were started in the background of a shell,
which would have it ignored.
"""

import contextlib
import gc
import os
import pathlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.page.browser import Browser

MANY_PROGRAMS = 300
"""After so many, the maps are counted, which takes longer the more there are."""
MANY_MAPS = 45_000
WITNESSES = "tests/optimizers/test_against_libraries.py"

USUAL: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
    "dtype_promotion": lambda: jax.numpy_dtype_promotion("standard"),
    "debug_nans": lambda: jax.debug_nans(False),
    "enable_x64": lambda: jax.enable_x64(False),
}
"""What JAX does unless it is told to be strict, by the name of what a test gives a reason for."""

OBJECTS_BETWEEN_COLLECTIONS = 20_000, 20, 50
"""How many new objects set off a collection of garbage, and how many of these an older one."""

programs = 0
"""How many were compiled since JAX forgot them."""
first_states: dict[int, tuple[np.random.Generator, Any]] = {}
"""The generators of files of tests, by their identity, and their states after the import."""


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(*OBJECTS_BETWEEN_COLLECTIONS)


def pytest_configure(config: pytest.Config) -> None:
    # A hook of this file would not be asked about what lies outside of its folder.
    config.pluginmanager.register(Figures())
    os.environ["MPLBACKEND"] = "Agg"
    # Programs of tests run once and briefly, so that compiling them is most of the time. That of
    # fused operations is for speed alone, and takes as long as all the rest.
    unoptimised = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
    os.environ["XLA_FLAGS"] = f"{unoptimised} {os.environ.get('XLA_FLAGS', '')}".strip()
    jax.config.update("jax_num_cpu_devices", 8)
    jax.monitoring.register_event_duration_secs_listener(count_programs)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow those cases of sampled tests that the plain run leaves out."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sampled"):
            cases.setdefault(item.nodeid.split("[")[0], []).append(item)
    for members in cases.values():
        # As they are written, in whatever order they are to run.
        members.sort(key=lambda item: tuple(item.callspec.indices.values()))
        (wanted,) = members[0].get_closest_marker("sampled").args
        kept = {index * len(members) // wanted for index in range(wanted)}
        for index, item in enumerate(members):
            if index not in kept:
                item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say beside which paper and which libraries each method was put, unless asked to be quiet."""
    asked = {report.nodeid.split("::")[0] for report in terminalreporter.getreports("passed")}
    if terminalreporter.verbosity < 0 or WITNESSES not in asked:
        return
    from tests.oracles import witnesses

    terminalreporter.section("witnesses")
    for name, paper, others in witnesses():
        terminalreporter.write_line(f"{name:58} {paper:36} {others}")


class Figures:
    """Closes what a test and its fixtures have left open."""

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self) -> None:
        if pyplot := sys.modules.get("matplotlib.pyplot"):
            pyplot.close("all")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # Before the fixtures of a file, which may draw as well.
    begin_generators_anew(item)


@pytest.fixture(autouse=True)
def generators(request: pytest.FixtureRequest) -> None:
    # After the fixtures of a file, which draw for the first test alone.
    begin_generators_anew(request.node)


def begin_generators_anew(item: pytest.Item) -> None:
    """Let a test draw the same numbers from the generators of its file, whatever ran before it."""
    module = getattr(item, "module", None)
    for value in list(vars(module).values()) if module else ():
        if isinstance(value, np.random.Generator):
            bits = value.bit_generator
            bits.state = first_states.setdefault(id(value), (value, bits.state))[1]


def count_programs(event: str, *_: object, **__: object) -> None:
    global programs
    programs += event == "/jax/core/compile/backend_compile_duration"


def memory_maps() -> int:
    """The number that this process has; too many where that is not known."""
    try:
        return pathlib.Path("/proc/self/maps").read_bytes().count(b"\n")
    except OSError:
        return MANY_MAPS + 1


@pytest.fixture(autouse=True)
def forgetting() -> Iterator[None]:
    yield
    global programs
    if programs > MANY_PROGRAMS:
        programs = 0
        if memory_maps() > MANY_MAPS:
            jax.clear_caches()


@pytest.fixture(scope="module")
def tab() -> Iterator["Browser"]:
    """One tab of a browser for all tests of a file."""
    from tests.page.browser import CHROMIUM, browser

    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    with browser() as opened:
        yield opened


@pytest.fixture(autouse=True)
def precision(request: pytest.FixtureRequest) -> Iterator[None]:
    marker = request.node.get_closest_marker("x64")
    with contextlib.ExitStack() as stack:
        for usual in request.node.iter_markers("usually"):
            for name in usual.kwargs:
                stack.enter_context(USUAL[name]())
        if marker:
            stack.enter_context(mathematics(*marker.args, **marker.kwargs))
        yield


@contextlib.contextmanager
def mathematics(rank_promotion: str = "raise", dtype_promotion: str = "strict") -> Iterator[None]:
    with (
        jax.enable_x64(True),
        jax.numpy_dtype_promotion(dtype_promotion),
        jax.numpy_rank_promotion(rank_promotion),
    ):
        yield
