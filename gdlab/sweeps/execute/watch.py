"""Those who look on while a sweep runs: a progress bar, a live picture, a finger on Ctrl-C."""

import contextlib
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from gdlab.progress.bar import Bar
from gdlab.sweeps.execute.tables import CONVERGED, NOT_RUN, RUNNING, Tables
from gdlab.training.interrupts import Interrupts

SECONDS_BETWEEN_PICTURES = 2.0


class Watch:
    """A context in which a sweep tells how it goes.

    Args:
        progress: whether to show a bar, if there is something to draw it with.
        live: is called with what is known so far, every two seconds, and at the end.
    """

    def __init__(self, progress: bool, live: Callable[[Any], Any] | None):
        self._progress = progress
        self.bar: Bar = Bar(0)
        self._live, self._drawn_at = live, time.perf_counter()
        self._interrupts = Interrupts()
        self.snapshot: Callable[[], Any] | None = None
        """Makes a result of what is known so far."""

    def __enter__(self) -> "Watch":
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(self._interrupts)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._stack.close()

    @property
    def looks(self) -> bool:
        """True if anybody wants to know the state of the lanes now."""
        return self.bar.is_seen or self.draws

    @property
    def draws(self) -> bool:
        """True if a picture of all that is known is due."""
        due = time.perf_counter() - self._drawn_at > SECONDS_BETWEEN_PICTURES
        return self._live is not None and due

    def expect(self, lane_steps: int) -> None:
        """Say how many steps of all lanes together there are to take."""
        if self._progress:
            self.bar = self._stack.enter_context(Bar(lane_steps))

    def advanced(self, tables: Tables, lane_steps: int) -> None:
        """Show how it stands after some more steps, and raise KeyboardInterrupt if asked for."""
        if self.bar.is_seen:
            self.bar.advanced(_standing(tables), lane_steps)
        if self.draws and self.snapshot is not None:
            self.show(self.snapshot())
        self._interrupts.check()

    def show(self, result: Any) -> None:
        """Let the picture show a result."""
        if self._live is not None:
            self._live(result)
            self._drawn_at = time.perf_counter()


def _standing(tables: Tables) -> str:
    """The number of lanes that go on, and the best loss of those that did not diverge."""
    alive = np.sum(np.isin(tables.status, (RUNNING, NOT_RUN)))
    good = np.isin(tables.status, (RUNNING, CONVERGED)) & ~np.isnan(tables.loss)
    best = np.min(tables.loss[good], initial=np.inf)
    shown = f", best {best:.3g}" if math.isfinite(best) else ""
    return f"{alive}/{tables.status.size} lanes alive{shown}"
