"""The work that a sweep has done, kept in a folder so that a process that is killed loses little.

The folder holds a manifest, which says what sweep it belongs to, and units, each of which is there
whole or not at all. A unit is an ordinary Orbax checkpoint, so Orbax alone can read it. A lock of
the operating system, which ends with the process that holds it, keeps other processes out.

Symbolic links within the folder are never followed to write or to delete anything: what they point
to belongs to somebody else.
"""

import asyncio
import errno
import json
import os
import re
import shutil
import textwrap
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.devices.transfer import key_implementation
from gdlab.sweeps.persist.fingerprint import bits_of, of_arrays

VERSIONS = ("gdlab", "jax", "state layout", "checkpoint layout")
"""The entries of an identity that say by which versions a checkpoint was written."""

ADVICE = "choose another folder, or delete this one to start over"

LAYOUT = "2"
"""The version of the folder's layout, which stands in an identity as "checkpoint layout"."""

LOCK = "lock"
"""The file in the folder by which the lock is held; that it is there says nothing."""

SHOWN = 32
"""So many characters of an entry of an identity are shown."""


class Checkpoint:
    """A folder of saved trees of arrays that belong to one sweep; needs the extra ``lab``.

    One process at a time may use a folder, until :meth:`close`. It synchronises with no other
    process, so under ``jax.distributed`` each has a folder of its own and saves what is local to
    it. What is in a folder that cannot be written, such as one on a read-only share or on a full
    disk, can be loaded all the same.

    >>> import tempfile
    >>> import numpy as np
    >>> folder = tempfile.mkdtemp()
    >>> checkpoint = Checkpoint.open(folder, {"steps": "300"})
    >>> checkpoint.save("adam", {"w": np.arange(3)})
    >>> checkpoint.saved()
    ['adam']
    >>> checkpoint.close()
    >>> Checkpoint.open(folder, {"steps": "300"}).load("adam", like={"w": np.zeros(3, int)})
    {'w': array([0, 1, 2])}
    """

    def __init__(self, folder: Path, lock: Any, unwritable: OSError | None):
        self.folder = folder
        self._lock = lock
        self._unwritable = unwritable
        """The reason why nothing can be written, if there is one."""
        self._units = folder / "units"
        self._orbax = _checkpointer()

    @classmethod
    def open(cls, folder: str | os.PathLike[str], identity: Mapping[str, str]) -> "Checkpoint":
        """The checkpoint in a folder, which is made if there is none.

        Args:
            folder: an absent folder, an empty one, or one with a checkpoint of the same identity.
            identity: what the sweep is. Entries "gdlab" and "jax" are versions.

        Raises:
            ValueError: if the folder holds something else, or its manifest is damaged. Nothing in
                it has been changed.
            BlockingIOError: if another process, or another sweep of this one, uses the folder.
            OSError: if there is no checkpoint in the folder and it cannot be written.
        """
        path = Path(os.path.abspath(folder))
        lock, unwritable = None, None
        try:
            _require_ours(path, dict(identity))
            path.mkdir(parents=True, exist_ok=True)
            lock = _locked(path)
            _prepare(path, dict(identity))
        except BlockingIOError:
            raise
        except OSError as error:
            message = f"the checkpoint folder cannot be used: {error.strerror or error}"
            unwritable = OSError(error.errno, message, str(path))
            if not (path / "units").is_dir():
                _release(lock)
                raise unwritable from error
        except ValueError:
            _release(lock)
            raise
        checkpoint = cls(path, lock, unwritable)
        checkpoint._clear_leftovers()
        return checkpoint

    def close(self) -> None:
        """Let other processes use the folder."""
        _release(self._lock)

    def require_writable(self) -> None:
        """Refuse to go on where what is computed could not be saved.

        Raises:
            OSError: if the folder could not be written when it was opened.
        """
        if self._unwritable is not None:
            raise self._unwritable

    def saved(self) -> list[str]:
        """The names of the units, sorted."""
        return sorted(self._whole())

    def save(self, name: str, tree: Any) -> None:
        """Save a tree as the unit ``name``, which replaces the unit that had the name.

        A process that is killed meanwhile leaves the old unit, or the new one.

        Args:
            name: any text.
            tree: its leaves are arrays of any dtype, typed keys and Python numbers; None is kept.

        Raises:
            OSError: if it cannot be written, such as on a full disk; the old unit is still there.
            TypeError: if a leaf is none of these.
        """
        from orbax.checkpoint.args import PyTreeSave

        self.require_writable()
        table = _described(tree)
        leaves = jax.tree.leaves(tree)
        impls = [key_implementation(leaf) for leaf in leaves]
        arrays = [_native(bits_of(leaf, row[0])) for row, leaf in zip(table, leaves, strict=True)]
        checksum = _checksum(name, table, impls, arrays)
        header = {"name": name, "leaves": table, "impls": impls, "sha256": checksum}
        # Orbax writes no array that is empty, and no tree without arrays.
        item = {str(index): array for index, array in enumerate(arrays) if array.size}
        item["header"] = _as_bytes(header)
        number = (
            max((taken for other, taken, _ in self._entries() if other == name), default=-1) + 1
        )
        try:
            self._orbax.save(self._path(name, number), args=PyTreeSave(item))
        except Exception as error:
            # TensorStore reports what the system could not do as a ValueError.
            raise OSError(
                f"unit {name!r} of the checkpoint folder {str(self.folder)!r} could not be saved: "
                f"{_brief(error)}"
            ) from error
        finally:
            self._clear_leftovers(ignore_errors=True)

    def load(self, name: str, like: Any) -> Any:
        """The tree of the unit ``name``, bit for bit.

        Args:
            name: one of :meth:`saved`.
            like: a tree of the same structure, with arrays or ``jax.ShapeDtypeStruct`` as leaves.

        Returns:
            NumPy arrays, and JAX's for typed keys, in the structure of ``like``.

        Raises:
            ValueError: if there is no such unit, it is damaged, or it holds a tree that is not like
                ``like``. Nothing has been changed.
        """
        unit = f"unit {name!r} of the checkpoint folder {str(self.folder)!r}"
        whole = self._whole()
        if name not in whole:
            known = ", ".join(sorted(whole)) or "none"
            raise ValueError(f"there is no {unit}; there are: {known}")
        try:
            item = self._orbax.restore(self._path(name, whole[name]))
            header = json.loads(item["header"].tobytes())
            table, impls = header["leaves"], header["impls"]
            arrays = [
                item[str(index)] if str(index) in item else _empty(row, impl)
                for index, (row, impl) in enumerate(zip(table, impls, strict=True))
            ]
            intact = _checksum(header["name"], table, impls, arrays) == header["sha256"]
        except Exception as error:
            raise ValueError(
                f"{unit} is damaged, and nothing was changed; {ADVICE}: {_brief(error)}"
            ) from error
        if not intact:
            raise ValueError(
                f"{unit} is damaged: it differs from its checksum; nothing was changed; {ADVICE}"
            )
        if header["name"] != name:
            raise ValueError(
                f"{unit} was saved as unit {header['name']!r} and has been renamed; nothing was "
                f"changed; {ADVICE}"
            )
        _require_like(unit, table, _described(like))
        leaves = [
            array if impl is None else jax.random.wrap_key_data(jnp.asarray(array), impl=impl)
            for array, impl in zip(arrays, impls, strict=True)
        ]
        return jax.tree.unflatten(jax.tree.structure(like), leaves)

    def remove(self, name: str) -> None:
        """Remove the unit ``name``, if there is one, whole even if the process is killed."""
        number = self._whole().get(name)
        if number is not None:
            self.require_writable()
            self._clear_leftovers()  # or an older one would be the newest
            path = self._path(name, number)
            path.rename(f"{path}.removed")
            self._clear_leftovers()

    def _path(self, name: str, number: int) -> Path:
        return self._units / f"{quote(name, safe='')}.{number}"

    def _entries(self) -> Iterator[tuple[str, int, Path]]:
        """Name, number and path of whatever is called like a whole unit, links among them."""
        for path in self._units.iterdir():
            # Orbax gives a unit this name when it is whole, and longer ones before.
            if match := re.fullmatch(r"(.*)\.(\d+)", path.name):
                yield unquote(match[1]), int(match[2]), path

    def _whole(self) -> dict[str, int]:
        """Name → number of the newest of its whole units: a later save has a higher one."""
        found: dict[str, int] = {}
        for name, number, path in self._entries():
            if _is_own_folder(path):
                found[name] = max(number, found.get(name, 0))
        return found

    def _clear_leftovers(self, *, ignore_errors: bool = False) -> None:
        """Delete what has been replaced or removed, and what was being written at a kill."""
        if self._unwritable is not None:
            return
        kept = {self._path(name, number) for name, number in self._whole().items()}
        for path in self._units.iterdir():
            if _is_own_folder(path) and path not in kept:
                shutil.rmtree(path, ignore_errors=ignore_errors)


