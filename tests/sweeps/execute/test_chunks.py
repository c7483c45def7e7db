"""Lanes in groups, by a number or by the memory there is, come to what they do at once."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import Axis, Resources, adam, sweep
from gdlab.sweeps.execute import lane_programs
from tests.sweeps.counting import executed

RATES, SEEDS, STEPS = np.geomspace(1e-3, 10.0, 7), 3, 12


def squared_error(w, batch):
    x, y = batch
    error = jnp.mean((x @ w - y) ** 2)
    return error, {"size": jnp.sum(w**2)}


def init(key):
    return jax.random.normal(key, (3,))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 3)).astype(np.float32)
    return x, x @ np.array([1.0, -2.0, 0.5], np.float32)


def run(data, **arguments):
    return sweep(
        squared_error, init, adam(Axis("rate", RATES)), data, steps=STEPS, batch_size=4,
        seeds=SEEDS, has_aux=True,
        **{"keep_params": "all", "evaluate": lambda w: {"norm": jnp.linalg.norm(w)}} | arguments,
    )  # fmt: skip


@pytest.fixture(scope="module")
def at_once(data):
    return run(data, resources=Resources(lane_chunk=10**6))


def assert_close(result, other):
    np.testing.assert_allclose(result.loss, other.loss, rtol=1e-4)
    np.testing.assert_allclose(result.aux["size"], other.aux["size"], rtol=1e-4)
    np.testing.assert_allclose(result.metrics["norm"], other.metrics["norm"], rtol=1e-4)
    np.testing.assert_array_equal(result.status, other.status)
    np.testing.assert_array_equal(result.evaluations, other.evaluations)


GROUPS = {
    # Lanes at most → seeds and points at once: as few groups as do, as alike as can be.
    21: [(3, 7)],
    20: [(3, 4)],
    12: [(3, 4)],
    11: [(3, 3)],
    3: [(3, 1)],
    2: [(2, 1), (1, 1)],
    1: [(1, 1)],
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("chunk", GROUPS)
def test_whatever_the_chunk_the_result_is_the_same(data, at_once, monkeypatch, chunk):
    with executed(monkeypatch) as noted:
        result = run(data, resources=Resources(lane_chunk=chunk))
    assert noted.shapes == GROUPS[chunk]
    assert max(np.prod(shape) for shape in noted.shapes) <= chunk
    assert_close(result, at_once)
    np.testing.assert_allclose(result.params, at_once.params, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("chunk", [21, 12, 3, 2])
def test_the_best_parameters_are_those_of_the_best_point(data, at_once, chunk):
    result = run(data, resources=Resources(lane_chunk=chunk), keep_params="best")
    best = np.argmin(np.median(at_once.final_loss, axis=1))
    # Neither the first nor the last, so that groups before and after have worse ones.
    assert 0 < best < len(RATES) - 1
    assert result.best()["rate"] == pytest.approx(RATES[best])
    assert result.params_dims == ("seed",)
    np.testing.assert_allclose(result.params, at_once.params[best], rtol=1e-3, atol=1e-5)


def test_groups_are_as_large_as_the_memory_allows(data, at_once, monkeypatch):
    points_at_once = []
    for megabytes in (1e3, 1e-2, 1e-6):
        free = megabytes * 2**20
        monkeypatch.setattr("gdlab.devices.memory.free_bytes", lambda _, free=free: free)
        with executed(monkeypatch) as noted:
            result = run(data)
        (seeds, points), *others = noted.shapes
        assert seeds == SEEDS
        assert not others
        points_at_once.append(points)
        assert_close(result, at_once)
    assert points_at_once[0] == 7
    assert 1 < points_at_once[1] < 7
    # There is always room for one.
    assert points_at_once[2] == 1


class Measured:
    """In place of a program: it notes the memory that it takes at each call, as compiled."""

    def __init__(self, program):
        self.lower, self._program, self.bytes = program.lower, program, []

    def __call__(self, *args):
        if not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(args)):
            need = self.lower(*args).compile().memory_analysis()
            self.bytes.append(need.argument_size_in_bytes + need.temp_size_in_bytes)
        return self._program(*args)


@pytest.mark.parametrize("share", [1.0, 0.2])
def test_groups_are_small_enough_to_be_evaluated(data, at_once, monkeypatch, share):
    """The evaluation takes forty times the memory of a step, and all that the lanes hold."""

    def norm(w):
        table = jnp.sin(jnp.arange(5000.0)[:, None] * w)  # which is sorted, so it is all there
        return {"norm": jnp.linalg.norm(w) + 0.0 * jnp.sort(table, axis=0)[2500, 0]}

    # As on a device that evaluates all lanes together.
    monkeypatch.setattr("gdlab.sweeps.plan.task.is_on_host", lambda mesh: False)
    measured = Measured(lane_programs.evaluated)
    monkeypatch.setattr(lane_programs, "evaluated", measured)
    of_lane = 5000 * 3 * 4
    free = 8 * share * SEEDS * len(RATES) * of_lane
    monkeypatch.setattr("gdlab.devices.memory.free_bytes", lambda _: free)
    with executed(monkeypatch) as noted:
        result = run(data, evaluate=norm)
    assert_close(result, at_once)
    ((seeds, points),) = noted.shapes
    assert seeds == SEEDS
    assert points == len(RATES) if share == 1.0 else 1 <= points < len(RATES)
    assert measured.bytes
    assert max(measured.bytes) >= seeds * points * of_lane
    assert max(measured.bytes) <= free / 2


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("size", "seeds", "lanes"),
    [
        pytest.param(10, 1, 128, id="all of small ones"),
        # Parameters, their last good values and two moments are 16 bytes for each element.
        pytest.param(20_000, 1, 32, id="as many as 10 MiB hold"),
        pytest.param(20_000, 2, 32, id="of one seed if its points fill them"),
        pytest.param(1_000_000, 1, 4, id="but no fewer than four"),
    ],
)
def test_groups_on_a_processor_are_as_large_as_its_caches(monkeypatch, size, seeds, lanes):
    rates = Axis("rate", np.geomspace(1e-3, 1.0, 128 // seeds))
    with executed(monkeypatch) as noted:
        sweep(lambda w: jnp.sum(w**2), jnp.ones(size), adam(rates), steps=1, seeds=seeds)
    assert noted.shapes == [(1, lanes)]


def test_seeds_of_few_points_are_computed_together(monkeypatch):
    with executed(monkeypatch) as noted:
        sweep(lambda w: w**2, 1.0, adam(Axis("rate", [0.1, 0.2])), steps=1, seeds=50)
    assert noted.shapes == [(50, 2)]


@pytest.mark.parametrize(("hidden", "lanes"), [(64, 64), (1024, 16)])
def test_products_of_matrices_count_among_what_caches_hold(monkeypatch, hidden, lanes):
    """A lane of 1024 has 80 KiB of state, two products of 256 KiB, and its gradients of 20 KiB."""
    inputs = jnp.ones((64, 4))

    def loss(w):
        return jnp.mean((jnp.tanh(inputs @ w["in"]) @ w["out"]) ** 2)

    def start(key):
        return {"in": jax.random.normal(key, (4, hidden)), "out": jnp.ones((hidden, 1))}

    rates = Axis("rate", np.geomspace(1e-3, 1.0, 64))
    with executed(monkeypatch) as noted:
        sweep(loss, start, adam(rates), steps=1)
    assert noted.shapes == [(1, lanes)]


def test_several_optimizers_are_in_groups_of_their_own(data, at_once, monkeypatch):
    rates = Axis("rate", RATES)
    with executed(monkeypatch) as noted:
        result = sweep(
            squared_error, init, {"one": adam(rates), "other": adam(rates, b1=0.5)}, data,
            steps=STEPS, batch_size=4, seeds=SEEDS, has_aux=True,
            resources=Resources(lane_chunk=12),
        )  # fmt: skip
    assert noted.lane_steps == 2 * SEEDS * 8 * (STEPS + 1)
    np.testing.assert_allclose(result.loss[0], at_once.loss, rtol=1e-4)


MEMORY = """
import resource, sys
import jax.numpy as jnp, numpy as np
from gdlab import Axis, Resources, sgd, sweep

lanes, chunk = map(int, sys.argv[1:])

def bowl(w):
    # Much more to carry than to return: 256 numbers, their momentum and the last good ones.
    return 0.5 * jnp.sum(w**2)

rates = np.linspace(0.01, 1.99, lanes).astype(np.float32)
tx = sgd(Axis("rate", rates), 0.0)
resources = Resources(lane_chunk=chunk)
result = sweep(
    bowl, jnp.ones(256), tx, steps=8, record_every=8, resources=resources, progress=False
)
np.testing.assert_allclose(
    result.final_loss[:, 0], 128 * (1 - rates.astype(float)) ** 16, rtol=1e-3, atol=1e-12
)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def peak_memory(lanes, chunk):
    ended = subprocess.run(
        [sys.executable, "-c", MEMORY, str(lanes), str(chunk)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="units of ru_maxrss")
def test_a_hundred_thousand_lanes_are_never_there_all_at_once():
    few, many = (peak_memory(lanes, 4096) for lanes in (10_000, 100_000))
    # If all were there at once it would be their parameters, momentum and last good parameters.
    of_a_lane = 256 * 4
    assert many - few < 90_000 * of_a_lane
