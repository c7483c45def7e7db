"""Ctrl-C at a moment at which nothing is lost."""

import signal
import threading
from types import FrameType
from typing import Any


class Interrupts:
    """A context in which Ctrl-C waits until :meth:`check` is called; a second one does not.

    Programs that were given their arrays to reuse must not be interrupted halfway.
    """

    def __enter__(self) -> "Interrupts":
        self._asked = False
        self._former: Any = None
        if threading.current_thread() is threading.main_thread():
            former = signal.getsignal(signal.SIGINT)
            # Somebody who handles the signal in a way of their own goes on doing so.
            if former is signal.default_int_handler:
                self._former = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self._former is not None:
            signal.signal(signal.SIGINT, self._former)

    def check(self) -> None:
        """Raise KeyboardInterrupt if it was asked for."""
        if self._asked:
            raise KeyboardInterrupt

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            signal.default_int_handler(number, frame)
        self._asked = True
