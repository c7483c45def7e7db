"""The free memory within Linux control groups, which limit containers."""

import math
import pathlib
from collections.abc import Iterator
from typing import NamedTuple


class GroupFiles(NamedTuple):
    """The file names of a version of control groups."""

    limit: str
    usage: str
    cache: str
    """The entry of ``memory.stat`` for cached files, which are dropped when memory is needed."""


ROOT = pathlib.Path("/")
VERSION_1 = GroupFiles("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
VERSION_2 = GroupFiles("memory.max", "memory.current", "inactive_file")


def free_bytes_in_groups(root: pathlib.Path = ROOT) -> float:
    """The free memory within the control group of this process and all enclosing groups.

    Args:
        root: the folder that contains ``proc`` and ``sys``.

    Returns:
        The smallest free memory in bytes, infinite without a limit or without control groups.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, ValueError):
        return math.inf
    groups = (group for line in lines for group in _groups_of(line, root / "sys/fs/cgroup"))
    return min((_free_in(folder, files) for folder, files in groups), default=math.inf)


def _groups_of(line: str, mounted: pathlib.Path) -> Iterator[tuple[pathlib.Path, GroupFiles]]:
    """The folders of the group in a line of ``/proc/self/cgroup``, and of its enclosing groups.

    A line is ``number:controllers:path``. Version 2 has one line, which names no controller. In a
    container the path may be that of the host, of which only the outermost folder exists.
    """
    _, controllers, path = line.split(":", 2)
    if not controllers:
        folder, files = mounted, VERSION_2
    elif "memory" in controllers.split(","):
        folder, files = mounted / "memory", VERSION_1
    else:
        return
    yield folder, files
    for name in filter(None, path.split("/")):
        folder /= name
        yield folder, files


def _free_in(folder: pathlib.Path, files: GroupFiles) -> float:
    """The free memory within one group, infinite if it has no limit or does not exist."""
    try:
        limit = int((folder / files.limit).read_text())
        usage = int((folder / files.usage).read_text())
    except (OSError, ValueError):
        return math.inf
    return max(0, limit - usage + _cached_in(folder, files.cache))


def _cached_in(folder: pathlib.Path, name: str) -> int:
    """The memory of a group's cached files, zero if unknown."""
    try:
        entries = map(str.split, (folder / "memory.stat").read_text().splitlines())
        return next((int(value) for entry, value in entries if entry == name), 0)
    except (OSError, ValueError):
        return 0
