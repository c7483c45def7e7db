"""Reading of jaxprs: the equations of a traced function, and the sizes of their results."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import jax

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr, JaxprEqn

PRODUCTS = frozenset(("dot_general", "conv_general_dilated"))
"""The operations that sum over products of many elements."""


def equations(function: Callable[..., Any], *arguments: Any) -> Iterator["JaxprEqn"]:
    """The equations of a function traced at some arguments, including those of inner jaxprs."""
    yield from _equations_of(jax.make_jaxpr(function)(*arguments).jaxpr)


def size_of_results(equation: "JaxprEqn") -> int:
    """The size in bytes of the arrays that an equation computes."""
    arrays: list[Any] = [each.aval for each in equation.outvars if hasattr(each.aval, "shape")]
    return sum(math.prod(array.shape) * array.dtype.itemsize for array in arrays)


def size_of_products(program: "Jaxpr") -> int:
    """The size in bytes of the results of all matrix products and convolutions of a program.

    These results are always written to memory, while elementwise operations are fused with others.
    Of several branches the one with the largest size counts, and of a loop one iteration.
    """
    size = 0
    for equation in program.eqns:
        inner = [size_of_products(each) for each in inner_programs(equation.params)]
        size += max(inner, default=0) if equation.primitive.name == "cond" else sum(inner)
        if equation.primitive.name in PRODUCTS:
            size += size_of_results(equation)
    return size


def inner_programs(params: Mapping[str, Any]) -> list["Jaxpr"]:
    """The jaxprs among the parameters of an equation."""
    values = [
        value
        for given in params.values()
        for value in (given if isinstance(given, tuple | list) else (given,))
    ]
    return [value for value in values if hasattr(value, "eqns")]


def _equations_of(program: "Jaxpr") -> Iterator["JaxprEqn"]:
    for equation in program.eqns:
        yield equation
        for inner in inner_programs(equation.params):
            yield from _equations_of(inner)
