"""What every test stands on: its precision and its devices.

Precision. A test about mathematics carries ``@pytest.mark.x64`` (a whole file of them:
``pytestmark = pytest.mark.x64``). It and its function-scoped fixtures then run in float64, and
mixing dtypes or ranks raises instead of promoting; ``x64(rank_promotion="allow")`` lets a bias be
added to a batch. Every other test sees what a user sees: float32 and JAX's own promotion. Arrays
made while a file is imported, parameters of ``parametrize`` among them, are float32 all the same.

Devices. The CPU shows itself as eight devices, so that a sharding can be tested in place. That
costs nothing: whatever is not sharded runs on the first of them, as it would with one.

Ctrl-C. It raises KeyboardInterrupt, also where the tests were started in the background of a shell,
which would have it ignored.
"""

import contextlib
import os
import signal
from collections.abc import Iterator

import jax
import pytest


def pytest_configure() -> None:
    os.environ["MPLBACKEND"] = "Agg"
    # Programs of tests run once and briefly, so that compiling them is most of the time.
    unoptimised = "--xla_backend_optimization_level=0"
    os.environ["XLA_FLAGS"] = f"{unoptimised} {os.environ.get('XLA_FLAGS', '')}".strip()
    jax.config.update("jax_num_cpu_devices", 8)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def precision(request: pytest.FixtureRequest) -> Iterator[None]:
    marker = request.node.get_closest_marker("x64")
    with mathematics(*marker.args, **marker.kwargs) if marker else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def mathematics(rank_promotion: str = "raise") -> Iterator[None]:
    with (
        jax.enable_x64(True),
        jax.numpy_dtype_promotion("strict"),
        jax.numpy_rank_promotion(rank_promotion),
    ):
        yield
