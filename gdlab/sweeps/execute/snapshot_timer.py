"""The moments at which a running sweep brings its state to the host."""

import contextlib
import time
from collections.abc import Iterator

SECONDS_BETWEEN_SNAPSHOTS = 2.0
LARGEST_SHARE = 0.05
"""The largest part of the time that snapshots may take."""


class SnapshotTimer:
    """A timer of the moments at which the state of a group of lanes is brought to the host.

    A program that fails has already consumed its donated arrays, so results can only be saved by
    fetching them before the call: once at the beginning, then every two seconds, or less often
    where that would take too large a share of the time.
    """

    def __init__(self) -> None:
        self._next = 0.0

    @property
    def is_due(self) -> bool:
        """True if it is time for a snapshot."""
        return time.perf_counter() >= self._next

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """A context in which a snapshot is taken."""
        began = time.perf_counter()
        yield
        ended = time.perf_counter()
        self._next = ended + max(SECONDS_BETWEEN_SNAPSHOTS, (ended - began) / LARGEST_SHARE)