def _release(lock: Any) -> None:
    if lock is not None:
        lock.release()


def _prepare(path: Path, identity: dict[str, str]) -> None:
    """Make a folder that is locked a checkpoint of this identity, if it is not one already."""
    _require_ours(path, identity)  # another process may have made it meanwhile
    # Written even if it is there already: only that shows that the folder can be written.
    _write_atomically(path / "manifest.json", json.dumps({"identity": identity}))
    (path / "units").mkdir(exist_ok=True)


def _is_own_folder(path: Path) -> bool:
    """Tell whether this is a folder itself, and no link to one elsewhere."""
    return path.is_dir() and not path.is_symlink()


def _locked(path: Path) -> Any:
    """The lock of a folder, held by this process until it is released or the process ends.

    Raises:
        BlockingIOError: if it is held already.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path / LOCK, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise BlockingIOError(
            errno.EWOULDBLOCK,
            "another process, or another sweep of this one, is using the checkpoint folder: wait "
            "until it has ended, or choose another folder",
            str(path),
        ) from None
    return lock


def _require_ours(path: Path, identity: dict[str, str]) -> None:
    """Refuse a folder that a sweep of this identity must not write to."""
    manifest = path / "manifest.json"
    folder = f"the checkpoint folder {str(path)!r}"
    if not manifest.exists():
        # A process that was killed while it made the folder has left no more than these.
        mine = (_partial(manifest).name, LOCK)
        if path.exists() and any(other.name not in mine for other in path.iterdir()):
            raise ValueError(f"{folder} is not empty and holds no checkpoint; choose another one")
        return
    try:
        stored = json.loads(manifest.read_text(encoding="utf-8"))["identity"]
        if not all(isinstance(value, str) for value in stored.values()):
            raise TypeError("an entry is not a text")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{folder} is damaged: its manifest cannot be read, and nothing was changed; {ADVICE}: "
            f"{error}"
        ) from error
    if (path / "units").is_symlink():
        raise ValueError(
            f"{folder} holds a link in place of its folder 'units': what it points to could be "
            "overwritten, so nothing was changed; put the folder itself there, or choose another"
        )
    names = [name for name in {**stored, **identity} if stored.get(name) != identity.get(name)]
    if names:
        versions = any(name in VERSIONS for name in names)
        source = "written by another version" if versions else "of another sweep"
        differences = ", ".join(_difference(n, stored.get(n), identity.get(n)) for n in names)
        raise ValueError(
            f"{folder} holds a checkpoint {source}: {differences}; nothing was changed; {ADVICE}"
        )


def _difference(name: str, stored: str | None, given: str | None) -> str:
    pairs = list(zip(stored or "", given or "", strict=False))
    first = next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))
    begin = max(first - SHOWN // 4, 0)
    return f"{name} (stored {_excerpt(stored, begin)}, given {_excerpt(given, begin)})"


def _excerpt(text: str | None, begin: int) -> str:
    if text is None:
        return "none"
    if len(text) <= SHOWN:
        return text
    return (
        ("…" if begin else "")
        + text[begin : begin + SHOWN].rstrip()
        + ("…" if begin + SHOWN < len(text) else "")
    )


def _brief(error: Exception) -> str:
    return textwrap.shorten(str(error), 300)  # TensorStore repeats the whole of its settings


def _write_atomically(path: Path, text: str) -> None:
    # What a kill left there is not written to: it may be a link by now.
    _partial(path).unlink(missing_ok=True)
    with _partial(path).open("x", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    _partial(path).replace(path)


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _described(tree: Any) -> list[list[Any]]:
    """Path, dtype and shape of each leaf, as JSON gives them back."""
    table = []
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        array = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
        table.append([jax.tree_util.keystr(path), array.dtype.name, list(array.shape)])
    return table


def _require_like(unit: str, table: list[list[Any]], wanted: list[list[Any]]) -> None:
    stored, asked = ({path: kind for path, *kind in rows} for rows in (table, wanted))
    for path in {**asked, **stored}:
        if stored.get(path) != asked.get(path):
            one, other = (_kind(kinds.get(path)) for kinds in (stored, asked))
            raise ValueError(
                f"{unit} holds a tree that is not like the one asked for: at "
                f"{path or 'the root'} it has {one}, not {other}; {ADVICE}"
            )


def _kind(kind: list[Any] | None) -> str:
    return f"{kind[0]}{kind[1]}" if kind else "nothing"


def _native(array: np.ndarray) -> np.ndarray:
    """The array in the byte order of the machine, the only one that TensorStore gives back."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _empty(row: list[Any], impl: str | None) -> np.ndarray:
    """An array without elements, of the dtype and shape of a row of the table."""
    _, dtype, shape = row
    if impl is None:
        return np.zeros(shape, jnp.dtype(dtype))
    return np.asarray(jax.random.key_data(jax.random.split(jax.random.key(0, impl=impl), shape)))


