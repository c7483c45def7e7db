"""Calls of functions that users give, which say what is called where they do not fit."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def called_as(form: str, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call a user's function.

    Args:
        form: the call as a message writes it, such as ``mask(params)``.
        function: the function.
        *args: its arguments.
        **kwargs: its arguments by keyword.

    Raises:
        TypeError: if it does not take these arguments.

    >>> from gdlab.checks.user_functions import called_as
    >>> called_as("mask(params)", abs, -3)
    3
    """
    try:
        return function(*args, **kwargs)
    except TypeError:
        refused = _refusal(function, args, kwargs)
        if refused is None:
            raise
        raise TypeError(
            f"{form} is what is called, and {function!r} does not take that: {refused}"
        ) from None


def _refusal(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> TypeError | None:
    """The error of a function that does not take these arguments, None if it does."""
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except ValueError:  # written in C, it does not tell
        return None
    except TypeError as error:
        return error
    return None
