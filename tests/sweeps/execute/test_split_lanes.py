"""Lanes whose parameters are split over devices, of which the CPU shows eight, as on one."""

import re
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

from gdlab import (
    Axis,
    Checkpointing,
    Resources,
    SuccessiveHalving,
    adam,
    chain,
    clip_by_global_norm,
    muon,
    sweep,
)
from gdlab.sweeps.compiled import programs
from gdlab.sweeps.persist.failsafe import FailsafeCheckpoint

POINTS, SEEDS, BATCH, OUTPUTS = 6, 2, 8, 4
SPEC = {
    "first": PartitionSpec(None, "model"),
    "bias": PartitionSpec("model"),
    "second": PartitionSpec("model"),
}
"""Hidden units over the devices: the outputs alone have to be added up."""
RATES = Axis("learning_rate", np.geomspace(1e-3, 1e-1, POINTS))


def init(key):
    keys = jax.random.split(key)
    return {
        "first": jax.random.normal(keys[0], (16, 32)) / 4,
        "bias": jnp.zeros(32),
        "second": jax.random.normal(keys[1], (32, OUTPUTS)) / 6,
    }


def loss(params, batch):
    x, y = batch
    hidden = jax.nn.relu(x @ params["first"] + params["bias"])
    return jnp.mean((hidden @ params["second"] - y) ** 2)


def size(params):
    return {"size": jnp.sum(params["first"] ** 2)}


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 16)).astype(np.float32), rng.normal(size=(40, OUTPUTS)).astype("f4")


def run(tx=None, **more):
    setting = {"steps": 12, "batch_size": BATCH, "seeds": SEEDS, "evaluate": size}
    tx = adam(RATES) if tx is None else tx
    return sweep(loss, more.pop("params", init), tx, data(), **(setting | more))


def require_close(found, expected):
    np.testing.assert_array_equal(found.status, expected.status)
    for name in ("loss", "metrics", "params"):
        parts = (jax.tree.leaves(getattr(result, name)) for result in (found, expected))
        for a, b in zip(*parts, strict=True):
            # Twelve steps, each with the roundings of sums over 32 hidden units.
            np.testing.assert_allclose(a, b, rtol=5e-5, atol=2e-6)


@pytest.fixture(scope="module")
def mesh():
    return jax.make_mesh((4, 2), ("lanes", "model"))


@pytest.fixture
def compiled(monkeypatch):
    """The compiled program of each call, and the arrays of lanes that it leaves."""
    program, calls = programs.advance, []

    def advance(*args):
        text = program.lower(*args).compile().as_text()
        state, orders = program(*args)
        shards = jax.tree.map(lambda leaf: leaf.sharding.shard_shape(leaf.shape), state.lanes)
        calls.append((text, shards))
        return state, orders

    advance.lower, advance.trace = program.lower, program.trace
    monkeypatch.setattr(programs, "advance", advance)
    return calls


def exchanged(text):
    """The kind, the elements of all operands, and the groups of each exchange in a program."""
    pattern = r"= (.*?) (all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter)\(.*?"
    found = re.findall(pattern + r"(?:replica_groups|source_target_pairs)=(\S+),", text)
    shapes = re.compile(r"\[([\d,]*)\]")
    return [
        (kind, sum(np.prod([int(n) for n in s.split(",") if n]) for s in shapes.findall(of)), group)
        for of, kind, group in found
    ]


@pytest.mark.parametrize(
    "more",
    [
        {"keep_params": "all"},
        pytest.param({"params": init(jax.random.key(0))}, marks=pytest.mark.slow),
        pytest.param({"tx": muon(RATES)}, marks=pytest.mark.slow),
        pytest.param(
            {"policy": SuccessiveHalving(factor=2, rungs=[4]), "resources": {"lane_chunk": 8}},
            marks=pytest.mark.slow,
        ),
        pytest.param({"evaluate_every": 5}, marks=pytest.mark.slow),
    ],
    ids=["parameters", "a given start", "muon", "halving in chunks", "curves"],
)
def test_split_lanes_are_as_on_one_device(mesh, compiled, more):
    others = more.pop("resources", {})
    expected = run(**more, resources=Resources(**others))
    compiled.clear()
    found = run(**more, resources=Resources(mesh=mesh, params_spec=SPEC, **others))
    require_close(found, expected)
    _, shards = compiled[0]
    # Six points on four rows of devices, and half of the hidden units on each device of a row.
    points = 1 if others else 2
    assert shards.progress.params["first"] == (SEEDS, points, 16, 16)
    assert shards.last_good.params["second"] == (SEEDS, points, 16, OUTPUTS)
    moments = (
        shards.progress.state.mu if "tx" not in more else shards.progress.state.groups["muon"].mu
    )
    assert moments["first"] == (SEEDS, points, 16, 16)