def _checksum(
    name: str, table: list[list[Any]], impls: list[str | None], arrays: list[np.ndarray]
) -> str:
    return of_arrays((_as_bytes([name, table, impls]), arrays))


def _as_bytes(value: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def _checkpointer() -> Any:
    """Orbax, confined to this process and its local arrays."""
    import orbax.checkpoint as ocp
    import tensorstore

    class LocalArrays(ocp.type_handlers.NumpyHandler):
        """Orbax's arrays of NumPy, of which its own handler writes only those of process 0."""

        async def serialize(self, values: Any, infos: Any, args: Any = None) -> list[Any]:  # noqa: ARG002
            async def write(array: np.ndarray, info: Any) -> None:
                # Orbax merges what it finds in folders of such names into the unit.
                spec = _spec(info, "ocdbt.process_0/") | {
                    "dtype": array.dtype.name,
                    "schema": {"domain": {"shape": list(array.shape)}},
                    "metadata": {"compressor": None},  # weights hardly get any smaller
                }
                store = await tensorstore.open(spec, create=True, context=info.ts_context)
                await store.write(array)

            await _all(map(write, values, infos))
            return []

        async def deserialize(self, infos: Any, args: Any = None) -> list[np.ndarray]:  # noqa: ARG002
            async def read(info: Any) -> np.ndarray:
                store = await tensorstore.open(_spec(info, ""), open=True, context=info.ts_context)
                return await store.read()

            return await _all(map(read, infos))

    process = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(primary_host=process, active_processes={process})
    registry = ocp.type_handlers.create_type_handler_registry(
        (np.ndarray, LocalArrays()),
        (jax.Array, ocp.type_handlers.ArrayHandler()),  # unused, but Orbax warns if it is missing
    )
    handler = ocp.PyTreeCheckpointHandler(
        multiprocessing_options=alone, type_handler_registry=registry
    )
    return ocp.Checkpointer(handler, multiprocessing_options=alone)


def _spec(info: Any, inside: str) -> dict[str, Any]:
    """The place where TensorStore finds an array that Orbax describes."""
    base = {"driver": "file", "path": f"{info.parent_dir}/{inside}"}
    return {
        "driver": "zarr",
        "kvstore": {"driver": "ocdbt", "base": base, "path": f"{info.name}/"},
    }


async def _all(tasks: Iterable[Awaitable[Any]]) -> list[Any]:
    """The values that the tasks return; none of them goes on after another has failed."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results
