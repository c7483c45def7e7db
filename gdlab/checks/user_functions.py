"""Calls of functions that users pass, with error messages that show the call."""

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
        TypeError: if it does not accept these arguments. Other errors that it raises get a note
            that shows the call.

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
    """Add a note to an error of a user's function that shows the call."""
    advice = ""
    if isinstance(error, jax.errors.JAXTypeError):
        advice = (
            ", which JAX traces: it must compute by jax.numpy, and make no Python number, truth "
            "value or array of NumPy of what it is given"
        )
    note = f"It was raised in the call {form}{advice}."
    if note not in getattr(error, "__notes__", []):  # functions may call each other in one form
        error.add_note(note)


def _refusal(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> TypeError | None:
    """The error for a function that does not accept these arguments, or None if it does."""
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except ValueError:  # a function written in C may have no signature
        return None
    except TypeError as error:
        return error
    return None
