"""Annotations that declare which parameters of a factory are data, in contrast to structure."""

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from jax.typing import DTypeLike

Converter = Callable[[Any], Any]


class Data(NamedTuple):
    """Marks an annotation (``Annotated[..., Data(...)]``) whose values are data."""

    convert: Converter
    """The function that converts a user's value into the stored value."""
    number: bool = False
    """True if the value is used as a number, so that a schedule stands for its current value."""
    together: bool = False
    """True if ``convert`` takes all values of a variadic parameter at once."""
    name: str = ""
    """The name of the annotation in a signature."""


class AtLeast(NamedTuple):
    """Marks a number that may not be below another argument, such as the upper bound of a box."""

    other: str
    """The name of the parameter that holds the other argument."""


class NonEmpty:
    """Marks a list, a dictionary or a variadic parameter of data that may not be empty."""


_converters: dict[type, Converter] = {}


def is_data(cls: type, convert: Converter) -> None:
    """Declare that parameters annotated ``cls`` are data, whose values ``convert`` converts."""
    _converters[cls] = convert


def data_parameters(function: Callable[..., Any]) -> dict[str, Data]:
    """The parameters of ``function`` that are data, by name."""
    hints = _resolved(function)
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in hints:
            raise TypeError(
                f"{function.__name__}: parameter {name!r} has no annotation; annotate it "
                "Hyperparameter if it is a number, or with its type if it is structure"
            )
        data = _data(hints[name])
        if data is not None:
            if parameter.kind is parameter.VAR_POSITIONAL and not data.together:
                data = data._replace(convert=_each(data.convert))
            elif parameter.kind is parameter.VAR_KEYWORD and not data.together:
                data = data._replace(convert=_each_value(data.convert))
            is_nonempty = NonEmpty in getattr(hints[name], "__metadata__", ())
            found[name] = data._replace(convert=_if_any(data.convert)) if is_nonempty else data
        elif _mentions(hints[name], float):
            raise TypeError(
                f"{function.__name__}: parameter {name!r} is annotated {hints[name]}; a number "
                "that may change is data: annotate it Hyperparameter"
            )
    return found


def orders(function: Callable[..., Any]) -> tuple[tuple[str, str], ...]:
    """The pairs (parameter, lower bound) of a function's parameters that :class:`AtLeast` marks."""
    return tuple(
        (name, mark.other)
        for name, hint in _resolved(function).items()
        for mark in getattr(hint, "__metadata__", ())
        if isinstance(mark, AtLeast)
    )


def _resolved(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"{function.__name__}: an annotation cannot be resolved ({error}), so it is unknown "
            "which parameters are data; define its names at module level"
        ) from None


def _data(annotation: Any) -> Data | None:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        marks = [mark for mark in annotation.__metadata__ if isinstance(mark, Data)]
        return marks[0] if marks else _data(arguments[0])
    if origin in (types.UnionType, typing.Union):
        return _wrapped(next(filter(None, map(_data, arguments)), None), _unless_none)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key = arguments[0]
        return _wrapped(_data(arguments[1]), lambda convert: _each_value(convert, key))
    if origin is tuple and Ellipsis not in arguments:
        items = [item for item in map(_data, arguments) if item is not None]
        if not items or len(items) < len(arguments):
            return None
        return items[0]._replace(convert=_each_in_turn([item.convert for item in items]))
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return _wrapped(_data(arguments[0]), _each)
    convert = _converters.get(annotation) if isinstance(annotation, type) else None
    return Data(convert) if convert else None


def _wrapped(data: Data | None, wrap: Callable[[Converter], Converter]) -> Data | None:
    return data and data._replace(convert=wrap(data.convert))


def _unless_none(convert: Converter) -> Converter:
    return lambda value: None if value is None else convert(value)


def _each(convert: Converter) -> Converter:
    def convert_each(values: Any) -> tuple[Any, ...]:
        if isinstance(values, str | Mapping) or not hasattr(values, "__iter__"):
            raise TypeError(f"expected a list, not {values!r}")
        return tuple(convert(value) for value in values)

    return convert_each


def _each_in_turn(converters: list[Converter]) -> Converter:
    def convert_each(values: Any) -> tuple[Any, ...]:
        values = _each(lambda value: value)(values)
        if len(values) != len(converters):
            raise ValueError(f"expected {len(converters)} values, not {len(values)}")
        return tuple(convert(value) for convert, value in zip(converters, values, strict=True))

    return convert_each


def _if_any(convert: Converter) -> Converter:
    def convert_some(values: Any) -> Any:
        converted = convert(values)
        if not converted:
            raise ValueError("expected one value at least, not an empty list")
        return converted

    return convert_some


def _each_value(convert: Converter, key: Any = str) -> Converter:
    # An annotated key is marked by a Kind, which has the test and the words for messages.
    marks = getattr(key, "__metadata__", ())
    words = marks[0].words if marks else f"of the type {key.__name__}"
    includes = marks[0].includes if marks else lambda name: isinstance(name, key)

    def convert_each_value(values: Any) -> dict[Any, Any]:
        if not isinstance(values, Mapping):
            raise TypeError(f"expected a dictionary, not {values!r}")
        for name in values:
            if not includes(name):
                raise TypeError(f"expected keys that are each {words}, not {name!r}")
        return {key: convert(value) for key, value in values.items()}

    return convert_each_value


def _mentions(annotation: Any, number: type) -> bool:
    return annotation is number or any(
        _mentions(argument, number) for argument in typing.get_args(annotation)
    )


class _Written:
    """An annotation that a signature shows as it is written in the source."""

    def __init__(self, text: str):
        self.text = text

    def __repr__(self) -> str:
        return self.text


def readable(signature: inspect.Signature, returned: type) -> inspect.Signature:
    """A signature whose annotations are short names, such as ``Hyperparameter``, and not unions."""
    parameters = [
        parameter.replace(annotation=_Written(_text(parameter.annotation)))
        for parameter in signature.parameters.values()
    ]
    return signature.replace(parameters=parameters, return_annotation=_Written(returned.__name__))


def _text(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        names = [mark.name for mark in annotation.__metadata__ if isinstance(mark, Data)]
        return next(filter(None, names), _text(arguments[0]))
    if annotation == DTypeLike:
        return "DTypeLike"
    if origin in (types.UnionType, typing.Union):
        # In a union, DTypeLike is flattened into its members, so it is put together again here.
        of_dtypes = set(typing.get_args(DTypeLike))
        texts = [_text(one) for one in arguments if one not in of_dtypes]
        return " | ".join((["DTypeLike"] if of_dtypes <= set(arguments) else []) + texts)
    if origin is not None and arguments and isinstance(origin, type):
        return f"{origin.__name__}[{', '.join(map(_text, arguments))}]"
    if annotation is type(None):
        return "None"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
