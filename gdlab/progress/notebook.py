"""The module that displays objects in a notebook, if there is one."""

from typing import Any


def notebook_display() -> Any:
    """The module ``IPython.display`` in a notebook, None elsewhere."""
    try:
        from IPython import display, get_ipython
    except ImportError:
        return None
    shell = get_ipython()
    return display if shell is not None and hasattr(shell, "kernel") else None
