"""Checkpoints: what was saved comes back bit for bit, or is refused and left as it is."""

import json
import os
import pickle
import random
import resource
import socket
import subprocess
import sys
import time
from collections import OrderedDict
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from gdlab.files import written_whole
from gdlab.sweeps.persist.checkpoint import Checkpoint

IDENTITY = {"gdlab": "0.1.0", "jax": "0.10.2", "steps": "300", "data": "0123456789abcdef" * 4}


class State(NamedTuple):
    count: Any
    mean: Any


def contents(folder):
    """Path → bytes of everything in a folder, None for a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def bits(array):
    array = np.asarray(array)
    return array.dtype, array.shape, array.tobytes()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "runs of Jürgen #1%20" / "sweep"


@pytest.fixture
def limit_of_files():
    """Files cannot grow beyond a size, which fails as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def start():
    """Starts Python processes that do not outlive the test."""
    processes = []

    def start(code, *args):
        command = [sys.executable, "-c", code, *map(str, args)]
        env = {**os.environ, "JAX_PLATFORMS": "cpu"}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def test_arrays_of_every_kind_come_back_bit_for_bit_in_their_structure(folder):
    noise = np.random.default_rng(0)
    tree = {
        "floats": [
            noise.standard_normal((3, 4)).astype(dtype)
            for dtype in (np.float16, np.float32, np.float64, ml_dtypes.bfloat16)
        ],
        "eighth": noise.standard_normal(5).astype(ml_dtypes.float8_e4m3fn),
        "special": np.array([0x7FC00001, 0xFFC12345, 0x80000000, 0], np.uint32).view(np.float32),
        "complex": np.array([1 + 2j, complex(-0.0, np.inf)], np.complex64),
        "state": State(count=np.int32(7), mean=(noise.standard_normal((2, 3)).T, None)),
        "flags": np.array([True, False, True]),
        "large": np.arange(3, dtype=np.uint64) + 2**63,
        "small": np.array([-8, 7], ml_dtypes.int4),
        "zeros": np.zeros((2, 2)),
        "empty": (np.zeros((0, 3), ml_dtypes.bfloat16), np.zeros(0, bool), {}, None),
        "device": jnp.arange(6.0).reshape(2, 3),
        "numbers": [3, 0.1, True, 1j],
    }
    checkpoint = Checkpoint.open(folder, IDENTITY)
    checkpoint.save("unit", tree)
    checkpoint.close()
    restored = Checkpoint.open(folder, IDENTITY).load("unit", tree)
    assert jax.tree.structure(restored) == jax.tree.structure(tree)
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(restored))
    for was, now in zip(jax.tree.leaves(tree), jax.tree.leaves(restored), strict=True):
        assert bits(now) == bits(was)


