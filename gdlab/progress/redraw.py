"""A picture that is drawn anew now and then while something takes long."""

import time
from collections.abc import Callable
from typing import Any

SECONDS_BETWEEN_PICTURES = 2.0


class Redraw:
    """A picture of what is known so far, drawn every two seconds.

    Args:
        draw: draws what it is given; None for no picture.
        snapshot: returns what is known so far.
    """

    def __init__(self, draw: Callable[[Any], Any] | None, snapshot: Callable[[], Any]):
        self._draw, self._snapshot = draw, snapshot
        self._drawn_at = time.perf_counter()

    @property
    def is_due(self) -> bool:
        """True if the picture is to be drawn now."""
        waited = time.perf_counter() - self._drawn_at
        return self._draw is not None and waited > SECONDS_BETWEEN_PICTURES

    def if_due(self) -> None:
        """Draw what is known so far, if the picture is due."""
        if self.is_due:
            self.show(self._snapshot())

    def show(self, result: Any) -> None:
        """Draw a result, if there is a picture at all.

        Raises:
            Exception: the one that ``draw`` raises, with a note that names the argument ``live``.
        """
        if self._draw is None:
            return
        try:
            self._draw(result)
        except Exception as error:
            error.add_note("This was raised by `live`, which is called with the result so far.")
            raise
        self._drawn_at = time.perf_counter()
