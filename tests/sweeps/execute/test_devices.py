"""Lanes spread over devices, of which the CPU shows eight, against the same lanes on one."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh

from gdlab import (
    Axis,
    Checkpointing,
    PopulationBasedTraining,
    Resources,
    SuccessiveHalving,
    adam,
    sgd,
    sweep,
)
from gdlab.sweeps.compiled import programs
from gdlab.sweeps.persist.failsafe import FailsafeCheckpoint
from tests.sweeps.noisy import init, noisy, norm

STEPS = 20


def arguments(points, **more):
    tx = adam(Axis("learning_rate", np.geomspace(1e-3, 1.0, points)))
    return {"loss": noisy, "params": init, "tx": tx, "steps": STEPS, "seeds": 2} | more


def require_close(found, expected):
    for name in ("status", "stopped_at", "evaluations"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for name in ("loss", "metrics", "history", "params"):
        parts = (jax.tree.leaves(getattr(result, name)) for result in (found, expected))
        for a, b in zip(*parts, strict=True):
            # Twenty steps, each with a rounding or two.
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-7)


@pytest.fixture(scope="module")
def mesh():
    return jax.make_mesh((8,), ("lanes",))


@pytest.fixture
def shares(monkeypatch):
    """On how many devices each call of the program leaves lanes, and of which shape on each."""
    program, shares = programs.advance, []

    def advance(*args):
        carry, shuffled = program(*args)
        shards = carry.lanes.loss.addressable_shards
        shares.append((len({shard.device for shard in shards}), shards[0].data.shape))
        return carry, shuffled

    advance.lower, advance.trace = program.lower, program.trace
    monkeypatch.setattr(programs, "advance", advance)
    return shares


@pytest.mark.parametrize("points", [10, 3, 1])
def test_points_that_do_not_divide_the_devices_are_as_on_one(mesh, shares, points):
    expected = sweep(**arguments(points))
    assert {devices for devices, _ in shares} == {1}
    shares.clear()
    result = sweep(**arguments(points), resources=Resources(mesh=mesh))
    assert result.loss.shape == (points, 2, STEPS + 1)
    require_close(result, expected)
    # Each device has its share, of two seeds, with as many points as the most of them need.
    assert set(shares) == {(8, (2, -(-points // 8)))}


@pytest.mark.parametrize(
    "mesh",
    [
        pytest.param(lambda: jax.make_mesh((8,), ("lanes",), (AxisType.Auto,)), id="automatic"),
        pytest.param(lambda: jax.make_mesh((4, 2), ("data", "model")), id="of two explicit axes"),
        pytest.param(lambda: Mesh(np.array(jax.devices()[5:8]), ("x",)), id="of the last three"),
    ],
)
def test_any_mesh_is_a_row_of_devices(mesh, shares):
    devices = mesh()
    result = sweep(**arguments(10), resources=Resources(mesh=devices))
    assert set(shares) == {(devices.size, (2, -(-10 // devices.size)))}
    require_close(result, sweep(**arguments(10)))


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "more",
    [
        {"policy": SuccessiveHalving(factor=2, rungs=[5, 10]), "evaluate": norm},
        {"policy": PopulationBasedTraining(every=5, metric="norm"), "evaluate": norm},
        {"resources": Resources(lane_chunk=16), "keep_params": "all"},
        {"resources": Resources(lane_chunk=16), "policy": SuccessiveHalving(factor=2, rungs=[10])},
        {"keep_params": "best", "params": jnp.ones(3), "record_every": 7},
    ],
    ids=["halving", "population", "chunks", "halving in chunks", "the best"],
)
def test_whatever_is_done_with_lanes_is_done_on_several_devices(mesh, shares, more):
    on_all = dataclasses.replace(more.get("resources", Resources()), mesh=mesh)
    result = sweep(**arguments(20, **(more | {"resources": on_all})))
    assert {devices for devices, _ in shares} == {8}
    require_close(result, sweep(**arguments(20, **more)))


def test_batches_of_data_are_the_same_on_all_devices(mesh):
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)

    def squared_error(w, batch):
        return jnp.mean((batch @ w - 1) ** 2)

    def run(data, **more):
        tx = sgd(Axis("learning_rate", np.geomspace(1e-3, 0.1, 10)))
        return sweep(squared_error, init, tx, data, steps=STEPS, seeds=2, **more)

    require_close(run(x, batch_size=8, resources=Resources(mesh=mesh)), run(x, batch_size=8))

    class Loader:
        def __iter__(self):
            return iter(np.split(x, 5))

    require_close(run(Loader(), resources=Resources(mesh=mesh)), run(Loader()))


@pytest.mark.parametrize("on", [0, 8])
def test_data_are_brought_to_the_devices_once_wherever_they_were(mesh, monkeypatch, on):
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    given = jax.device_put(x, jax.devices()[3]) if on else x
    program, seen = programs.advance, []

    def advance(*args):
        seen.append(args[-1].data)
        return program(*args)

    advance.lower, advance.trace = program.lower, program.trace
    monkeypatch.setattr(programs, "advance", advance)

    def loss(w, batch):
        return jnp.mean((batch @ w - 1) ** 2)

    tx = sgd(Axis("learning_rate", [0.01, 0.1]))
    more = {"steps": 40, "batch_size": 8, "resources": Resources(mesh=mesh if on else None)}
    compiled = program._cache_size()
    sweep(loss, jnp.ones(3), tx, given, **more)
    assert program._cache_size() == compiled + 1
    assert len(seen) > 1
    assert all(data is seen[0] for data in seen)
    assert len(seen[0].devices()) == (on or 1)


def test_devices_do_not_wait_for_each_other(mesh, monkeypatch):
    """The compiled program exchanges nothing, so that a device whose lanes have stopped is done."""
    program, texts = programs.advance, []

    def advance(*args):
        texts.append(program.lower(*args).compile().as_text())
        return program(*args)

    advance.lower, advance.trace = program.lower, program.trace
    monkeypatch.setattr(programs, "advance", advance)
    sweep(**arguments(16), resources=Resources(mesh=mesh))
    exchange = r"all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute|collective-bc"
    assert texts
    assert not any(re.search(exchange, text) for text in texts)
    # What does exchange something would be found.
    lanes = jax.device_put(jnp.arange(8.0), jax.NamedSharding(mesh, jax.P("lanes")))
    assert re.search(exchange, jax.jit(jnp.sum).lower(lanes).compile().as_text())


def test_what_is_broken_off_on_several_devices_goes_on_there(mesh, tmp_path, monkeypatch):
    # The twenty points are not in parts of equal size, neither before nor after the rung.
    more = {
        "policy": SuccessiveHalving(factor=2, rungs=[10]),
        "resources": Resources(lane_chunk=16, mesh=mesh),
    }
    expected = sweep(**arguments(20, **more))
    saved = []

    def save(self, name, tree):
        save_it(self, name, tree)
        saved.append(name)
        if name.endswith("group1.halfway"):
            raise InterruptedError

    save_it = FailsafeCheckpoint.save
    again = {"checkpoint": Checkpointing(tmp_path, seconds_between_saves=0)}
    with monkeypatch.context() as patch:
        patch.setattr(FailsafeCheckpoint, "save", save)
        with pytest.raises(InterruptedError):
            sweep(**arguments(20, **more), **again)
    assert "bracket0.interval0.group0.whole" in saved
    result = sweep(**arguments(20, **more), **again)
    np.testing.assert_array_equal(result.loss, expected.loss)
    # On fewer devices the lanes would be grouped in another way.
    half = jax.make_mesh((4,), ("lanes",), devices=jax.devices()[:4])
    fewer = {"resources": Resources(lane_chunk=16, mesh=half)}
    with pytest.raises(ValueError, match="another sweep: mesh"):
        sweep(**arguments(20, **(more | fewer)), **again)


def test_exact_lanes_are_refused_on_several_devices_and_run_on_one(mesh):
    with pytest.raises(ValueError, match=r"exact=True .* cannot spread them over 8 devices"):
        sweep(**arguments(3), resources=Resources(exact=True, mesh=mesh))
    one = jax.make_mesh((1,), ("lanes",), devices=jax.devices()[:1])
    result = sweep(**arguments(3), resources=Resources(exact=True, mesh=one))
    np.testing.assert_array_equal(
        result.loss, sweep(**arguments(3), resources=Resources(exact=True)).loss
    )