@pytest.mark.parametrize("impl", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_typed_keys_come_back_with_their_generator_and_go_on_drawing_the_same(folder, impl):
    key = jax.random.key(5, impl=impl)
    tree = {"one": key, "many": jax.random.split(key, (2, 3)), "none": jax.random.split(key, 1)[:0]}
    checkpoint = Checkpoint.open(folder, IDENTITY)
    checkpoint.save("keys", tree)
    restored = checkpoint.load("keys", jax.eval_shape(lambda: tree))
    for was, now in zip(jax.tree.leaves(tree), jax.tree.leaves(restored), strict=True):
        assert (now.dtype, now.shape) == (was.dtype, was.shape)
        assert bits(jax.random.key_data(now)) == bits(jax.random.key_data(was))
    assert bits(jax.random.normal(restored["one"])) == bits(jax.random.normal(key))


@pytest.mark.parametrize("tree", [None, {}, (), np.zeros((3, 0)), np.float32(2.5)])
def test_trees_of_one_leaf_or_none_come_back(folder, tree):
    checkpoint = Checkpoint.open(folder, IDENTITY)
    checkpoint.save("unit", tree)
    restored = checkpoint.load("unit", tree)
    assert jax.tree.structure(restored) == jax.tree.structure(tree)
    assert list(map(bits, jax.tree.leaves(restored))) == list(map(bits, jax.tree.leaves(tree)))


def test_arrays_in_another_byte_order_come_back_with_their_values(folder):
    foreign = np.arange(3, dtype=np.dtype(np.float32).newbyteorder())
    checkpoint = Checkpoint.open(folder, IDENTITY)
    checkpoint.save("unit", foreign)
    np.testing.assert_array_equal(checkpoint.load("unit", foreign), [0, 1, 2], strict=False)


def unit_file(folder, name="unit"):
    return folder / "units" / f"unit.{name}.npz"


def test_numpy_alone_can_read_a_unit(folder):
    tree = {"w": np.arange(3.0), "b": np.float32(2), "half": np.ones(2, ml_dtypes.bfloat16)}
    Checkpoint.open(folder, IDENTITY).save("adam", tree)
    with np.load(unit_file(folder, "adam"), allow_pickle=False) as arrays:
        assert arrays["arr_0"] == 2
        assert arrays["arr_1"].tolist() == [0x3F80, 0x3F80]  # 1.0: sign 0, exponent 127
        np.testing.assert_array_equal(arrays["arr_2"], np.arange(3.0))
        header = json.loads(arrays["header"].tobytes())
    assert header["name"] == "adam"
    assert header["leaves"][1:] == [["['half']", "bfloat16", [2]], ["['w']", "float64", [3]]]


def test_units_are_known_by_any_name_replaced_and_removed(folder):
    checkpoint = Checkpoint.open(str(folder), IDENTITY)
    names = ["adam(1e-3)/chunk 2", "a.1", "a", "", "..", "Größe"]
    assert checkpoint.saved() == []
    for value, name in enumerate(names):
        checkpoint.save(name, value)
    checkpoint.save("a", 10)
    checkpoint.save("a", 20)
    checkpoint.remove("..")
    checkpoint.remove("was never there")
    checkpoint.close()
    again = Checkpoint.open(folder, IDENTITY)
    assert again.saved() == checkpoint.saved() == sorted(set(names) - {".."})
    assert {name: int(again.load(name, 0)) for name in again.saved()} == {
        "adam(1e-3)/chunk 2": 0,
        "a.1": 1,
        "a": 20,
        "": 3,
        "Größe": 5,
    }
    assert len(list((folder / "units").iterdir())) == len(names) - 1


def test_nothing_goes_on_in_the_background_and_nothing_is_said(folder):
    # In a process of its own: an event loop that an earlier test left keeps idle threads.
    program = f"""
import threading
import numpy as np
from gdlab.sweeps.persist.checkpoint import Checkpoint
before = set(threading.enumerate())
checkpoint = Checkpoint.open({str(folder)!r}, {IDENTITY!r})
checkpoint.save("unit", np.zeros(3))
checkpoint.save("unit", None)
checkpoint.load("unit", None)
assert set(threading.enumerate()) <= before, threading.enumerate()
"""
    env = {**os.environ, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_asked_for_must_be_what_was_saved(folder):
    checkpoint = Checkpoint.open(folder, IDENTITY)
    checkpoint.save("unit", {"w": np.zeros((2, 3), np.float32), "key": jax.random.key(0)})
    like = {"w": np.zeros((2, 3), np.float32), "key": jax.random.key(0)}
    wrong = [
        (
            {**like, "w": np.zeros((3, 2), np.float32)},
            r"\['w'\] it has float32\[2, 3\], not float32",
        ),
        ({**like, "w": np.zeros((2, 3))}, r"float32\[2, 3\], not float64\[2, 3\]"),
        ({**like, "w": None}, r"\['w'\] it has float32\[2, 3\], not nothing"),
        ({**like, "b": 1}, r"\['b'\] it has nothing, not int64\[\]"),
        ({**like, "key": jax.random.key(0, impl="rbg")}, r"key<fry>\[\], not key<rbg>\[\]"),
    ]
    before = contents(folder)
    for other, message in wrong:
        with pytest.raises(ValueError, match=message):
            checkpoint.load("unit", other)
    with pytest.raises(ValueError, match=r"there is no unit 'other' .* there are: unit"):
        checkpoint.load("other", like)
    assert contents(folder) == before


def test_leaves_in_another_order_are_refused_and_not_mistaken_for_each_other(folder):
    checkpoint = Checkpoint.open(folder, IDENTITY)
    checkpoint.save("unit", OrderedDict(a=1.0, b=2.0))
    with pytest.raises(ValueError, match="it has its leaves in another order"):
        checkpoint.load("unit", OrderedDict(b=2.0, a=1.0))


def test_leaves_that_are_no_arrays_are_refused_and_nothing_is_saved(folder):
    checkpoint = Checkpoint.open(folder, IDENTITY)
    with pytest.raises(TypeError, match=r"\['name'\]: expected an array"):
        checkpoint.save("unit", {"name": "adam"})
    assert checkpoint.saved() == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": "200"}, r"of another sweep: steps \(stored 300, given 200\); nothing was"),
        ({"optimizer": "sgd"}, r"optimizer \(stored none, given sgd\)"),
        ({"jax": "0.11.0"}, r"written by another version: jax \(stored 0.10.2, given 0.11.0\)"),
        ({"gdlab": "0.2.0", "steps": "1"}, r"another version: gdlab .*, steps \(stored 300, given"),
        ({"data": "0123" * 16}, r"data \(stored 0123456789abcdef0123456789abcdef…, given 0123012"),
        ({"data": "0123456789abcdef" * 4 + "!"}, r"stored …89abcdef, given …89abcdef!\)"),
        (
            {"data": "0123456789abcdef" * 3 + "0" * 16},
            r"stored …9abcdef01234.*, given …9abcdef0000",
        ),
    ],
)
def test_the_checkpoint_of_another_sweep_is_refused_and_left_as_it_is(folder, given, message):
    Checkpoint.open(folder, IDENTITY).save("unit", np.arange(3))
    before = contents(folder)
    with pytest.raises(ValueError, match=message) as refusal:
        Checkpoint.open(folder, IDENTITY | given)
    assert str(folder) in str(refusal.value)
    assert "choose another folder, or delete this one" in str(refusal.value)
    assert contents(folder) == before


