"""A tree of arrays in one file, which comes back bit for bit or is refused.

The file is an ordinary ``.npz``, so NumPy alone can read it, and nothing in it is ever unpickled.
Beside the leaves of the tree, in their order, it holds a header: a JSON text in bytes.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.devices.transfer import as_keys, is_key
from gdlab.files import written_whole
from gdlab.sweeps.persist.fingerprint import bits_of, of_arrays

Table = list[list[Any]]
"""Path, dtype and shape of each leaf of a tree, as JSON gives them back."""


class Unit(NamedTuple):
    """The content of the file of a tree."""

    name: str
    """The name under which it was saved."""
    table: Table
    arrays: list[np.ndarray]
    """The leaves: of typed keys their data, and integers of the same bits for a dtype such as
    bfloat16, which NumPy's files do not have."""

    @property
    def checksum(self) -> str:
        """The SHA-256 of all of it."""
        return of_arrays((_as_bytes([self.name, self.table]), self.arrays))

    def as_tree(self, like: Any) -> Any:
        """The tree in the structure of ``like``.

        Raises:
            ValueError: if paths, dtypes or shapes of its leaves are not those of ``like``.
        """
        _require_same(self.table, _table_of(like))
        leaves, structure = jax.tree.flatten(like)
        return jax.tree.unflatten(structure, map(_restored, self.arrays, self.table, leaves))


def write(path: Path, name: str, tree: Any) -> None:
    """Write a tree to a file, which is there as a whole or not at all.

    Raises:
        OSError: if it cannot be written.
        TypeError: if a leaf is no array, no typed key and no number.
    """
    table, leaves = _table_of(tree), jax.tree.leaves(tree)
    arrays = [_storable(bits_of(leaf, row[0])) for row, leaf in zip(table, leaves, strict=True)]
    unit = Unit(name, table, arrays)
    header = {"name": name, "leaves": table, "sha256": unit.checksum}
    with written_whole(path, follow_symlinks=False) as beside, beside.open("xb") as file:
        np.savez(file, *arrays, header=_as_bytes(header))


def read(path: Path) -> Unit:
    """The content of a file that :func:`write` wrote.

    Raises:
        Exception: of many kinds, if it holds anything else or has been damaged.
    """
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        # A file of a few kilobytes could otherwise unpack to more than the memory holds.
        if sum(member.file_size for member in stored.zip.infolist()) > path.stat().st_size:
            raise ValueError("it is compressed, which no unit is")
        header = json.loads(stored["header"].tobytes())
        arrays = [stored[f"arr_{index}"] for index in range(len(header["leaves"]))]
    unit = Unit(header["name"], header["leaves"], arrays)
    if unit.checksum != header["sha256"]:
        raise ValueError("it differs from its checksum")
    return unit


def _table_of(tree: Any) -> Table:
    table = []
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        array = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
        table.append([jax.tree_util.keystr(path), array.dtype.name, list(array.shape)])
    return table


def _require_same(stored: Table, asked: Table) -> None:
    there, wanted = ({path: kind for path, *kind in table} for table in (stored, asked))
    for path in {**wanted, **there}:
        if there.get(path) != wanted.get(path):
            one, other = (_kind(kinds.get(path)) for kinds in (there, wanted))
            raise ValueError(f"at {path or 'the root'} it has {one}, not {other}")
    if stored != asked:
        raise ValueError("it has its leaves in another order")


def _kind(kind: list[Any] | None) -> str:
    return f"{kind[0]}{kind[1]}" if kind else "nothing"


def _storable(array: np.ndarray) -> np.ndarray:
    """The array of a dtype that NumPy's files have, in the byte order of the machine."""
    is_foreign = array.dtype.isbuiltin == 2  # as those of ml_dtypes are
    if is_foreign:
        return array.view(f"u{array.dtype.itemsize}")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _restored(array: np.ndarray, row: list[Any], like: Any) -> Any:
    """The array that :func:`_storable` was given, or the typed keys whose data it was given."""
    _, dtype, _ = row
    return as_keys(array, like) if is_key(like) else array.view(jnp.dtype(dtype))


def _as_bytes(value: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)
