"""The progress bar of a sweep, in a terminal or a notebook."""

import contextlib
import importlib.util
import math
from typing import Any

import numpy as np

from gdlab.sweeps.notebook import notebook_display
from gdlab.sweeps.tables import CONVERGED, NOT_RUN, RUNNING, Tables

LOOK = {
    "bar_format": "{l_bar}{bar}| {remaining} left, {rate_noinv_fmt}{postfix}",
    "unit": " steps",
    "unit_scale": True,
    "miniters": 1,
    "leave": False,
}


class Bar:
    """A context in which a bar is seen, if there is a terminal or a notebook to see it in.

    It counts the steps of all lanes together.

    Args:
        lane_steps: how many there are to take.
    """

    def __init__(self, lane_steps: int):
        self._lane_steps = lane_steps
        self._bar: Any = None

    def __enter__(self) -> "Bar":
        self._stack = contextlib.ExitStack()
        display = notebook_display()
        with contextlib.suppress(ImportError):
            self._bar = self._in_terminal() if display is None else self._in_notebook(display)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar = None
        self._stack.close()

    @property
    def is_seen(self) -> bool:
        """Whether anybody can see it."""
        return self._bar is not None

    def describe(self, name: str) -> None:
        """Say what is running."""
        if self._bar is not None:
            self._bar.set_description(name, refresh=False)

    def found(self, lane_steps: int) -> None:
        """Say that steps were taken before, so that they say nothing of the speed."""
        if self._bar is not None:
            self._bar.initial += lane_steps
            self._bar.n += lane_steps
            self._bar.last_print_n += lane_steps

    def dropped(self, lane_steps: int) -> None:
        """Take away from the total what need not be done any more."""
        if self._bar is not None:
            self._bar.total -= lane_steps
            if hasattr(self._bar, "container"):
                # The widget of a notebook has a total of its own.
                self._bar.container.children[1].max = self._bar.total

    def advanced(self, tables: Tables, lane_steps: int) -> None:
        """Move on by some steps, and show how the lanes stand."""
        if self._bar is not None:
            self._bar.set_postfix_str(_state(tables), refresh=False)
            self._bar.update(lane_steps)

    def _in_terminal(self) -> Any:
        from tqdm import tqdm

        bar = self._stack.enter_context(tqdm(total=self._lane_steps, disable=None, **LOOK))
        return None if bar.disable else bar

    def _in_notebook(self, display: Any) -> Any:
        from tqdm.notebook import tqdm

        if importlib.util.find_spec("ipywidgets") is None:
            return None
        bar = self._stack.enter_context(tqdm(total=self._lane_steps, display=False, **LOOK))
        shown = display.display(bar.container, display_id=True)
        # A notebook that is read later has no widget, and should not show that it had one.
        self._stack.callback(shown.update, {"text/html": "", "text/plain": ""}, raw=True)
        return bar


def _state(tables: Tables) -> str:
    """How many lanes go on, and the best loss of those that did not diverge."""
    alive = np.sum(np.isin(tables.status, (RUNNING, NOT_RUN)))
    good = np.isin(tables.status, (RUNNING, CONVERGED)) & ~np.isnan(tables.loss)
    best = np.min(tables.loss[good], initial=np.inf)
    shown = f", best {best:.3g}" if math.isfinite(best) else ""
    return f"{alive}/{tables.status.size} lanes alive{shown}"
