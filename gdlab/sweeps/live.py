"""A picture of a sweep that is redrawn while the sweep runs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gdlab.progress.notebook import notebook_display
from gdlab.sweeps.results.result import SweepResult

Live = bool | Callable[[Any], Any] | Sequence[bool | Callable[[Any], Any]]
"""The argument ``live``: True for a picture, a function of the result so far, or several."""


def live_picture(live: Live) -> Callable[[Any], Any] | None:
    """The function that is called with the result so far: a picture, a user's, or several."""
    if callable(live):
        return live
    if not isinstance(live, Sequence):
        return LivePicture() if live else None
    several = [each for each in map(live_picture, live) if each is not None]

    def call_all(result: Any) -> None:
        for each in several:
            each(result)

    return call_all if several else None


class LivePicture:
    """Draws the latest loss against the axes, over and over in the same place."""

    def __init__(self) -> None:
        self._figure: Any = None
        self._shown: Any = None

    def __call__(self, result: SweepResult | dict[str, Any]) -> None:
        """Draw the result, or the latest of several, in a notebook's cell or a window."""
        while isinstance(result, dict):
            result = list(result.values())[-1]
        if not result.axes:
            return
        import matplotlib.pyplot as plt

        from gdlab.plots.sweeps.sweep import plot_sweep

        # Every backend but the inline one updates its own window, in a notebook as elsewhere.
        display = notebook_display() if "inline" in plt.get_backend() else None
        if self._figure is not None:
            self._figure.clear()
        axes = plot_sweep(result, figure=self._figure)
        self._figure = np.ravel(axes)[0].figure
        if display is not None:
            # An open figure would be shown a second time at the end of the cell.
            plt.close(self._figure)
        if display is None:
            _refresh(self._figure)
        elif self._shown is None:
            self._shown = display.display(self._figure, display_id=True)
        else:
            self._shown.update(self._figure)


def _refresh(figure: Any) -> None:
    """Show what was drawn in the figure's window, if there is one."""
    import matplotlib.pyplot as plt
    from matplotlib.backends.registry import BackendFilter, backend_registry

    figure.canvas.draw_idle()
    if plt.get_backend().lower() in backend_registry.list_builtin(BackendFilter.INTERACTIVE):
        plt.pause(0.001)
