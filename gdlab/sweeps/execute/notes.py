"""The moments at which a running sweep writes down what it knows."""

import contextlib
import time
from collections.abc import Iterator

SECONDS_BETWEEN_NOTES = 2.0
LARGEST_SHARE = 0.05
"""The part of the time that notes take at most."""


class Notes:
    """The moments at which all that is known of a group is brought to the host.

    An error of a program takes the arrays with it that the program was given, so what is to be
    left of them has to be noted before: at first at once, then every two seconds, or less often
    where that would take too large a share of the time.
    """

    def __init__(self) -> None:
        self._next = 0.0

    @property
    def is_due(self) -> bool:
        """True if it is time for a note."""
        return time.perf_counter() >= self._next

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """A context in which a note is taken."""
        began = time.perf_counter()
        yield
        ended = time.perf_counter()
        self._next = ended + max(SECONDS_BETWEEN_NOTES, (ended - began) / LARGEST_SHARE)
