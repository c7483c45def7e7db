"""Files that are there as a whole or not at all."""

import contextlib
import os
import pathlib
import re
import uuid
from collections.abc import Iterator


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """A path beside another one to write to, which takes its place once that has succeeded.

    It ends as the other does, since some writers choose a format by it. A link in place of the
    other is replaced, and what it points to is left alone.
    """
    path = pathlib.Path(path)
    beside = path.with_name(f".{uuid.uuid4().hex}.{path.name}")
    try:
        yield beside
        with beside.open("r+b") as file:  # or the name could be on the disk before the bytes are
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()


def is_leftover(path: pathlib.Path) -> bool:
    """Tell whether this is what :func:`written_whole` was writing when its process was killed."""
    return bool(re.fullmatch(r"\.[0-9a-f]{32}\..+", path.name)) and is_own_file(path)


def is_own_file(path: pathlib.Path) -> bool:
    """Tell whether this is a file itself, and no link to one elsewhere."""
    return path.is_file() and not path.is_symlink()