def test_an_entry_that_is_no_longer_given_is_named(folder):
    Checkpoint.open(folder, IDENTITY)
    with pytest.raises(ValueError, match=r"steps \(stored 300, given none\)"):
        Checkpoint.open(folder, {name: IDENTITY[name] for name in IDENTITY if name != "steps"})


@pytest.mark.parametrize(
    "manifest", ["", "{", "[]", "null", '{"identity": 3}', '{"identity": {"steps": 3}}', "\udcff"]
)
def test_a_damaged_manifest_is_refused_and_left_as_it_is(folder, manifest):
    Checkpoint.open(folder, IDENTITY).save("unit", np.arange(3))
    (folder / "manifest.json").write_bytes(manifest.encode(errors="surrogateescape"))
    before = contents(folder)
    with pytest.raises(ValueError, match="is damaged: its manifest cannot be read"):
        Checkpoint.open(folder, IDENTITY)
    assert contents(folder) == before


@pytest.mark.parametrize("found", ["notes.txt", "units"])
def test_a_folder_with_something_else_is_refused_and_left_as_it_is(tmp_path, found):
    (tmp_path / found).mkdir()
    with pytest.raises(ValueError, match="is not empty and holds no checkpoint"):
        Checkpoint.open(tmp_path, IDENTITY)
    assert contents(tmp_path) == {found: None}


def test_a_folder_is_used_if_it_is_empty_or_a_kill_left_it_half_made(tmp_path):
    assert Checkpoint.open(tmp_path, IDENTITY).saved() == []
    (tmp_path / "half").mkdir()
    killed = written_whole(tmp_path / "half" / "manifest.json")
    killed.__enter__().write_text('{"ident')
    assert Checkpoint.open(tmp_path / "half", IDENTITY).saved() == []
    assert sorted(contents(tmp_path / "half")) == ["lock", "manifest.json", "units"]


@pytest.mark.parametrize("inside", ["", "deeper/still"])
def test_a_file_in_place_of_a_folder_is_an_os_error_that_names_the_folder(tmp_path, inside):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match=r"the checkpoint folder cannot be used: .*file"):
        Checkpoint.open(tmp_path / "file" / inside, IDENTITY)
    assert contents(tmp_path) == {"file": b"mine"}


