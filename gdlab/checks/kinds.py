"""Kinds of value, derived from annotations: a test, and words for error messages.

An annotation can include the range of a number: ``Annotated[int, Between(1)]``.
"""

import collections.abc
import functools
import math
import os
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import Sharding
from jax.typing import DTypeLike
from numpy.typing import ArrayLike

from gdlab.checks.values import (
    is_array_of_numbers,
    is_array_of_reals,
    is_key,
    is_whole_number,
)


def _nothing(_: Any) -> bool:
    return False


class Kind(NamedTuple):
    """A kind of value: words for error messages, and a test."""

    words: str
    """The name of the kind in messages, such as ``a whole number``."""
    includes: Callable[[Any], bool]
    """A test that is true for values of this kind."""
    resembles: Callable[[Any], bool] = _nothing
    """A test that is true for values that have the right type but are out of range."""

    def comes_near(self, value: Any) -> bool:
        """Tell whether a value is of the right type, in range or not."""
        return self.includes(value) or self.resembles(value)


class Between(NamedTuple):
    """A mark in an annotation: the number must lie between two bounds."""

    low: float = -math.inf
    high: float = math.inf
    excludes_low: bool = False
    """True if the lower bound itself is out of range."""
    excludes_high: bool = False
    """True if the upper bound itself is out of range."""

    def includes(self, number: float) -> bool:
        """Tell whether a number lies between the bounds; NaN does not."""
        is_excluded = (self.excludes_low and number == self.low) or (
            self.excludes_high and number == self.high
        )
        return self.low <= number <= self.high and not is_excluded

    @property
    def words(self) -> str:
        """The bounds in words, for messages."""
        if self.excludes_low and math.isinf(self.high):
            return f"above {self.low}{' and finite' * self.excludes_high}"
        if self.excludes_low:
            return f"above {self.low} and {'below' if self.excludes_high else 'up to'} {self.high}"
        if math.isinf(self.high):
            return f"of at least {self.low}"
        if math.isinf(self.low):
            return f"of at most {self.high}"
        return f"between {self.low} and {self.high}"


LARGEST_COUNT = int(np.iinfo(np.int32).max)
"""The largest number of steps that a state can count, 2³¹ − 1."""

Count: TypeAlias = Annotated[int, Between(1, LARGEST_COUNT)]
"""A whole number of at least 1, such as a number of steps or examples."""

Size: TypeAlias = Annotated[int, Between(0, LARGEST_COUNT)]
"""A whole number of at least 0."""

Seed: TypeAlias = Annotated[int, Between(0, 2**32 - 1)]
"""A seed of random numbers; different seeds give different random numbers."""

LARGEST_LENGTH = 1_000_000
"""The largest number of values that are computed at once; a larger one is refused as a mistake."""

Length: TypeAlias = Annotated[int, Between(1, LARGEST_LENGTH)]
"""A number of values that are in memory together, such as those of an axis; for steps see Count."""


def _is_real(value: Any) -> bool:
    return is_array_of_reals(value) and np.ndim(value) == 0 and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_real(value) and not (isinstance(value, float) and math.isnan(value))


def _is_dtype(value: Any) -> bool:
    try:
        jax.dtypes.canonicalize_dtype(value)
    except TypeError:
        return False
    return value is not None


def _is_of_array_type(value: Any) -> bool:
    return hasattr(value, "shape") and is_array_of_numbers(value)


def _is_state(value: Any) -> bool:
    # A number alone is a step or a size that came in the place of the state.
    return not isinstance(value, bool | int | float) and all(
        hasattr(leaf, "dtype") or is_array_of_numbers(leaf) or isinstance(leaf, Sharding)
        for leaf in jax.tree.leaves(value)
    )


def _is_model(value: Any) -> bool:
    leaves = jax.tree.leaves(value)
    is_text = any(isinstance(leaf, str | bytes) for leaf in leaves)
    has_array = any(hasattr(leaf, "shape") or is_array_of_numbers(leaf) for leaf in leaves)
    return not is_text and (has_array or not leaves)


def _is_axes(value: Any) -> bool:
    """Tell whether a value is None, axes of matplotlib, or several of them."""
    several = np.ravel(value) if isinstance(value, np.ndarray | list | tuple) else [value]
    return value is None or (len(several) > 0 and all(hasattr(one, "plot") for one in several))


def _is_path(value: Any) -> bool:
    if isinstance(value, str):
        return value != "" and "\0" not in value  # names of files cannot have these
    return isinstance(value, os.PathLike)


