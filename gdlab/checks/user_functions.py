"""Calls of functions that users give, which say what is called where they do not fit."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import jax

T = TypeVar("T")


def called_as(form: str, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call a user's function.

    Args:
        form: the call as a message writes it, such as ``mask(params)``.
        function: the function.
        *args: its arguments.
        **kwargs: its arguments by keyword.

    Raises:
        TypeError: if it does not take these arguments. What it raises by itself gets a note of the
            call.

    >>> from gdlab.checks.user_functions import called_as
    >>> called_as("mask(params)", abs, -3)
    3
    """
    try:
        return function(*args, **kwargs)
    except Exception as error:
        refused = _refusal(function, args, kwargs) if isinstance(error, TypeError) else None
        if refused is None:
            note_call(error, form)
            raise
        raise TypeError(
            f"{form} is what is called, and {function!r} does not take that: {refused}"
        ) from None


def note_call(error: Exception, form: str) -> None:
    """Add to an error of a user's function in which call it came."""
    advice = ""
    if isinstance(error, jax.errors.JAXTypeError):
        advice = (
            ", which JAX traces: it must compute by jax.numpy, and make no Python number, truth "
            "value or array of NumPy of what it is given"
        )
    error.add_note(f"It was raised in the call {form}{advice}.")


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
