"""Functions whose arguments are checked against their annotations at each call.

:func:`checked` reads the annotations of a function once. A call with an argument that does not fit
raises an error that names the argument, its value, and what would work. Annotations that leave the
kind open (``Any``, a type variable, a name that is imported only for type checkers) are not
checked.
"""

import functools
import inspect
import types
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from jax.core import Tracer

from gdlab.checks.kinds import Kind, kind_of
from gdlab.checks.values import shortened

P = ParamSpec("P")

T = TypeVar("T")

C = TypeVar("C", bound=type)


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function's parameters, without those that cannot be resolved."""
    names = getattr(function, "__globals__", {})
    resolved = {}
    for name, annotation in inspect.get_annotations(function).items():
        if isinstance(annotation, str):
            try:
                annotation = eval(annotation, names)  # as typing itself does
            except (NameError, AttributeError, TypeError):
                continue  # a name that is imported only for type checkers
        resolved[name] = types.NoneType if annotation is None else annotation
    resolved.pop("return", None)
    return resolved


class Signature:
    """The parameters of a function, and the kinds of value that they accept."""

    def __init__(self, function: Callable[..., Any], name: str):
        self.name = name
        self.signature = inspect.signature(function)
        self.kinds: dict[str, Kind] = {}
        for parameter, annotation in annotations_of(function).items():
            kind = kind_of(annotation)
            if kind is not None:
                self.kinds[parameter] = kind

    def require(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Raise if the arguments of a call do not fit.

        Raises:
            TypeError: if arguments are missing or unknown, or one has the wrong type.
            ValueError: if an argument has the right type, but is outside its range or choices.
        """
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None
        for parameter, value in bound.arguments.items():
            self.require_argument(parameter, value)

    def require_argument(self, parameter: str, value: Any) -> None:
        """Raise if an argument does not fit; for a variadic parameter, pass all its values.

        Raises:
            TypeError: if it has the wrong type.
            ValueError: if it has the right type, but is outside its range or choices.
        """
        kind = self.kinds.get(parameter)
        if kind is None:
            return
        form = self.signature.parameters[parameter].kind
        if form is inspect.Parameter.VAR_POSITIONAL:
            values = value
        elif form is inspect.Parameter.VAR_KEYWORD:
            values = value.values()
        else:
            values = (value,)
        for given in values:
            require_kind(self.name, parameter, given, kind)


def require_kind(function: str, parameter: str, value: Any, kind: Kind) -> None:
    """Raise if a value is not of a kind.

    Raises:
        TypeError: if the value has the wrong type. The message names the argument, its value, and
            what would work.
        ValueError: if the value has the right type, but is out of range.
    """
    if kind.includes(value):
        return
    error = ValueError if kind.resembles(value) else TypeError
    advice = "; it must be known before tracing" if isinstance(value, Tracer) else ""
    raise error(f"{function}: {parameter} must be {kind.words}, not {shortened(value)}{advice}")


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function so that each call checks its arguments against the annotations.

    The check takes some microseconds, so use it on functions that users call, and not on those that
    are traced in a training step.

    Args:
        function: the function, with annotated parameters.

    Returns:
        The same function, which raises ``TypeError`` or ``ValueError`` before it begins.

    >>> from gdlab.checks.checked import checked
    >>> from gdlab.checks.kinds import Count
    >>> @checked
    ... def halved(steps: Count, name: str = "run") -> float:
    ...     return steps / 2
    >>> halved(3)
    1.5
    >>> halved(0)
    Traceback (most recent call last):
        ...
    ValueError: halved: steps must be a whole number between 1 and 2147483647, not 0
    """
    signature: Signature | None = None

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        nonlocal signature
        if signature is None:  # read at the first call: importing stays fast
            signature = Signature(function, function.__name__)
        signature.require(args, kwargs)
        return function(*args, **kwargs)

    return call


def checked_class(cls: C) -> C:
    """Decorate a class so that its ``__init__`` checks its arguments as :func:`checked` does."""
    initialise = cls.__init__
    signature: Signature | None = None

    @functools.wraps(initialise)
    def checked_initialise(self: Any, *args: Any, **kwargs: Any) -> None:
        nonlocal signature
        if signature is None:
            signature = Signature(initialise, cls.__name__)
        signature.require((self, *args), kwargs)
        initialise(self, *args, **kwargs)

    cls.__init__ = checked_initialise
    return cls
