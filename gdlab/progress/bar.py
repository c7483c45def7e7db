"""A progress bar of steps, in a terminal or a notebook."""

import contextlib
import importlib.util
import os
import sys
from typing import Any

from gdlab.progress.notebook import notebook_display

LOOK = {
    "bar_format": "{l_bar}{bar}| {remaining} left, {rate_noinv_fmt}{postfix}",
    "unit_scale": True,
    "miniters": 1,
    "leave": False,
}


class Bar:
    """A context that shows a progress bar, if there is a terminal or a notebook.

    For a sweep it counts the steps of all lanes together.

    Args:
        steps: the total number of steps; None if it is unknown.
        unit: the name of the steps.
    """

    def __init__(self, steps: int | None, unit: str = "steps"):
        self._steps = steps
        self._look: dict[str, Any] = LOOK | {"unit": f" {unit}"}
        if steps is None:
            self._look["bar_format"] = "{desc}{n_fmt}{unit}, {rate_noinv_fmt}{postfix}"
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
        """True if anybody can see the bar."""
        return self._bar is not None

    def describe(self, name: str) -> None:
        """Set the description at the left of the bar."""
        if self._bar is not None:
            self._bar.set_description(name, refresh=False)

    def found(self, steps: int) -> None:
        """Count steps that were taken earlier, which must not enter the speed."""
        if self._bar is not None:
            self._bar.initial += steps
            self._bar.n += steps
            self._bar.last_print_n += steps

    def dropped(self, steps: int) -> None:
        """Remove steps from the total that are no longer needed."""
        if self._bar is not None:
            self._bar.total -= steps
            if hasattr(self._bar, "container"):
                # The widget in a notebook has its own total.
                self._bar.container.children[1].max = self._bar.total

    def advanced(self, state: str, steps: int) -> None:
        """Advance by some steps, and show a text about the state."""
        if self._bar is not None:
            self._bar.set_postfix_str(state, refresh=False)
            self._bar.update(steps)

    def _in_terminal(self) -> Any:
        from tqdm import tqdm

        if sys.stderr is None or getattr(sys.stderr, "closed", False):
            return None
        terminal = _Unfailing(sys.stderr)
        look = {"file": terminal, "ncols": terminal.width} | self._look
        bar = self._stack.enter_context(tqdm(total=self._steps, disable=None, **look))
        return None if bar.disable else bar

    def _in_notebook(self, display: Any) -> Any:
        from tqdm.notebook import tqdm

        if importlib.util.find_spec("ipywidgets") is None:
            return None
        bar = self._stack.enter_context(tqdm(total=self._steps, display=False, **self._look))
        shown = display.display(bar.container, display_id=True)
        # Clear the output, since a saved notebook cannot show the widget.
        self._stack.callback(shown.update, {"text/html": "", "text/plain": ""}, raw=True)
        return bar


class _Unfailing:
    """A stream that ignores write errors, which must not end the computation for the sake of a bar.

    tqdm writes while it holds a lock, which an error would leave locked forever.
    """

    def __init__(self, stream: Any):
        self._stream = stream

    def write(self, text: str) -> None:
        """Write a text, ignoring errors."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush the stream, ignoring errors."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    @property
    def width(self) -> int | None:
        """The number of columns of a terminal, None for anything else, such as a file."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns - 1
        except (OSError, ValueError):
            return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
