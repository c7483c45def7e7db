"""A progress bar, where there is something to draw it with and somebody to look at it."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def progress_bar(total: int, description: str, shown: bool) -> Iterator[Any]:
    """A tqdm bar over ``total`` steps, or None if it is not to be shown or tqdm is missing.

    It is quiet where the output is not a terminal, and becomes a widget in notebooks.
    """
    tqdm = _tqdm() if shown else None
    if tqdm is None:
        yield None
        return
    with tqdm(total=total, desc=description, unit="step", disable=None, leave=False) as bar:
        yield bar


def _tqdm() -> Any:
    with warnings.catch_warnings():
        # In a notebook without widgets it warns that there will be none, and is quiet from then on.
        warnings.simplefilter("ignore")
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return None
    return tqdm
