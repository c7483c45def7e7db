"""Sweeps that are killed, refused or short of disk: what comes of them, bit for bit."""

import contextlib
import json
import resource
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlab import (
    Axis,
    Checkpointing,
    Resources,
    Stopping,
    SuccessiveHalving,
    adam,
    sgd,
    sweep,
)
from gdlab.core import transformation
from gdlab.sweeps.compiled import programs
from gdlab.sweeps.persist.failsafe import FailsafeCheckpoint
from tests.sweeps.counting import count_compilations
from tests.sweeps.processes import kill_at, started
from tests.sweeps.scripts import killed

KILLS = [
    # Which sweep, at which of the things it saves, and how many seconds later.
    ("keys", 4, 0.001),
    ("population", 6, 0.0),
    ("population", 8, 0.002),
    ("halving", 4, 0.0),
    ("halving", 2, 0.04),
    ("loader", 5, 0.001),
]
"""While a save is under way, which takes some milliseconds, or shortly after it."""


def taken(lines):
    """What was said at the end: sweep → its steps, of groups of lanes."""
    said = [line.split() for line in lines]
    return {words[1]: int(words[2]) for words in said if words[0] == "done"}


@pytest.mark.slow
def test_sweeps_that_are_killed_again_and_again_end_as_if_they_had_not_been(tmp_path, capsys):
    folder = tmp_path / "folder"
    for name, number, delay in KILLS:
        with started("killed.py", tmp_path / "none", folder, name) as process:
            kill_at(process, number, delay)
    with started("killed.py", tmp_path / "resumed.npz", folder) as process:
        steps = taken(process.stdout)
        assert process.wait() == 0
    killed.main(tmp_path / "uninterrupted.npz", "")
    all_steps = taken(capsys.readouterr().out.splitlines())
    assert list(all_steps) == list(killed.CASES)
    for name in all_steps:
        assert 0 < steps[name] < all_steps[name]
    expected, found = (np.load(tmp_path / f"{how}.npz") for how in ("uninterrupted", "resumed"))
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].tobytes() == array.tobytes(), name


RATES = (0.01, 0.1, 1.0)
DATA = np.ones((4, 2), np.float32)


def made(scale=2.0, rates=RATES, **changed):
    """The arguments of a small sweep, with some of them changed."""

    def loss(w, batch):
        return scale * jnp.mean((batch @ w - 1) ** 2)

    return {
        "loss": loss,
        "params": jnp.zeros(2),
        "tx": adam(Axis("learning_rate", rates)),
        "data": DATA,
        "steps": 20,
        "seeds": 2,
        "resources": Resources(lane_chunk=4),
        "policy": SuccessiveHalving(factor=2, rungs=[10]),
    } | changed


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def often(folder):
    """A checkpoint that is kept up to date after every call of the devices."""
    return Checkpointing(folder, seconds_between_saves=0)


class BrokenOff(Exception):
    """A sweep comes to its end in a test."""


def at_save(number, what):
    """In place of the method that saves: do something as well at the save of a number, from 1."""
    save, names = FailsafeCheckpoint.save, []

    def counted(self, name, tree):
        names.append(name)
        if len(names) == number:
            what()
        save(self, name, tree)

    return counted


def break_off():
    raise BrokenOff


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory):
    """The folder of a sweep with a group that had come to the first rung and one that had not."""
    folder = tmp_path_factory.mktemp("broken") / "off"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FailsafeCheckpoint, "save", at_save(7, break_off))
        with pytest.raises(BrokenOff):
            sweep(**made(), checkpoint=often(folder))
    return folder


@pytest.fixture
def copy(broken_off, tmp_path):
    return shutil.copytree(broken_off, tmp_path / "copy")


def refused(folder, error, message, **changed):
    """Nothing is compiled, and the folder stays as it is."""
    before, arguments = contents(folder), made(**changed)

    def call():
        with pytest.raises(error, match=message):
            sweep(**arguments, checkpoint=often(folder))

    assert count_compilations(call) == 0
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("culprit", "changed"),
    [
        ("programs", {"scale": 3.0}),
        ("data", {"data": 2 * DATA}),
        ("hyperparameters", {"rates": (0.01, 0.1, 2.0)}),
        ("hyperparameters", {"rates": (0.01, 0.1)}),
        ("seeds", {"seeds": [0, 2]}),
        ("key", {"key": jax.random.key(1)}),
        ("steps", {"steps": 30}),
        ("lane_chunk", {"resources": Resources(lane_chunk=2)}),
        ("batch_size", {"batch_size": 2}),
        ("record_every", {"record_every": 2}),
        ("divergence_factor", {"stopping": Stopping(divergence_factor=10.0)}),
        ("target loss", {"stopping": Stopping({"loss": 0.1})}),
        ("policy", {"policy": SuccessiveHalving(factor=3, rungs=[10])}),
        ("policy", {"policy": None}),
        ("optimizer", {"tx": sgd(Axis("learning_rate", RATES))}),
        ("params", {"params": jnp.ones(2)}),
        ("programs", {"evaluate": jnp.sum}),
        ("exact", {"resources": Resources(exact=True)}),
    ],
)
def test_the_checkpoint_of_another_sweep_is_refused(broken_off, culprit, changed):
    refused(broken_off, ValueError, rf"another sweep: .*{culprit} \(stored", **changed)