def test_a_folder_that_takes_no_bytes_is_refused_if_it_is_new_and_read_if_it_is_not(
    tmp_path, limit_of_files
):
    old = Checkpoint.open(tmp_path / "old", IDENTITY)
    old.save("unit", np.arange(3))
    old.close()
    before = contents(tmp_path / "old" / "units")
    limit_of_files(0)
    with pytest.raises(OSError, match=r"the checkpoint folder cannot be used: .*new"):
        Checkpoint.open(tmp_path / "new", IDENTITY)
    old = Checkpoint.open(tmp_path / "old", IDENTITY)
    np.testing.assert_array_equal(old.load("unit", np.arange(3)), np.arange(3))
    for write in (old.require_writable, lambda: old.save("b", 1), lambda: old.remove("unit")):
        with pytest.raises(OSError, match=r"the checkpoint folder cannot be used: .*old"):
            write()
    old.close()
    assert contents(tmp_path / "old" / "units") == before
    limit_of_files(10**6)
    assert Checkpoint.open(tmp_path / "old", IDENTITY).saved() == ["unit"]
    assert Checkpoint.open(tmp_path / "new", IDENTITY).saved() == []


@pytest.mark.parametrize("room", [0, 100, 200_000, 400_500])
def test_a_full_disk_is_an_os_error_and_leaves_what_was_saved(folder, limit_of_files, room):
    checkpoint = Checkpoint.open(folder, IDENTITY)
    for name in ("a", "b"):
        checkpoint.save(name, np.arange(3))
    before = contents(folder)
    limit_of_files(room)
    with pytest.raises(OSError, match=r"unit 'a' of the checkpoint folder .* could not be saved"):
        checkpoint.save("a", np.random.default_rng(0).standard_normal(50_000))
    assert contents(folder) == before
    limit_of_files(10**6)
    checkpoint.save("b", np.arange(4))
    np.testing.assert_array_equal(checkpoint.load("b", np.arange(4)), np.arange(4))


def flipped(good, position):
    return good[:position] + bytes([good[position] ^ 0x10]) + good[position + 1 :]


