"""The finished work of a sweep, saved in a folder so that a killed process loses little.

The folder holds a manifest, which says what sweep it belongs to, and units, each of which is one
file that is there whole or not at all. A lock of the operating system, which ends with the process
that holds it, keeps other processes out.

Symbolic links within the folder are never followed to write or to delete anything: what they point
to belongs to somebody else.
"""

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from gdlab.files import is_leftover, is_own_file
from gdlab.sweeps.persist import manifest, unit
from gdlab.sweeps.persist.manifest import ADVICE, LOCK

LAYOUT = "3"
"""The version of the folder's layout, stored in each manifest as "checkpoint layout"."""


class Checkpoint:
    """A folder of saved trees of arrays that belong to one sweep; needs the extra ``lab``.

    One process at a time may use a folder, until :meth:`close`. Processes do not synchronise their
    checkpoints, so under ``jax.distributed`` each process has its own folder and saves the data on
    its own devices. Units of a folder that cannot be written, such as one on a read-only share or
    on a full disk, can be loaded all the same.

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

    @classmethod
    def open(cls, folder: str | os.PathLike[str], identity: Mapping[str, str]) -> "Checkpoint":
        """Open the checkpoint in a folder, or create one there.

        Args:
            folder: an absent folder, an empty one, or one with a checkpoint of the same identity.
            identity: the properties of the sweep as texts, by name. The entries "gdlab" and "jax"
                are versions.

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
            if not _units(path).is_dir():
                _release(lock)
                raise unwritable from error
        except ValueError:
            _release(lock)
            raise
        return cls(path, lock, unwritable)

    def close(self) -> None:
        """Let other processes use the folder."""
        _release(self._lock)

    def require_writable(self) -> None:
        """Refuse to go on where results could not be saved.

        Raises:
            OSError: if the folder could not be written when it was opened.
        """
        if self._unwritable is not None:
            raise self._unwritable

    def saved(self) -> list[str]:
        """The names of the units, sorted."""
        files = [path.name for path in _units(self.folder).iterdir() if is_own_file(path)]
        matches = [re.fullmatch(r"unit\.(.*)\.npz", name) for name in files]
        return sorted(unquote(match[1]) for match in matches if match)

    def save(self, name: str, tree: Any) -> None:
        """Save a tree as the unit ``name``, which replaces the unit that had the name.

        A process that is killed meanwhile leaves the old unit, or the new one.

        Args:
            name: any text.
            tree: its leaves are arrays of any dtype, typed keys and Python numbers; None is kept.

        Raises:
            OSError: if the file cannot be written, as on a full disk; the old unit is still there.
            TypeError: if a leaf is none of these.
        """
        self.require_writable()
        try:
            unit.write(self._path(name), name, tree)
        except OSError as error:
            message = f"{self._called(name)} could not be saved: {error.strerror or error}"
            raise OSError(error.errno, message) from error

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
        called = self._called(name)
        if name not in (saved := self.saved()):
            raise ValueError(f"there is no {called}; there are: {', '.join(saved) or 'none'}")
        try:
            found = unit.read(self._path(name))
        except Exception as error:
            raise ValueError(
                f"{called} is damaged, and nothing was changed; {ADVICE}: {error}"
            ) from error
        if found.name != name:
            raise ValueError(
                f"{called} was saved as unit {found.name!r} and has been renamed; nothing was "
                f"changed; {ADVICE}"
            )
        try:
            return found.as_tree(like)
        except ValueError as error:
            raise ValueError(
                f"{called} holds a tree that is not like the one asked for: {error}; {ADVICE}"
            ) from error

    def remove(self, name: str) -> None:
        """Remove the unit ``name``, if there is one."""
        if is_own_file(path := self._path(name)):
            self.require_writable()
            path.unlink()

    def _path(self, name: str) -> Path:
        return _units(self.folder) / f"unit.{quote(name, safe='')}.npz"

    def _called(self, name: str) -> str:
        return f"unit {name!r} of the checkpoint folder {str(self.folder)!r}"


def _units(folder: Path) -> Path:
    return folder / "units"


def _require_ours(folder: Path, identity: dict[str, str]) -> None:
    """Refuse a folder that a sweep of this identity must not write to.

    Raises:
        ValueError: if its manifest is of something else, or its folder of units is a link.
    """
    manifest.require_ours(folder, identity)
    if _units(folder).is_symlink():
        raise ValueError(
            f"the checkpoint folder {str(folder)!r} holds a link in place of its folder 'units': "
            "what it points to could be overwritten, so nothing was changed; put the folder itself "
            "there, or choose another"
        )


def _prepare(folder: Path, identity: dict[str, str]) -> None:
    """Write the manifest and the folder of units, and remove what killed writes have left."""
    _require_ours(folder, identity)  # another process may have made it meanwhile
    # An existing manifest is written again, since only a write shows that the folder is writable.
    manifest.write(folder, identity)
    _units(folder).mkdir(exist_ok=True)
    for path in [*folder.glob(f".*.{manifest.FILE}"), *_units(folder).iterdir()]:
        if is_leftover(path):
            path.unlink()


def _locked(folder: Path) -> Any:
    """The lock of a folder, which this process holds until it releases it or ends.

    Raises:
        BlockingIOError: if the lock is held already.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise BlockingIOError(
            errno.EWOULDBLOCK,
            "another process, or another sweep of this one, is using the checkpoint folder: wait "
            "until it has ended, or choose another folder",
            str(folder),
        ) from None
    return lock


def _release(lock: Any) -> None:
    if lock is not None:
        lock.release()
