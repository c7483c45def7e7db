"""Arguments that are checked against their annotations before a function begins.

A signature says what a function takes, so that it is the one place from which mistakes are told:
:func:`checked` reads the annotations once, and refuses a call with an argument that does not fit,
naming the argument, what came and what would work. What an annotation leaves open (``Any``, a type
variable, a name that is imported for type checkers alone) is not looked at.

A number's range stands in its annotation too: ``Annotated[int, Between(1)]``.
"""

import collections.abc
import functools
import inspect
import math
import operator
import os
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, ParamSpec, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import DTypeLike

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C", bound=type)


def _nothing(_: Any) -> bool:
    return False


class Kind(NamedTuple):
    """A kind of value: the words for it, and the test for it."""

    words: str
    """The name of the kind in messages, such as ``a whole number``."""
    includes: Callable[[Any], bool]
    """The test that is true for values of this kind."""
    resembles: Callable[[Any], bool] = _nothing
    """The test that is true for values of the right type that are merely out of range."""

    def comes_near(self, value: Any) -> bool:
        """Tell whether a value is of the right type, in range or not."""
        return self.includes(value) or self.resembles(value)


class Between(NamedTuple):
    """Marks the annotation of a number that lies between two bounds."""

    low: float = -math.inf
    high: float = math.inf
    excludes_low: bool = False
    """True if the lower bound itself is out of range."""
    excludes_high: bool = False
    """True if the upper bound itself is out of range."""

    def includes(self, number: float) -> bool:
        """Tell whether a number lies between the bounds; a NaN does not."""
        is_excluded = (self.excludes_low and number == self.low) or (
            self.excludes_high and number == self.high
        )
        return self.low <= number <= self.high and not is_excluded

    @property
    def words(self) -> str:
        """The bounds as a message writes them."""
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
"""The largest number of steps that a state can count."""
Count: TypeAlias = Annotated[int, Between(1, LARGEST_COUNT)]
"""A number of things of which there is at least one: steps, examples, variables."""
Size: TypeAlias = Annotated[int, Between(0, LARGEST_COUNT)]
"""A number of things of which there may be none."""
Seed: TypeAlias = Annotated[int, Between(0, 2**32 - 1)]
"""A seed of random numbers, of which each is other randomness."""
LARGEST_LENGTH = 1_000_000
"""The largest number of values that are computed at once; a larger one is taken for a mistake."""
Length: TypeAlias = Annotated[int, Between(1, LARGEST_LENGTH)]
"""A number of values that are in memory together, as those of an axis are; steps are a Count."""


