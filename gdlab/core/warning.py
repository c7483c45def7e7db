"""Warnings that point at the line of the user's code."""

import pathlib
import sys
import warnings

PACKAGE = str(pathlib.Path(__file__).parent.parent)


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost line outside of this package.

    A fixed ``stacklevel`` would be wrong for decorated functions.
    """
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
