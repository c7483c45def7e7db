"""Operations on numbers as expressions of JavaScript, for each dtype.

Booleans are booleans or 0 and 1. Integers of 64 bits are doubles, exact below 2⁵³, but unsigned
ones are BigInts. What is computed in float32 is rounded after each operation, which for
arithmetic and roots is the same as computing in float32.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

_CALLED = frozenset(
    ("abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "cos",
     "cosh", "exp", "expm1", "floor", "log", "log1p", "max", "min", "sign", "sin", "sinh", "sqrt",
     "tan", "tanh")
)  # fmt: skip
"""Elementary functions that JavaScript has by the same name."""

_HELPED = frozenset(
    ("digamma", "erf", "erf_inv", "erfc", "lgamma", "nextafter", "pow",
     "power_of_two_near", "round_from_zero", "round_to_even")
)  # fmt: skip
"""Functions that the program brings along."""

_COMPARED = {"eq": "==", "ge": ">=", "gt": ">", "le": "<=", "lt": "<", "ne": "!="}

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "rem": "%"}

_BITWISE = {"and": "&", "or": "|", "xor": "^"}

_EXACT = frozenset(
    ("abs", "ceil", "copy", "floor", "load", "max", "min", "neg", "power_of_two_near",
     "round_from_zero", "round_to_even", "select", "sign")
)  # fmt: skip
"""Their results are float32 numbers if the arguments are."""


def expression(
    operation: str, dtype: np.dtype, arguments: list[str], static: tuple[Any, ...]
) -> str:
    """An operation whose result has a dtype, on arguments that are expressions themselves."""
    if operation in _COMPARED:
        return f"({arguments[0]}{_COMPARED[operation]}{arguments[1]})"
    if operation in _ANYWHERE:
        return _ANYWHERE[operation](arguments, static)
    if operation == "convert":
        return _convert(np.dtype(static[0]), dtype, arguments[0])
    if operation == "bitcast":
        return _bitcast(np.dtype(static[0]), dtype, arguments[0])
    if dtype == np.bool_:
        return _BOOLEAN[operation](*arguments)
    if dtype.kind == "f":
        computed = _float(operation, arguments)
        rounds = dtype == np.float32 and operation not in _EXACT
        return f"Math.fround({computed})" if rounds else computed
    return _integer(operation, dtype, arguments)


_ANYWHERE: dict[str, Callable[[list[str], tuple[Any, ...]], str]] = {
    "copy": lambda a, _: a[0],
    "select": lambda a, _: f"({a[0]}?{a[1]}:{a[2]})",
    "is_finite": lambda a, _: f"Number.isFinite({a[0]})",
    "threefry": lambda a, static: f"threefry({','.join(a)},{static[0]})",
}

_BOOLEAN: dict[str, Callable[..., str]] = {
    "and": lambda a, b: f"({a}&&{b})",
    "or": lambda a, b: f"({a}||{b})",
    "xor": lambda a, b: f"(!{a}!==!{b})",
    "not": lambda a: f"(!{a})",
    "min": lambda a, b: f"({a}&&{b})",
    "max": lambda a, b: f"({a}||{b})",
    "mul": lambda a, b: f"({a}&&{b})",
    "add": lambda a, b: f"({a}||{b})",
}


def _float(operation: str, arguments: list[str]) -> str:
    if operation in _INFIX:
        return f"({arguments[0]}{_INFIX[operation]}{arguments[1]})"
    if operation == "neg":
        return f"(-{arguments[0]})"
    if operation == "exp2":
        return f"Math.pow(2,{arguments[0]})"
    listed = ",".join(arguments)
    if operation in _HELPED:
        return f"{operation}({listed})"
    assert operation in _CALLED, operation
    return f"Math.{operation}({listed})"


def _integer(operation: str, dtype: np.dtype, arguments: list[str]) -> str:
    big = dtype == np.uint64
    wrap = _WRAP[dtype.name]
    first, *rest = arguments
    if operation in ("add", "sub") or (operation == "mul" and dtype.itemsize == 8):
        return wrap(f"{first}{_INFIX[operation]}{rest[0]}")
    if operation == "mul":
        return wrap(f"Math.imul({first},{rest[0]})")
    if operation == "div":
        return f"({first}/{rest[0]})" if big else wrap(f"Math.trunc({first}/{rest[0]})+0")
    if operation == "rem":
        return f"({first}%{rest[0]})" if big else wrap(f"{first}%{rest[0]}+0")
    if operation == "neg":
        return wrap(f"-{first}") if big else wrap(f"0-{first}")
    if operation in ("max", "min") and big:
        return f"({first}{'>' if operation == 'max' else '<'}{rest[0]}?{first}:{rest[0]})"
    if operation in ("max", "min", "abs", "sign"):
        return f"Math.{operation}({','.join(arguments)})"
    if operation in _BITWISE or operation == "not":
        bits = [f"BigInt({one})" for one in arguments] if dtype == np.int64 else arguments
        made = f"~{bits[0]}" if operation == "not" else _BITWISE[operation].join(bits)
        return f"Number({made})" if dtype == np.int64 else wrap(f"({made})")
    if operation == "pow":
        return wrap(f"{first}**{rest[0]}")
    return _shift(operation, dtype, first, rest[0])


def _shift(operation: str, dtype: np.dtype, number: str, by: str) -> str:
    wrap, bits = _WRAP[dtype.name], 8 * dtype.itemsize
    if dtype == np.int64:
        if operation == "shift_right_logical":
            return f"Number(BigInt.asIntN(64,BigInt.asUintN(64,BigInt({number}))>>BigInt({by})))"
        return wrap(f"{number}*2**{by}" if operation == "shift_left" else f"{number}/2**{by}", True)
    if operation == "shift_left":
        shifted = wrap(f"{number}<<{by}")
    elif operation == "shift_right_logical":
        shifted = wrap(f"{number}>>{by}" if dtype == np.uint64 else f"{number}>>>{by}")
    else:
        return wrap(f"{number}>>Math.min({by},31)")
    if by.rstrip("n").isdigit() and int(by.rstrip("n")) < bits:
        return shifted
    return f"({by}<{bits}?{shifted}:{'0n' if dtype == np.uint64 else 0})"


_WRAP: dict[str, Callable[..., str]] = {
    "int32": lambda number: f"({number}|0)",
    "uint32": lambda number: f"({number}>>>0)",
    "int64": lambda number, floored=False: f"Math.floor({number})" if floored else f"({number})",
    "uint64": lambda number: f"BigInt.asUintN(64,{number})",
}


def _convert(before: np.dtype, after: np.dtype, number: str) -> str:
    if after == np.bool_:
        return f"({number}!=0)"
    big = after == np.uint64
    if before == np.bool_:
        return f"({number}?1n:0n)" if big else f"({number}?1:0)"
    if before == np.uint64:
        if after.kind == "f":
            return f"Math.fround(Number({number}))" if after.itemsize == 4 else f"Number({number})"
        cut = "asIntN" if after.kind == "i" else "asUintN"
        return f"Number(BigInt.{cut}({8 * after.itemsize},{number}))"
    if after.kind == "f":
        return f"Math.fround({number})" if after == np.float32 else number
    if before.kind == "f":
        limits = np.iinfo(after)
        held = f"integer({number},{_edge(limits.min)},{_edge(limits.max)})"
        return f"BigInt({held})" if big else held
    if big:
        return f"BigInt.asUintN(64,BigInt({number}))"
    return number if after == np.int64 else _WRAP[after.name](number)


def _edge(limit: int) -> str:
    # 2⁶³ and 2⁶⁴ are no doubles; the nearest that fit stand for them.
    return str(limit) if abs(limit) < 2**53 else repr(float(np.nextafter(float(limit), 0)))


def _bitcast(before: np.dtype, after: np.dtype, number: str) -> str:
    if before.kind in "iu" and after.kind in "iu" and before.itemsize == 4:
        return _WRAP[after.name](number)
    return f"bits_{before.name}_{after.name}({number})"


def literal(number: Any, dtype: np.dtype) -> str:
    """A constant."""
    if dtype == np.bool_:
        return "true" if number else "false"
    if dtype == np.uint64:
        return f"{int(number)}n"
    if dtype.kind in "iu":
        return str(int(number)) if number >= 0 else f"({int(number)})"
    if np.isnan(number):
        return "NaN"
    if np.isinf(number):
        return "Infinity" if number > 0 else "(-Infinity)"
    written = repr(float(number))
    written = written.removesuffix(".0")
    written = written[1:] if written.startswith("0.") else written
    return f"({written})" if np.signbit(number) else written


ARRAYS = {
    "bool": "Uint8Array",
    "int32": "Int32Array",
    "int64": "Float64Array",
    "uint32": "Uint32Array",
    "uint64": "BigUint64Array",
    "float32": "Float32Array",
    "float64": "Float64Array",
}
"""The typed array for each dtype."""