def _is_dtype_of(numbers: type[np.generic], value: Any) -> bool:
    """Tell whether a value is a dtype of a class of NumPy's numbers, such as ``np.floating``."""
    return _is_dtype(value) and jnp.issubdtype(jax.dtypes.canonicalize_dtype(value), numbers)


KINDS: dict[Any, Kind] = {
    bool: Kind("True or False", lambda value: isinstance(value, bool | np.bool_)),
    int: Kind("a whole number", is_whole_number),
    float: Kind("a number", _is_number, _is_real),
    complex: Kind("a number, which may be complex", is_array_of_numbers),
    str: Kind("a text", lambda value: isinstance(value, str)),
    types.NoneType: Kind("None", lambda value: value is None),
    np.ndarray: Kind("an array", _is_of_array_type),
    jax.Array: Kind("an array", _is_of_array_type),
    os.PathLike: Kind("a path", _is_path),
    DTypeLike: Kind("a dtype, such as jnp.float32", _is_dtype),
    ArrayLike: Kind("an array", lambda value: value is not None),  # looked at by real_numbers
}
"""The kinds of value that a check of the class alone does not decide."""


def is_what_converts(cls: type, convert: Callable[[Any], Any]) -> None:
    """Let parameters annotated with the class ``cls`` take all that ``convert`` accepts."""

    def includes(value: Any) -> bool:
        try:
            convert(value)
        except (TypeError, ValueError):
            return False
        return True

    KINDS[cls] = Kind(_with_article(cls.__name__), includes)


Key: TypeAlias = Annotated[jax.Array, Kind("a PRNG key, such as jax.random.key(0)", is_key)]
"""A PRNG key."""

Name: TypeAlias = Annotated[
    str, Kind("a text that is not empty", lambda value: isinstance(value, str) and value != "")
]
"""A name, which may not be empty."""

EntryName: TypeAlias = Annotated[
    str,
    Kind(
        "a text without a dot that is not empty",
        lambda value: isinstance(value, str) and value != "" and "." not in value,
        lambda value: isinstance(value, str),
    ),
]
"""The name of an entry of a state, which is a part of dotted paths."""

StorageDType: TypeAlias = Annotated[
    DTypeLike,
    Kind(
        "a floating-point dtype, such as jnp.bfloat16",
        functools.partial(_is_dtype_of, np.floating),
        _is_dtype,
    ),
]
"""A real floating-point dtype for storage; complex arrays use the complex dtype of the same
width."""

InexactDType: TypeAlias = Annotated[
    DTypeLike,
    Kind(
        "a floating-point or complex dtype, such as jnp.float32",
        functools.partial(_is_dtype_of, np.inexact),
        _is_dtype,
    ),
]
"""A dtype of real or complex numbers that are not whole."""

StateTree: TypeAlias = Annotated[Any, Kind("a tree of arrays, as init makes a state", _is_state)]
"""A tree whose leaves are all arrays, or numbers, shapes or shardings in their place."""

ModelTree: TypeAlias = Annotated[Any, Kind("a tree of arrays", _is_model)]
"""A tree of arrays, or of numbers or shapes in their place; a model may hold functions as well."""

Ax: TypeAlias = Annotated[Any, Kind("axes of matplotlib or None", _is_axes)]
"""Matplotlib axes to draw on, several for a figure with panels, or None for new ones."""