def _is_whole(value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return False
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def _dtype_of(value: Any) -> np.dtype | None:
    """The dtype of an array or a number, traced or not."""
    if isinstance(value, bool | int | float | complex):
        return np.dtype(type(value))
    dtype = getattr(value, "dtype", None)
    return dtype if hasattr(value, "shape") else None


def is_array_of_numbers(value: Any) -> bool:
    """Tell whether a value is a number, or an array of numbers or keys, traced or not."""
    dtype = _dtype_of(value)
    return dtype is not None and (
        jnp.issubdtype(dtype, np.number)
        or jnp.issubdtype(dtype, np.bool_)
        or jnp.issubdtype(dtype, jax.dtypes.extended)
    )


def is_array_of_reals(value: Any) -> bool:
    """Tell whether a value is a real number, or an array of real numbers, traced or not."""
    dtype = _dtype_of(value)
    return dtype is not None and (
        jnp.issubdtype(dtype, np.floating) or jnp.issubdtype(dtype, np.integer)
    )


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


def _is_key(value: Any) -> bool:
    """Tell whether a value is one PRNG key, of the new kind or of the old one."""
    if not isinstance(value, jax.Array | np.ndarray):
        return False
    if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return value.shape == ()
    return value.dtype == np.uint32 and value.ndim == 1 and value.size > 1


def _is_axes(value: Any) -> bool:
    """Tell whether a value is None, axes of matplotlib, or several of them."""
    several = np.ravel(value) if isinstance(value, np.ndarray | list | tuple) else [value]
    return value is None or (len(several) > 0 and all(hasattr(one, "plot") for one in several))


def _is_path(value: Any) -> bool:
    if isinstance(value, str):
        return value != "" and "\0" not in value  # which no name of a file has
    return isinstance(value, os.PathLike)


def _is_inexact_dtype(value: Any) -> bool:
    return _is_dtype(value) and jnp.issubdtype(jax.dtypes.canonicalize_dtype(value), jnp.inexact)


KINDS: dict[Any, Kind] = {
    bool: Kind("True or False", lambda value: isinstance(value, bool | np.bool_)),
    int: Kind("a whole number", _is_whole),
    float: Kind("a number", _is_number, _is_real),
    complex: Kind("a number, which may be complex", is_array_of_numbers),
    str: Kind("a text", lambda value: isinstance(value, str)),
    types.NoneType: Kind("None", lambda value: value is None),
    np.ndarray: Kind("an array", _is_of_array_type),
    jax.Array: Kind("an array", _is_of_array_type),
    os.PathLike: Kind("a path", _is_path),
    DTypeLike: Kind("a dtype, such as jnp.float32", _is_dtype),
}
"""The kinds of value that are told apart by more than their class."""


def is_what_converts(cls: type, convert: Callable[[Any], Any]) -> None:
    """Let parameters annotated with the class ``cls`` take all that ``convert`` accepts."""

    def includes(value: Any) -> bool:
        try:
            convert(value)
        except (TypeError, ValueError):
            return False
        return True

    KINDS[cls] = Kind(_with_article(cls.__name__), includes)


Key: TypeAlias = Annotated[jax.Array, Kind("a PRNG key, such as jax.random.key(0)", _is_key)]
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
    DTypeLike, Kind("a dtype of fractions, such as jnp.bfloat16", _is_inexact_dtype, _is_dtype)
]
"""A dtype in which what has fractions can be stored."""
Ax: TypeAlias = Annotated[Any, Kind("axes of matplotlib or None", _is_axes)]
"""The axes to draw on, several of them for a picture of panels, or None for new ones."""


@functools.cache
def kind_of(annotation: Any) -> Kind | None:
    """The kind of value that an annotation describes; None where it leaves everything open."""
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
        # A traced number is not known yet.
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
    # `None` is said last, and what is said twice is said once.
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
    # A class has what its instances will have.
    return Kind(
        words,
        lambda value: not isinstance(value, type) and all(hasattr(value, name) for name in names),
    )


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOaeio' else 'a'} {name}"


def _plural(kind: Kind) -> str:
    words = kind.words
    for article in ("a ", "an "):
        if words.startswith(article) and " or " not in words:
            return f"{words.removeprefix(article)}s"
    return f"values that are each {words}"


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function's parameters, without those that cannot be resolved."""
    names = getattr(function, "__globals__", {})
    resolved = {}
    for name, annotation in inspect.get_annotations(function).items():
        if isinstance(annotation, str):
            try:
                annotation = eval(annotation, names)  # as typing itself does
            except (NameError, AttributeError, TypeError):
                continue  # a name that is imported for type checkers alone
        resolved[name] = types.NoneType if annotation is None else annotation
    resolved.pop("return", None)
    return resolved


