"""The progress of a long computation as its user sees it: a bar, a picture, and Ctrl-C."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from gdlab.progress.bar import Bar
from gdlab.progress.interrupts import Interrupts
from gdlab.progress.redraw import Redraw


class Monitor:
    """A bar, a picture and Ctrl-C together; :func:`monitoring` makes it.

    Args:
        bar: the progress bar.
        picture: the picture of what is known so far.
        interrupts: they wait until a step of the computation has ended.
    """

    def __init__(self, bar: Bar, picture: Redraw, interrupts: Interrupts):
        self.bar: Bar = bar
        self.picture: Redraw = picture
        self._interrupts = interrupts

    @property
    def is_watched(self) -> bool:
        """True if the standing of the computation is wanted now."""
        return self.bar.is_seen or self.picture.is_due

    def advanced(self, standing: Callable[[], str], steps: int) -> None:
        """Show the standing after some more steps, and raise KeyboardInterrupt if asked for."""
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
    """A context in which a computation shows its progress, and Ctrl-C waits for a good moment.

    Args:
        steps: the number of steps that there are to take.
        bar: whether to show a bar, if there is a terminal or a notebook to see it in.
        draw: draws what is known so far every two seconds; None for no picture.
        snapshot: returns what is known so far.
    """
    shown = Bar(steps)
    with contextlib.ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        if bar:
            stack.enter_context(shown)
        yield Monitor(shown, Redraw(draw, snapshot), interrupts)
