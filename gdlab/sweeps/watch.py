"""Those who look on while a sweep runs: a progress bar, a live picture, a finger on Ctrl-C."""

import contextlib
import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from gdlab.sweeps.interrupts import Interrupts
from gdlab.sweeps.result import SweepResult
from gdlab.sweeps.tables import CONVERGED, NOT_RUN, RUNNING, Tables

SECONDS_BETWEEN_PICTURES = 2.0


class Watch:
    """A context in which a sweep tells how it goes.

    The bar counts steps of all lanes together. It is quiet where the output is not a terminal, and
    becomes a widget in notebooks.

    Args:
        progress: whether to show a bar, if there is something to draw it with.
        live: is called with what is known so far, every two seconds.
    """

    def __init__(self, progress: bool, live: Callable[[SweepResult], Any] | None):
        self._shown = progress
        self._bar: Any = None
        self._live, self._drawn_at = live, time.perf_counter()
        self._interrupts = Interrupts()
        self.snapshot: Callable[[], SweepResult] | None = None
        """Makes a result of what is known so far."""

    def __enter__(self) -> "Watch":
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(self._interrupts)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._stack.close()

    @property
    def looks(self) -> bool:
        """Whether anybody wants to know the state of the lanes now."""
        return (self._bar is not None and not self._bar.disable) or self.draws

    @property
    def draws(self) -> bool:
        """Whether a picture of all that is known is due."""
        due = time.perf_counter() - self._drawn_at > SECONDS_BETWEEN_PICTURES
        return self._live is not None and due

    def expect(self, lane_steps: int) -> None:
        """Say how many steps of all lanes together there are to take."""
        if self._shown and (tqdm := _tqdm()) is not None:
            bar = tqdm(total=lane_steps, unit="step", unit_scale=True, disable=None, leave=False)
            self._bar = self._stack.enter_context(bar)

    def describe(self, name: str) -> None:
        """Say what is running."""
        if self._bar is not None:
            self._bar.set_description(name, refresh=False)

    def advanced(self, lane_steps: int) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(lane_steps)

    def dropped(self, lane_steps: int) -> None:
        """Take away from the total what need not be done any more."""
        if self._bar is not None and self._bar.total is not None:
            self._bar.total -= lane_steps

    def look(self, tables: Tables) -> None:
        """Show how it stands, and raise KeyboardInterrupt if it was asked for."""
        if self._bar is not None and not self._bar.disable:
            alive = np.sum(np.isin(tables.status, (RUNNING, NOT_RUN)))
            running = np.isin(tables.status, (RUNNING, CONVERGED))
            best = np.min(tables.loss[running], initial=np.inf)
            shown = f", best {best:.3g}" if math.isfinite(best) else ""
            text = f"{alive} of {tables.status.size} lanes alive{shown}"
            self._bar.set_postfix_str(text, refresh=False)
        if self.draws and self._live is not None and self.snapshot is not None:
            self._live(self.snapshot())
            self._drawn_at = time.perf_counter()
        self._interrupts.check()


def _tqdm() -> Any:
    with warnings.catch_warnings():
        # In a notebook without widgets it warns that there will be none, and is quiet from then on.
        warnings.simplefilter("ignore")
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return None
    return tqdm
