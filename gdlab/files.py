"""Files that are there as a whole or not at all."""

import contextlib
import errno
import os
import pathlib
import re
import shutil
import uuid
from collections.abc import Iterator


@contextlib.contextmanager
def written_whole(
    path: str | os.PathLike[str], *, follow_symlinks: bool = True
) -> Iterator[pathlib.Path]:
    """A path beside another one to write to, which takes its place once that has succeeded.

    Its name ends as ``path`` does, since some writers choose a format by it. A file that is
    replaced hands on its permissions.

    Args:
        path: the file to write.
        follow_symlinks: whether the file that a symbolic link at ``path`` points to is written;
            otherwise the link is replaced, and what it points to is left alone.

    Raises:
        OSError: if there is something else than a file, such as a device or a folder.
    """
    name = pathlib.Path(path).name
    path = pathlib.Path(os.path.realpath(path) if follow_symlinks else path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        # A device or a pipe would be replaced by a file, as a folder cannot be.
        raise OSError(errno.EEXIST, "it is there, and is no file", os.fspath(path))
    beside = path.with_name(f".{uuid.uuid4().hex}.{name}")
    try:
        yield beside
        with beside.open("r+b") as file:  # or the name could be on the disk before the bytes are
            os.fsync(file.fileno())
        if is_own_file(path):
            shutil.copymode(path, beside)
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
