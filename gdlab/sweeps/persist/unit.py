"""A tree of arrays in one file, which is read back bit for bit or refused.

The file is an ordinary ``.npz``, so that NumPy alone can read it, and nothing in it is ever
unpickled. It holds a header, a JSON text in bytes, and the leaves of the tree in their order.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.devices.transfer import as_keys, is_key
from gdlab.files import written_whole
from gdlab.sweeps.persist.fingerprint import bits_of, hash_of_arrays

Table = list[list[Any]]
"""Path, dtype and shape of each leaf of a tree, as JSON gives them back."""


class Unit(NamedTuple):
    """The content of the file of a tree."""

    name: str
    """The name under which it was saved."""
    table: Table
    arrays: list[np.ndarray]
    """The leaves. A typed key is stored as its data, and an array of a dtype that NumPy's files do
    not have, such as bfloat16, as integers of the same bits."""

    @property
    def checksum(self) -> str:
        """The SHA-256 of name, table and arrays."""
        return hash_of_arrays((_as_bytes([self.name, self.table]), self.arrays))

    def as_tree(self, like: Any) -> Any:
        """The tree in the structure of ``like``.

        Raises:
            ValueError: if paths, dtypes or shapes of the leaves are not those of ``like``.
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
        Exception: of any type, if the file holds anything else or has been damaged.
    """
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        # A compressed file of a few kilobytes could unpack to more than the memory holds.
        if sum(member.file_size for member in stored.zip.infolist()) > path.stat().st_size:
            raise ValueError("it is compressed, which no unit is")
        header = json.loads(stored["header"].tobytes())
        arrays = [stored[f"arr_{index}"] for index in range(len(header["leaves"]))]
    unit = Unit(header["name"], header["leaves"], arrays)
    if unit.checksum != header["sha256"]:
        raise ValueError("it differs from its checksum")
    return unit


def _table_of(tree: Any) -> Table:
    """The path, dtype and shape of each leaf of a tree."""
    table = []
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        array = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
        table.append([jax.tree_util.keystr(path), array.dtype.name, list(array.shape)])
    return table


def _require_same(stored: Table, wanted: Table) -> None:
    """Refuse a stored tree whose leaves differ from the expected ones.

    Raises:
        ValueError: naming the first path at which they differ.
    """
    stored_types, wanted_types = (
        {path: array_type for path, *array_type in table} for table in (stored, wanted)
    )
    for path in {**wanted_types, **stored_types}:
        one, other = stored_types.get(path), wanted_types.get(path)
        if one != other:
            raise ValueError(
                f"at {path or 'the root'} it has {_type_in_words(one)}, not {_type_in_words(other)}"
            )
    if stored != wanted:
        raise ValueError("it has its leaves in another order")


def _type_in_words(array_type: list[Any] | None) -> str:
    """A dtype and a shape as one word."""
    return f"{array_type[0]}{array_type[1]}" if array_type else "nothing"


def _storable(array: np.ndarray) -> np.ndarray:
    """The array in native byte order; as integers of the same bits if its dtype is foreign."""
    is_foreign = array.dtype.isbuiltin == 2  # as those of ml_dtypes are
    if is_foreign:
        return array.view(f"u{array.dtype.itemsize}")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _restored(array: np.ndarray, row: list[Any], like: Any) -> Any:
    """Invert :func:`_storable`: the array or the typed keys of a leaf.

    Args:
        array: the stored array.
        row: the path, dtype and shape of the leaf.
        like: a leaf of the same kind, which gives the implementation of typed keys.
    """
    _, dtype, _ = row
    return as_keys(array, like) if is_key(like) else array.view(jnp.dtype(dtype))


def _as_bytes(value: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(value).encode(), np.uint8)
