"""A picture of a sweep that is redrawn while the sweep runs."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gdlab.sweeps.result import SweepResult


def live_picture(
    live: bool | Callable[[SweepResult], Any],
) -> Callable[[SweepResult], Any] | None:
    """What is called with the result so far: a user's function, a picture, or nothing."""
    if callable(live):
        return live
    return LivePicture() if live else None


class LivePicture:
    """Draws the latest loss against the axes, over and over in the same place."""

    def __init__(self) -> None:
        self._figure: Any = None
        self._display: Any = None

    def __call__(self, result: SweepResult) -> None:
        """Draw a result, in a notebook's cell or in a window."""
        import matplotlib.pyplot as plt

        if not isinstance(result, SweepResult) or np.isnan(result.final_loss).all():
            return
        if self._figure is not None:
            plt.close(self._figure)
        axes = result.plot()
        self._figure = np.ravel(axes)[0].figure
        if (shell := _notebook()) is None:
            self._figure.canvas.draw_idle()
            plt.pause(0.001)
            return
        if self._display is None:
            self._display = shell.display(self._figure, display_id=True)
        else:
            self._display.update(self._figure)
        # A notebook would show it once more at the end of the cell.
        plt.close(self._figure)


def _notebook() -> Any:
    """IPython's display, if this is a notebook."""
    try:
        from IPython import display, get_ipython
    except ImportError:
        return None
    shell = get_ipython()
    return display if shell is not None and hasattr(shell, "kernel") else None