class Signature:
    """The parameters of a function with the kinds of value that they take."""

    def __init__(self, function: Callable[..., Any], name: str):
        self.name = name
        self.signature = inspect.signature(function)
        self.kinds: dict[str, Kind] = {}
        for parameter, annotation in annotations_of(function).items():
            kind = kind_of(annotation)
            if kind is not None:
                self.kinds[parameter] = kind

    def require(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Refuse a call that does not fit.

        Raises:
            TypeError: if arguments are missing or unknown, or one is of another kind.
            ValueError: if one is of the right kind, and outside of its range or choices.
        """
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None
        for parameter, value in bound.arguments.items():
            self.require_argument(parameter, value)

    def require_argument(self, parameter: str, value: Any) -> None:
        """Refuse an argument that does not fit; of a variadic parameter, all its values.

        Raises:
            TypeError: if it is of another kind.
            ValueError: if it is of the right kind, and outside of its range or choices.
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
    """Refuse a value that is not of a kind.

    Raises:
        TypeError: naming the argument, what came, and what would work.
        ValueError: the same, if the value is of the right type and out of range.
    """
    if kind.includes(value):
        return
    error = ValueError if kind.resembles(value) else TypeError
    advice = "; it must be known before tracing" if isinstance(value, Tracer) else ""
    raise error(f"{function}: {parameter} must be {kind.words}, not {_shown(value)}{advice}")


def _shown(value: Any) -> str:
    written = repr(value)
    return written if len(written) <= 80 else f"{written[:60]}… ({type(value).__name__})"


def called_as(form: str, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call a user's function.

    Args:
        form: the call as a message writes it, such as ``mask(params)``.
        function: the function.
        *args: its arguments.
        **kwargs: its arguments by keyword.

    Raises:
        TypeError: if it does not take these arguments.

    >>> from gdlab.core.checked import called_as
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


def is_truth_value(value: Any) -> bool:
    """Tell whether a value is True or False, or a traced one that will be.

    >>> from gdlab.core.checked import is_truth_value
    >>> is_truth_value(True), is_truth_value(2.5), is_truth_value(None)
    (True, False, False)
    """
    if isinstance(value, bool):
        return True
    return getattr(value, "shape", None) == () and jnp.issubdtype(value.dtype, jnp.bool_)


def require_real_scalar(name: str, value: T) -> T:
    """A value that is one real number.

    Raises:
        TypeError: if it is something else.
    """
    if is_array_of_reals(value) and np.shape(value) == ():  # type: ignore[arg-type]
        return value
    raise TypeError(f"{name} must be one real number, not {value!r}")


def require_key(name: str, key: Any) -> None:
    """Refuse what is no PRNG key.

    Raises:
        TypeError: if it is something else, or several keys.
    """
    if not _is_key(key):
        raise TypeError(f"{name} must be a PRNG key, such as jax.random.key(0), not {_shown(key)}")


def real_numbers(
    name: str,
    values: Any,
    *,
    ndim: int | None = None,
    least: float = -math.inf,
    finite: bool = True,
) -> np.ndarray:
    """The real numbers that a user gave, in float64.

    Args:
        name: the argument's name.
        values: what came for it.
        ndim: the number of axes that it must have; any unless given. None of them may be empty.
        least: the least that a number may be.
        finite: whether all must be finite.

    Raises:
        TypeError: if they are no real numbers.
        ValueError: if they are of another shape, not finite, or too small.

    >>> from gdlab.core.checked import real_numbers
    >>> real_numbers("times", [0, 1], ndim=1)
    array([0., 1.])
    """
    try:
        given = np.asarray(values)
        array = None if np.iscomplexobj(given) else np.asarray(given, np.float64)
    except (TypeError, ValueError):
        array = None
    if array is None:
        raise TypeError(f"{name} must be real numbers, not {_shown(values)}")
    if ndim is not None and (array.ndim != ndim or array.size == 0):
        forms = ("one number", "a list of numbers", "a table of numbers")
        raise ValueError(
            f"{name} must be {forms[ndim]}{' that is not empty' * (ndim > 0)}, not of shape "
            f"{array.shape}"
        )
    if finite and not np.all(np.isfinite(array)):
        count = np.sum(~np.isfinite(array))
        raise ValueError(f"{name} must be finite, but {count} of {array.size} numbers are not")
    if np.any(array < least):
        raise ValueError(f"{name} must be at least {least:g}, not {np.min(array):g}")
    return array


def checked(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function so that each call is checked against its annotations.

    The check takes some microseconds, so it stands at functions that a user calls, and not at
    those that a training step is traced through.

    Args:
        function: the annotations of its parameters say what it takes.

    Returns:
        The same function, which raises ``TypeError`` or ``ValueError`` before it begins.

    >>> from gdlab.core.checked import Count, checked
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
    """Decorate a class so that making an instance is checked like a call of a function."""
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