def test_rows_add_up_their_outputs_and_exchange_nothing_with_each_other(mesh, compiled):
    tx = chain(clip_by_global_norm(1.0), adam(RATES))
    run(tx, resources=Resources(mesh=mesh, params_spec=SPEC))
    exchanges = exchanged(compiled[0][0])
    # Devices 0 and 1 are a row, devices 2 and 3 are one, …
    assert {groups for _, _, groups in exchanges} == {"[4,2]<=[8]"}
    lanes = SEEDS * -(-POINTS // 4)
    large = [(kind, count) for kind, count, _ in exchanges if count > 8 * lanes]
    # All others are norms and flags: some numbers for each lane.
    assert large == [("all-reduce", lanes * BATCH * OUTPUTS)]


def test_lanes_that_are_whole_on_a_mesh_of_two_axes_exchange_nothing(mesh, compiled):
    run(resources=Resources(mesh=mesh))
    assert not exchanged(compiled[0][0])
    assert compiled[0][1].progress.params["first"] == (SEEDS, 1, 16, 32)


@pytest.mark.slow
def test_losses_and_evaluations_may_name_the_axes_of_a_lane(mesh):
    def split(params, batch):
        return loss(jax.lax.with_sharding_constraint(params, SPEC), batch)

    more = {"evaluate_every": 5, "resources": Resources(mesh=mesh, params_spec=SPEC)}
    found = sweep(
        split, init, adam(RATES), data(), steps=12, batch_size=BATCH, seeds=SEEDS,
        evaluate=lambda params: {"size": split(params, data())}, **more,
    )  # fmt: skip
    expected = run(evaluate_every=5, evaluate=lambda params: {"size": loss(params, data())})
    require_close(found, expected)


@pytest.mark.slow
def test_one_lane_may_take_all_devices():
    mesh = jax.make_mesh((8,), ("model",))
    found = run(resources=Resources(mesh=mesh, params_spec=SPEC), keep_params="best")
    require_close(found, run(keep_params="best"))


@pytest.mark.slow
def test_split_lanes_that_were_broken_off_go_on(mesh, tmp_path, monkeypatch):
    more = {"resources": Resources(mesh=mesh, params_spec=SPEC, lane_chunk=8)}
    expected = run(**more)
    save_it = FailsafeCheckpoint.save

    def save(self, name, tree):
        save_it(self, name, tree)
        if name.endswith("group0.halfway"):
            raise InterruptedError

    again = {"checkpoint": Checkpointing(tmp_path, seconds_between_saves=0)}
    with monkeypatch.context() as patch:
        patch.setattr(FailsafeCheckpoint, "save", save)
        with pytest.raises(InterruptedError):
            run(**more, **again)
    np.testing.assert_array_equal(run(**more, **again).loss, expected.loss)
    whole = {"resources": Resources(mesh=mesh, lane_chunk=8)}
    with pytest.raises(ValueError, match="another sweep: params_spec"):
        run(**whole, **again)


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ({"first": "model"}, TypeError, r"params_spec at 'first' is 'model', and not a jax"),
        (PartitionSpec("rows"), ValueError, r"over 'rows', but the axes of the mesh are 'lanes', "),
        (SPEC | {"third": None}, ValueError, r"params_spec is not a prefix of the parameters'"),
        (
            SPEC | {"bias": PartitionSpec(None, "model")},
            ValueError,
            r"'bias' is .* the parameter has the shape \(32,\): give fewer entries",
        ),
        (
            SPEC | {"first": PartitionSpec("model", "model")},
            ValueError,
            r"'first' is .*, but one axis of the mesh can split one axis of a parameter",
        ),
        (
            SPEC | {"second": PartitionSpec(None, ("lanes", "model"))},
            ValueError,
            r"'second' is .*, which cuts axis 1 of the shape \(32, 4\) into 8, but 4 is no",
        ),
    ],
    ids=["a name", "no axis", "no prefix", "too many", "twice", "no multiple"],
)
def test_a_split_that_does_not_fit_is_refused(mesh, spec, error, message):
    with pytest.raises(error, match=message):
        run(resources=Resources(mesh=mesh, params_spec=spec))


def test_a_split_that_is_no_prefix_is_refused_on_a_single_device_as_well():
    mesh = jax.make_mesh((1,), ("model",), devices=jax.devices()[:1])
    with pytest.raises(ValueError, match="params_spec is not a prefix of the parameters"):
        run(resources=Resources(mesh=mesh, params_spec=SPEC | {"third": None}))


def test_a_split_needs_a_mesh_within_one_process(mesh):
    with pytest.raises(ValueError, match=r"over 'model', but there is no mesh: give mesh=jax"):
        Resources(params_spec=SPEC)
    # As if another process had the other half of each row.
    of_two = SimpleNamespace(
        axis_names=("lanes", "model"),
        shape={"lanes": 4, "model": 4},
        local_mesh=SimpleNamespace(shape={"lanes": 4, "model": 2}),
    )
    object.__setattr__(resources := Resources(mesh=mesh), "mesh", of_two)
    object.__setattr__(resources, "params_spec", SPEC)
    with pytest.raises(ValueError, match=r"'model', of whose 4 devices this process has 2: a lane"):
        resources.__post_init__()


def test_rows_lie_along_the_axes_of_a_lane_wherever_these_stand():
    devices = np.array(jax.devices()).reshape(2, 4)
    resources = Resources(mesh=Mesh(devices, ("model", "x")), params_spec=PartitionSpec("model"))
    np.testing.assert_array_equal(resources.rows.devices, devices.T)
