"""Files that are there as a whole or not at all."""

import contextlib
import os
import pathlib
import uuid
from collections.abc import Iterator


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """A path beside another one to write to, which takes its place once that has succeeded.

    It ends as the other does, since some writers choose a format by it.
    """
    path = pathlib.Path(path)
    beside = path.with_name(f".{uuid.uuid4().hex}.{path.name}")
    try:
        yield beside
        beside.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
