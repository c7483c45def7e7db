"""The numeric parameters of a foreign factory, from annotations and defaults."""

import functools
import inspect
import types
import typing
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.structure import Function


class Role(NamedTuple):
    """The rules by which an argument of a parameter counts as a number."""

    is_structure: bool = False
    """True if even numbers are structure."""
    takes_schedules: bool = False
    """True if functions count as schedules."""
    takes_integers: bool = False
    """True if integers count as numbers."""
    is_integer: bool = False
    """True if numbers are passed on as integers."""


NUMBER = Role(takes_schedules=True, takes_integers=True)


class Roles:
    """The roles of the parameters of a foreign factory."""

    def __init__(
        self, name: str, foreign: Function, numbers: tuple[str, ...], structure: tuple[str, ...]
    ):
        self.signature: inspect.Signature = inspect.signature(foreign)
        parameters = self.signature.parameters
        hints = _hints(foreign)
        self.known: dict[str, Role] = {
            key: _role(hints.get(key, parameter.annotation), parameter.default)
            for key, parameter in parameters.items()
        }
        self.rest: Role | None = next(
            (role for key, role in self.known.items() if _is_rest(parameters[key])), None
        )
        for key in (*numbers, *structure):
            if key not in parameters and self.rest is None:
                raise ValueError(f"{name} has no parameter {key!r}; it has {', '.join(parameters)}")
            if key in numbers and key in structure:
                raise ValueError(f"{name}: {key!r} is either among numbers or structure")
        self.known |= dict.fromkeys(numbers, NUMBER)
        self.known |= dict.fromkeys(structure, Role(is_structure=True))

    def of(self, name: str) -> Role:
        """The role of an argument; an unknown name belongs to ``**kwargs``."""
        return self.known.get(name) or self.rest or Role()


def _is_rest(parameter: inspect.Parameter) -> bool:
    return parameter.kind is parameter.VAR_KEYWORD


def function_of(foreign: Function) -> Function:
    """The function inside a ``functools.partial``; any other function unchanged."""
    return function_of(foreign.func) if isinstance(foreign, functools.partial) else foreign


def _hints(foreign: Function) -> dict[str, Any]:
    function = function_of(foreign)
    try:
        return typing.get_type_hints(function.__init__ if inspect.isclass(function) else function)
    except Exception:  # annotations of other libraries may not be resolvable at run time
        return {}


def _role(hint: object, default: object) -> Role:
    of_floats, of_integers = _admits(hint, (float, np.floating)), _admits(hint, (int, np.integer))
    is_count = isinstance(default, int) and not isinstance(default, bool)
    if of_integers and (is_count or not of_floats):
        return Role(is_integer=True)
    if not of_floats and not is_inexact(default):
        return Role()
    # An optional integer is more likely a seed or a size than a number.
    return NUMBER._replace(takes_integers=not (of_integers and default is None))


def _admits(hint: object, wanted: tuple[type, ...]) -> bool:
    """Tell whether an annotation names one of these types, alone or in a union."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType, Annotated):
        return any(_admits(part, wanted) for part in typing.get_args(hint))
    return isinstance(hint, type) and issubclass(hint, wanted)


def is_inexact(value: object) -> bool:
    """Tell whether a value is a floating-point number or an array of them."""
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return jnp.issubdtype(value.dtype, jnp.floating)
    return isinstance(value, float)