@functools.cache
def kind_of(annotation: Any) -> Kind | None:
    """The kind of value that an annotation describes; None if any value fits."""
    if annotation is Any or annotation is object:
        return None
    if annotation in KINDS:
        return KINDS[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _annotated(arguments[0], annotation.__metadata__)
    if origin is Literal:
        return _choice(arguments)
    if origin in (types.UnionType, typing.Union):
        return _union(arguments)
    if isinstance(origin, type):
        return _generic(origin, arguments)
    if getattr(annotation, "_is_protocol", False):
        return _with_attributes(annotation)
    if isinstance(annotation, type):
        return Kind(_with_article(annotation.__name__), _instance_of(annotation))
    return None


def _annotated(annotation: Any, marks: tuple[Any, ...]) -> Kind | None:
    kind = next((mark for mark in marks if isinstance(mark, Kind)), None) or kind_of(annotation)
    for mark in marks:
        if isinstance(mark, Between) and kind is not None:
            kind = _bounded(kind, mark)
    return kind


def _bounded(kind: Kind, bounds: Between) -> Kind:
    def includes(value: Any) -> bool:
        # The value of a traced number is not known.
        return kind.includes(value) and (isinstance(value, Tracer) or bounds.includes(value))

    return Kind(f"{kind.words} {bounds.words}", includes, kind.comes_near)


def _union(members: tuple[Any, ...]) -> Kind | None:
    dtype_like = set(typing.get_args(DTypeLike))
    if dtype_like <= set(members):
        members = (DTypeLike, *(member for member in members if member not in dtype_like))
    if any(map(_is_path_like, members)):
        members = (os.PathLike, *(m for m in members if not _is_path_like(m) and m is not str))
    kinds = [kind_of(member) for member in members]
    known = [kind for kind in kinds if kind is not None]
    if len(known) < len(kinds):
        return None
    # `None` comes last, and repeated words come once.
    words = list(dict.fromkeys(kind.words for kind in known if kind.words != "None"))
    if types.NoneType in members:
        words.append("None")
    return Kind(
        _either(words),
        lambda value: any(kind.includes(value) for kind in known),
        lambda value: any(kind.resembles(value) for kind in known),
    )


def _is_path_like(annotation: Any) -> bool:
    return (typing.get_origin(annotation) or annotation) is os.PathLike


def _generic(origin: type, arguments: tuple[Any, ...]) -> Kind | None:
    if origin is collections.abc.Callable:
        return Kind("a function", callable)
    if issubclass(origin, Mapping):
        return _mapping(kind_of(arguments[0]), kind_of(arguments[1]))
    if origin is tuple and Ellipsis not in arguments:
        return _tuple([kind_of(argument) for argument in arguments])
    if issubclass(origin, Sequence):
        return _sequence(kind_of(arguments[0]))
    if origin is type:
        return Kind("a class", lambda value: isinstance(value, type))
    return Kind(_with_article(origin.__name__), _instance_of(origin))


def _mapping(key: Kind | None, value: Kind | None) -> Kind:
    words = "a dictionary"
    if key and value:
        words = f"a dictionary of {_plural(key)} and {_plural(value)}"
    elif key:
        words = f"a dictionary with {_plural(key)} for keys"

    def includes(given: Any) -> bool:
        return isinstance(given, Mapping) and all(
            (key is None or key.includes(name)) and (value is None or value.includes(item))
            for name, item in given.items()
        )

    return Kind(words, includes)


def _sequence(item: Kind | None) -> Kind:
    words = f"a list of {_plural(item)}" if item else "a list"

    def fits(given: Any, test: Callable[[Any], bool] | None) -> bool:
        if isinstance(given, str | bytes | Mapping):
            return False
        if isinstance(given, Sequence):
            return test is None or all(map(test, given))
        return _is_of_array_type(given) and given.ndim > 0

    return Kind(
        words,
        lambda given: fits(given, item and item.includes),
        lambda given: fits(given, item and item.comes_near),
    )


def _tuple(items: list[Kind | None]) -> Kind:
    words = f"a tuple of {len(items)} values"
    if any(items):
        words = f"the tuple ({', '.join(item.words if item else 'any value' for item in items)})"

    def fits(given: Any, tests: list[Callable[[Any], bool] | None]) -> bool:
        return (
            isinstance(given, tuple | list)
            and len(given) == len(items)
            and all(test is None or test(value) for test, value in zip(tests, given, strict=True))
        )

    return Kind(
        words,
        lambda given: fits(given, [item and item.includes for item in items]),
        lambda given: fits(given, [item and item.comes_near for item in items]),
    )


def _choice(values: tuple[Any, ...]) -> Kind:
    return Kind(
        _either([repr(value) for value in values]),
        lambda given: any(type(given) is type(value) and given == value for value in values),
        lambda given: any(type(given) is type(value) for value in values),
    )


def _instance_of(cls: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, cls)


def _with_attributes(protocol: type) -> Kind:
    names = [name for name in dir(protocol) if not name.startswith("_")]
    words = f"{_with_article(protocol.__name__)}, which has {', '.join(names)}"
    # A class has the attributes of its instances, but is not an instance.
    return Kind(
        words,
        lambda value: not isinstance(value, type) and all(hasattr(value, name) for name in names),
    )


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOaeio' else 'a'} {name}"


def _plural(kind: Kind) -> str:
    words = kind.words
    for article in ("a ", "an "):
        if words.startswith(article) and not {"or", "that"} & set(words.split()):
            return f"{words.removeprefix(article)}s"
    return f"values that are each {words}"


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
