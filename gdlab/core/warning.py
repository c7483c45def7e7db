"""Warnings that point at the line of the user's own code which called."""

import pathlib
import sys
import warnings

PACKAGE = str(pathlib.Path(__file__).parent.parent)


def warn_caller(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn of something at the first line outside of this package that led here.

    A number of frames would be wrong wherever a function is decorated.
    """
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
