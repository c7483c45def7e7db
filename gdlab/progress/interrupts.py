"""Deferred handling of Ctrl-C."""

import signal
import threading
from types import FrameType
from typing import Any


class Interrupts:
    """A context in which Ctrl-C takes effect at :meth:`check`; a second Ctrl-C acts at once.

    A program that has donated buffers must not be interrupted, or their contents are lost.
    """

    def __enter__(self) -> "Interrupts":
        self._asked = False
        self._former: Any = None
        if threading.current_thread() is threading.main_thread():
            former = signal.getsignal(signal.SIGINT)
            # Leave a custom signal handler in place.
            if former is signal.default_int_handler:
                self._former = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self._former is not None:
            signal.signal(signal.SIGINT, self._former)

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self._asked:
            raise KeyboardInterrupt

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            signal.default_int_handler(number, frame)
        self._asked = True
