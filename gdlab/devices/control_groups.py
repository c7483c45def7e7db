"""The memory that the control groups of Linux, by which containers are limited, leave free."""

import math
import pathlib
from collections.abc import Iterator
from typing import NamedTuple


class GroupFiles(NamedTuple):
    """The names under which a version of control groups tells about memory."""

    limit: str
    usage: str
    cache: str
    """The entry of ``memory.stat`` for cached files, which are dropped when memory is needed."""


ROOT = pathlib.Path("/")
VERSION_1 = GroupFiles("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
VERSION_2 = GroupFiles("memory.max", "memory.current", "inactive_file")


def free_bytes_in_groups(root: pathlib.Path = ROOT) -> float:
    """The memory that the group of this process leaves, and each group around it.

    Args:
        root: the folder in which ``proc`` and ``sys`` lie.

    Returns:
        The least of them, infinite without a limit and without control groups.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, ValueError):
        return math.inf
    groups = (group for line in lines for group in _groups_of(line, root / "sys/fs/cgroup"))
    return min((_free_in(folder, files) for folder, files in groups), default=math.inf)


def _groups_of(line: str, mounted: pathlib.Path) -> Iterator[tuple[pathlib.Path, GroupFiles]]:
    """The folders of the group that a line of ``/proc/self/cgroup`` names, and of those around it.

    A line is ``number:controllers:path``. Version 2 has one line, which names no controller. In a
    container the path may be that of the host, of which only the outermost folder is there.
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
    """The memory that one group leaves, infinite if it has no limit or is not there."""
    try:
        limit = int((folder / files.limit).read_text())
        usage = int((folder / files.usage).read_text())
    except (OSError, ValueError):
        return math.inf
    return max(0, limit - usage + _cached_in(folder, files.cache))


def _cached_in(folder: pathlib.Path, name: str) -> int:
    """The memory of cached files that one group has, zero where it does not tell."""
    try:
        entries = map(str.split, (folder / "memory.stat").read_text().splitlines())
        return next((int(value) for entry, value in entries if entry == name), 0)
    except (OSError, ValueError):
        return 0
