"""Monitoring of a long computation: a progress bar, a picture, and Ctrl-C."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from gdlab.progress.bar import Bar
from gdlab.progress.interrupts import Interrupts
from gdlab.progress.redraw import Redraw


class Monitor:
    """A progress bar, a picture and the handling of Ctrl-C; made by :func:`monitoring`.

    Args:
        bar: the progress bar.
        picture: the picture of the result so far.
        interrupts: the deferred handling of Ctrl-C.
    """

    def __init__(self, bar: Bar, picture: Redraw, interrupts: Interrupts):
        self.bar: Bar = bar
        self.picture: Redraw = picture
        self._interrupts = interrupts

    @property
    def is_watched(self) -> bool:
        """True if the state of the computation is to be shown now."""
        return self.bar.is_seen or self.picture.is_due

    def advanced(self, standing: Callable[[], str], steps: int) -> None:
        """Show the state after some more steps, and raise KeyboardInterrupt after Ctrl-C."""
        if self.bar.is_seen:
            self.bar.advanced(standing(), steps)
        self.picture.if_due()
        self._interrupts.check()


@contextlib.contextmanager
def monitoring(
    steps: int,
    *,
    bar: bool,
    draw: Callable[[Any], Any] | None,
    snapshot: Callable[[], Any],
) -> Iterator[Monitor]:
    """A context in which a computation shows its progress, and Ctrl-C is deferred.

    Args:
        steps: the total number of steps.
        bar: whether to show a progress bar, if there is a terminal or a notebook.
        draw: a function that draws the result so far, called every two seconds; None for no
            picture.
        snapshot: a function that returns the result so far.
    """
    shown = Bar(steps)
    with contextlib.ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        if bar:
            stack.enter_context(shown)
        yield Monitor(shown, Redraw(draw, snapshot), interrupts)