def test_damage_to_a_unit_is_found_or_does_no_harm(folder):
    tree = {"w": np.random.default_rng(0).standard_normal(2000), "b": np.arange(3)}
    checkpoint = Checkpoint.open(folder, IDENTITY)
    checkpoint.save("unit", tree)
    file = unit_file(folder)
    good = file.read_bytes()
    at = good.index(tree["w"].tobytes())
    surely = [b"", good[: len(good) // 2], good[:-1], flipped(good, at), flipped(good, at + 9000)]
    places = [*range(0, at, 3), *range(at + 16000, len(good), 3)]
    for bad in [*surely, *(flipped(good, place) for place in places)]:
        file.write_bytes(bad)
        before = contents(folder)
        try:
            restored = checkpoint.load("unit", tree)
        except ValueError as error:
            assert "unit 'unit' of the checkpoint folder" in str(error)  # noqa: PT017
            assert "is damaged" in str(error)  # noqa: PT017
        else:
            assert all(bits(restored[name]) == bits(tree[name]) for name in tree)
            assert bad not in surely
        assert contents(folder) == before


def stored_in(file):
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def test_a_unit_with_other_numbers_than_its_checksum_is_damaged(folder):
    checkpoint = Checkpoint.open(folder, IDENTITY)
    checkpoint.save("unit", np.arange(3.0))
    stored = stored_in(unit_file(folder))
    stored["arr_0"][1] = np.nextafter(1.0, 2.0)
    np.savez(unit_file(folder), **stored)
    with pytest.raises(ValueError, match=r"is damaged, .*: it differs from its checksum"):
        checkpoint.load("unit", np.arange(3.0))


class Trap:
    """An object that makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("form", ["npz", "npy", "pickle", "text", "compressed"])
def test_a_file_of_somebody_else_is_refused_and_neither_unpickled_nor_unpacked(folder, form):
    checkpoint = Checkpoint.open(folder, IDENTITY)
    checkpoint.save("unit", np.zeros(10**5))
    file, trap = unit_file(folder), np.array([Trap(str(folder / "sprung"))])
    stored = stored_in(file)
    with file.open("wb") as stream:
        if form == "npz":
            np.savez(stream, **(stored | {"arr_0": trap}))
        elif form == "npy":
            np.save(stream, trap)
        elif form == "pickle":
            pickle.dump(trap, stream)
        elif form == "text":
            stream.write(b"years of work")
        else:  # a thousandth of the bytes that it says it has
            np.savez_compressed(stream, **stored)
    with pytest.raises(ValueError, match=r"unit 'unit' of the checkpoint folder .* is damaged"):
        checkpoint.load("unit", np.zeros(10**5))
    assert not (folder / "sprung").exists()


def test_what_a_kill_left_over_is_cleared_and_never_taken_for_a_unit(folder):
    checkpoint = Checkpoint.open(folder, IDENTITY)
    checkpoint.save("a", 1)
    checkpoint.save("." + "0" * 32 + ".b", 2)
    others = folder / f".{'0' * 32}.result.nc"
    others.write_text("being written by another process")
    before = contents(folder)
    killed = [written_whole(unit_file(folder, name)) for name in ("a", "c")]
    for save in killed:
        save.__enter__().write_bytes(unit_file(folder, "a").read_bytes())
    names = checkpoint.saved()
    checkpoint.close()
    again = Checkpoint.open(folder, IDENTITY)
    assert again.saved() == names == ["." + "0" * 32 + ".b", "a"]
    assert again.load("a", 0) == 1
    assert contents(folder) == before


def test_a_folder_is_used_by_one_at_a_time_until_it_is_closed(folder):
    first = Checkpoint.open(folder, IDENTITY)
    first.save("unit", 1)
    before = contents(folder)
    with pytest.raises(BlockingIOError, match="is using the checkpoint folder") as refusal:
        Checkpoint.open(folder, IDENTITY)
    assert refusal.value.filename == str(folder)
    assert contents(folder) == before
    first.close()
    assert Checkpoint.open(folder, IDENTITY).load("unit", 0) == 1


HOLDING = """
import sys
import time
from gdlab.sweeps.persist.checkpoint import Checkpoint
checkpoint = Checkpoint.open(sys.argv[1], {"steps": "300"})
checkpoint.save("unit", 1)
print("open", flush=True)
time.sleep(600)
"""


def test_another_process_is_kept_out_until_the_first_one_is_killed(folder, start):
    process = start(HOLDING, folder)
    assert process.stdout.readline() == "open\n"
    with pytest.raises(BlockingIOError, match="another process"):
        Checkpoint.open(folder, {"steps": "300"})
    process.kill()
    process.wait()
    assert Checkpoint.open(folder, {"steps": "300"}).load("unit", 0) == 1


def precious(tmp_path):
    """A folder of somebody else, with a folder and a file in it."""
    (tmp_path / "precious" / "work").mkdir(parents=True)
    (tmp_path / "precious" / "work" / "thesis.txt").write_text("years")
    return tmp_path / "precious"


def test_a_link_in_place_of_the_units_is_refused_and_not_followed(folder, tmp_path):
    others = precious(tmp_path)
    Checkpoint.open(folder, IDENTITY).close()
    (folder / "units").rmdir()
    (folder / "units").symlink_to(others)
    before = contents(others)
    with pytest.raises(ValueError, match="holds a link in place of its folder 'units'"):
        Checkpoint.open(folder, IDENTITY)
    assert contents(others) == before


def test_links_among_the_units_are_neither_read_nor_followed_nor_in_the_way(folder, tmp_path):
    others = precious(tmp_path)
    checkpoint = Checkpoint.open(folder, IDENTITY)
    checkpoint.save("a", 1)
    (others / "unit.npz").write_bytes(unit_file(folder, "a").read_bytes())
    before = contents(others)
    leftover = f".{'0' * 32}.unit.d.npz"
    for name in ("unit.b.npz", "unit.c.npz", leftover):
        (folder / "units" / name).symlink_to(others / "unit.npz")
    for name in ("d", "unit.e.npz", leftover[:-1]):
        (folder / "units" / name).symlink_to(others)
    assert checkpoint.saved() == ["a"]
    for name in ("c", "e"):
        with pytest.raises(ValueError, match=f"there is no unit '{name}'"):
            checkpoint.load(name, 0)
        checkpoint.remove(name)
    checkpoint.save("a", 2)
    checkpoint.save("b", 3)
    checkpoint.remove("b")
    checkpoint.save("e", 4)
    checkpoint.close()
    again = Checkpoint.open(folder, IDENTITY)
    assert again.saved() == ["a", "e"]
    assert again.load("a", 0) == 2
    assert contents(others) == before


@pytest.mark.parametrize("name", ["manifest.json", "lock"])
def test_a_link_in_place_of_a_file_never_has_what_it_points_to_overwritten(folder, tmp_path, name):
    Checkpoint.open(folder, IDENTITY).close()
    target = tmp_path / "target"
    target.write_bytes((folder / name).read_bytes())
    before = target.read_bytes()
    (folder / name).unlink()
    (folder / name).symlink_to(target)
    stamp = target.stat().st_mtime_ns
    Checkpoint.open(folder, IDENTITY)
    assert (target.read_bytes(), target.stat().st_mtime_ns) == (before, stamp)


def test_a_unit_under_the_name_of_another_is_damaged(folder):
    checkpoint = Checkpoint.open(folder, IDENTITY)
    checkpoint.save("a", 1)
    unit_file(folder, "a").rename(unit_file(folder, "b"))
    with pytest.raises(ValueError, match=r"unit 'b' .* was saved as unit 'a'"):
        checkpoint.load("b", 0)
    stored = stored_in(unit_file(folder, "b"))
    header = stored["header"].tobytes().replace(b'"name": "a"', b'"name": "b"')
    np.savez(unit_file(folder, "b"), **(stored | {"header": np.frombuffer(header, np.uint8)}))
    with pytest.raises(ValueError, match=r"is damaged, .*: it differs from its checksum"):
        checkpoint.load("b", 0)


SAVING_FOREVER = """
import sys
import numpy as np
from gdlab.sweeps.persist.checkpoint import Checkpoint

folder, identity = sys.argv[1], {"steps": "300"}
checkpoint = Checkpoint.open(folder, identity)
step = 0
while True:
    step += 1
    for name in ("a", "b"):
        tree = {str(i): np.full((50, 50), step + i / 8) for i in range(8)}
        checkpoint.save(name, {"step": step, "arrays": tree})
        print(name, step, flush=True)
    if step % 3 == 0:
        checkpoint.remove("b")
        print("b 0", flush=True)
"""


def test_processes_killed_while_they_save_leave_whole_units_no_older_than_they_said(
    tmp_path, start
):
    draw = random.Random(0)
    folders = [tmp_path / str(i) for i in range(6)]
    processes = [start(SAVING_FOREVER, folder) for folder in folders]
    like = {"step": 0, "arrays": {str(i): np.zeros((50, 50)) for i in range(8)}}
    for folder, process in zip(folders, processes, strict=True):
        first = process.stdout.readline()
        time.sleep(draw.uniform(0, 0.3))
        process.kill()
        said = {"a": 0, "b": 0}
        for line in [first, *process.stdout]:
            name, step = line.split()
            said[name] = int(step)
        checkpoint = Checkpoint.open(folder, {"steps": "300"})
        found = {"a": 0, "b": 0}
        for name in checkpoint.saved():
            restored = checkpoint.load(name, like)
            found[name] = int(restored["step"])
            for i in range(8):
                expected = np.full((50, 50), found[name] + i / 8)
                np.testing.assert_array_equal(restored["arrays"][str(i)], expected)
        assert found["a"] in (said["a"], said["a"] + 1)
        assert found["b"] in (said["b"], said["a"], 0 if said["a"] % 3 == 0 else said["b"])
        checkpoint.save("b", like)
        assert checkpoint.saved() == ["a", "b"]
        assert sorted(path.name for path in (folder / "units").iterdir()) == [
            "unit.a.npz", "unit.b.npz"
        ]  # fmt: skip


ONE_OF_TWO = """
import sys
import jax
import numpy as np
from gdlab.sweeps.persist.checkpoint import Checkpoint

address, process, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
jax.distributed.initialize(address, num_processes=2, process_id=process)
assert jax.process_count() == 2
checkpoint = Checkpoint.open(f"{folder}/{process}", {"process": str(process)})
tree = {"w": np.arange(5.0) + process, "device": jax.numpy.ones(3) * process}
for save in range(1 + 3 * process):  # a barrier would wait for ever
    checkpoint.save(f"unit {save}", tree)
restored = checkpoint.load("unit 0", tree)
assert all(np.array_equal(restored[name], tree[name]) for name in tree)
print(*checkpoint.saved(), sep=",")
"""


def test_processes_that_run_together_save_without_waiting_for_each_other(tmp_path, start):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    processes = [start(ONE_OF_TWO, address, process, tmp_path) for process in range(2)]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert said == ["unit 0\n", "unit 0,unit 1,unit 2,unit 3\n"]
    manifests = [json.loads((tmp_path / str(i) / "manifest.json").read_text()) for i in range(2)]
    assert manifests == [{"identity": {"process": str(i)}} for i in range(2)]
