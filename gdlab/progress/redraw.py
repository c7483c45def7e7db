"""A picture that is redrawn regularly during a long computation."""

import time
from collections.abc import Callable
from typing import Any

SECONDS_BETWEEN_PICTURES = 2.0


class Redraw:
    """A picture of the result so far, redrawn every two seconds.

    Args:
        draw: a function that draws a result; None for no picture.
        snapshot: a function that returns the result so far.
    """

    def __init__(self, draw: Callable[[Any], Any] | None, snapshot: Callable[[], Any]):
        self._draw, self._snapshot = draw, snapshot
        self._drawn_at = time.perf_counter()

    @property
    def is_due(self) -> bool:
        """True if the picture should be redrawn now."""
        waited = time.perf_counter() - self._drawn_at
        return self._draw is not None and waited > SECONDS_BETWEEN_PICTURES

    def if_due(self) -> None:
        """Draw the result so far, if the picture is due."""
        if self.is_due:
            self.show(self._snapshot())

    def show(self, result: Any) -> None:
        """Draw a result; does nothing without ``draw``.

        Raises:
            Exception: any exception of ``draw``, with a note that names the argument ``live``.
        """
        if self._draw is None:
            return
        try:
            self._draw(result)
        except Exception as error:
            error.add_note("This was raised by `live`, which is called with the result so far.")
            raise
        self._drawn_at = time.perf_counter()