def test_the_checkpoint_of_another_version_is_refused(copy):
    manifest = copy / "manifest.json"
    identity = json.loads(manifest.read_text())["identity"] | {"gdlab": "0.0.1"}
    manifest.write_text(json.dumps({"identity": identity}))
    refused(copy, ValueError, r"another version: gdlab \(stored 0.0.1, given")


@pytest.mark.parametrize(
    ("layout", "given", "former"),
    [
        ("state layout", "2", None),
        ("checkpoint layout", "3", None),
        ("checkpoint layout", "3", "2"),
    ],
)
def test_the_checkpoint_of_an_old_layout_is_refused(copy, layout, given, former):
    manifest = copy / "manifest.json"
    identity = json.loads(manifest.read_text())["identity"]
    assert identity.pop(layout) == given
    identity |= {layout: former} if former else {}
    manifest.write_text(json.dumps({"identity": identity}))
    message = rf"another version: {layout} \(stored {str(former).lower()}, given {given}\)"
    refused(copy, ValueError, message)


@pytest.mark.parametrize("unit", ["layout", "*.group0.whole", "*.group0.lanes", "*.halfway"])
def test_a_checkpoint_with_a_damaged_unit_is_refused(copy, unit):
    (file,) = copy.glob(f"units/unit.{unit}.npz")
    file.write_bytes(file.read_bytes()[:-20])
    refused(copy, ValueError, "is damaged, and nothing was changed")


def test_a_checkpoint_with_a_damaged_manifest_is_refused(copy):
    (copy / "manifest.json").write_text("{")
    refused(copy, ValueError, "is damaged: its manifest cannot be read")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")

    def call():
        with pytest.raises(OSError, match="the checkpoint folder cannot be used"):
            sweep(**made(), checkpoint=often(tmp_path / "file" / "folder"))

    assert count_compilations(call) == 0
    assert contents(tmp_path) == {tmp_path / "file": b"mine"}


def require_same(result, expected):
    for name in ("loss", "status", "stopped_at", "evaluations"):
        np.testing.assert_array_equal(getattr(result, name), getattr(expected, name))


def test_a_sweep_that_has_ended_is_not_computed_again(tmp_path):
    first = sweep(**made(), checkpoint=often(tmp_path))
    before, compiled = contents(tmp_path), programs.advance._cache_size()
    again = sweep(**made(), checkpoint=often(tmp_path))
    require_same(again, first)
    assert programs.advance._cache_size() == compiled
    assert contents(tmp_path) == before


def test_the_steps_are_compiled_once_wherever_lanes_come_from(tmp_path):
    arguments, before = made(), programs.advance._cache_size()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FailsafeCheckpoint, "save", at_save(7, break_off))
        with pytest.raises(BrokenOff):
            sweep(**arguments, checkpoint=often(tmp_path))
    sweep(**arguments, checkpoint=often(tmp_path))
    # There are two points in a group, before the rung and after it.
    assert programs.advance._cache_size() == before + 1


@contextlib.contextmanager
def nothing_grows():
    """No file can grow, as on a full disk or a read-only share."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_a_warning_and_the_sweep_goes_on(tmp_path):
    arguments = made(policy=None)
    expected = sweep(**arguments)
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as full_disk:
        fill = lambda: full_disk.enter_context(nothing_grows())  # noqa: E731
        patch.setattr(FailsafeCheckpoint, "save", at_save(4, fill))
        with pytest.warns(UserWarning, match="saves nothing any more: .*could not be saved"):
            result = sweep(**arguments, checkpoint=often(tmp_path))
    require_same(result, expected)
    units = [path.name for path in (tmp_path / "units").iterdir()]
    assert sorted(units) == ["unit.bracket0.interval0.group0.halfway.npz", "unit.layout.npz"]
    # With room again, the same call goes on from there.
    require_same(sweep(**arguments, checkpoint=often(tmp_path)), expected)


def test_a_loss_that_is_defined_anew_goes_on_from_the_checkpoint_of_the_first(
    tmp_path, monkeypatch
):
    # As in a process in which no optimizer was made before.
    monkeypatch.setattr(transformation, "_known_to_be_right", set())
    first = sweep(**made(), checkpoint=often(tmp_path / "checkpoint"))
    again = sweep(**made(), checkpoint=often(tmp_path / "checkpoint"))
    np.testing.assert_array_equal(again.loss, first.loss)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    return folder, sweep(**made(), checkpoint=often(folder))


def test_a_finished_checkpoint_is_read_where_nothing_can_be_written(finished):
    folder, result = finished
    before = contents(folder / "units")
    with nothing_grows():
        again = sweep(**made(), checkpoint=often(folder))
    np.testing.assert_array_equal(again.loss, result.loss)
    assert contents(folder / "units") == before


def test_an_unfinished_one_is_refused_there_before_anything_is_computed(copy):
    before = contents(copy / "units")
    unwritable = pytest.raises(OSError, match=r"the checkpoint folder cannot be used: .*copy")
    with nothing_grows(), unwritable:
        sweep(**made(), checkpoint=often(copy))
    assert contents(copy / "units") == before


def test_a_folder_is_free_again_when_the_sweep_has_ended_or_failed(copy):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FailsafeCheckpoint, "save", at_save(1, break_off))
        with pytest.raises(BrokenOff) as kept:
            sweep(**made(), checkpoint=often(copy))
    assert kept.value.result.status.shape == (3, 2)
    sweep(**made(), checkpoint=often(copy))
    sweep(**made(), checkpoint=often(copy))
