"""Operations on numbers as expressions of JavaScript, for each dtype.

Booleans are booleans or 0 and 1. Integers of 32 bits are numbers, and those of 64 bits are BigInts.
Float32 results are rounded after each operation, which for arithmetic and roots equals computing in
float32.
"""

from typing import Any, NamedTuple

import numpy as np


class Operation(NamedTuple):
    """The JavaScript of an operation for each kind of number, whose arguments are ``{0}``, ``{1}``.

    A kind without a template does not have the operation.
    """

    real: str = ""
    """The template for float32 and float64."""
    whole: str = ""
    """The template for integers of 32 bits, before the result is wrapped to 32 bits."""
    big: str = ""
    """The template for integers of 64 bits, before the result is wrapped to 64 bits."""
    logical: str = ""
    """The template for booleans."""
    exact: bool = False
    """True if results for float32 numbers are float32 numbers without rounding."""


def _infix(sign: str, whole: str = "", logical: str = "") -> Operation:
    return Operation(
        f"({{0}}{sign}{{1}})", whole or f"{{0}}{sign}{{1}}", f"{{0}}{sign}{{1}}", logical
    )


def _anywhere(template: str) -> Operation:
    return Operation(template, template, template, template)


def _called(name: str, arity: int = 1, exact: bool = False) -> Operation:
    listed = ",".join(f"{{{i}}}" for i in range(arity))
    return Operation(f"{name}({listed})", exact=exact)


PRIMITIVES: dict[str, Operation] = {
    # Arithmetic.
    "add": _infix("+", logical="({0}||{1})"),
    "sub": _infix("-"),
    "mul": _infix("*", "Math.imul({0},{1})", "({0}&&{1})"),
    "div": Operation("({0}/{1})", "quotient({0},{1})", "big_quotient({0},{1})"),
    "rem": Operation("({0}%{1})", "remainder({0},{1})", "big_remainder({0},{1})"),
    "neg": Operation("(-{0})", "0-{0}", "-{0}", exact=True),
    "abs": Operation("Math.abs({0})", "Math.abs({0})", "big_abs({0})", exact=True),
    "sign": Operation("Math.sign({0})", "Math.sign({0})", "big_sign({0})", exact=True),
    "max": Operation(
        "Math.max({0},{1})", "Math.max({0},{1})", "big_max({0},{1})", "({0}||{1})", exact=True
    ),
    "min": Operation(
        "Math.min({0},{1})", "Math.min({0},{1})", "big_min({0},{1})", "({0}&&{1})", exact=True
    ),
    # Comparison, logic and bits.
    "eq": _anywhere("({0}=={1})"),
    "ne": _anywhere("({0}!={1})"),
    "lt": _anywhere("({0}<{1})"),
    "le": _anywhere("({0}<={1})"),
    "gt": _anywhere("({0}>{1})"),
    "ge": _anywhere("({0}>={1})"),
    "lt_to": Operation("before({0},{1})", "({0}<{1})", "({0}<{1})"),
    "le_to": Operation("(!before({1},{0}))", "({0}<={1})", "({0}<={1})"),
    "is_finite": Operation("Number.isFinite({0})"),
    "and": Operation(whole="{0}&{1}", big="{0}&{1}", logical="({0}&&{1})"),
    "or": Operation(whole="{0}|{1}", big="{0}|{1}", logical="({0}||{1})"),
    "xor": Operation(whole="{0}^{1}", big="{0}^{1}", logical="(!{0}!==!{1})"),
    "not": Operation(whole="~{0}", big="~{0}", logical="(!{0})"),
    "shift_left": Operation(whole="shifted({0},{1})", big="big_shifted({0},{1})"),
    "shift_right_logical": Operation(
        whole="logically_shifted({0},{1})", big="big_logically_shifted({0},{1})"
    ),
    "shift_right_arithmetic": Operation(
        whole="arithmetically_shifted({0},{1})", big="big_arithmetically_shifted({0},{1})"
    ),
    # Functions that JavaScript has.
    "floor": _called("Math.floor", exact=True),
    "ceil": _called("Math.ceil", exact=True),
    "atan2": _called("Math.atan2", 2),
    "exp2": Operation("Math.pow(2,{0})"),
    **{
        name: _called(f"Math.{name}")
        for name in (
            "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "cos", "cosh", "exp",
            "expm1", "log", "log1p", "sin", "sinh", "sqrt", "tan", "tanh",
        )
    },
    # Functions that the program brings along, from helpers.py.
    **{name: _called(name) for name in ("digamma", "erf", "erf_inv", "erfc", "lgamma")},
}  # fmt: skip
"""The elementwise primitives of JAX with their JavaScript.

To add one, add it here; if JavaScript lacks the function, add its source to ``helpers.py`` under
the name that is called. A primitive that is composed of others has a rule in ``primitives/``.
"""

_INTERNAL: dict[str, Operation] = {
    "copy": Operation(*["{0}"] * 4, exact=True),
    "select": Operation(*["({0}?{1}:{2})"] * 4, exact=True),
    "nextafter": _called("nextafter", 2),
    "pow": _called("pow", 2),
    "power_of_two_near": _called("power_of_two_near", exact=True),
    "round_from_zero": _called("round_from_zero", exact=True),
    "round_to_even": _called("round_to_even", exact=True),
}
"""Further operations that rules use, which are not primitives under these names."""

_OPERATIONS = PRIMITIVES | _INTERNAL

_UNWRAPPED = frozenset(("copy", "select"))
"""Operations whose integer results need no wrapping to their width."""


def expression(
    operation: str, dtype: np.dtype, arguments: list[str], static: tuple[Any, ...]
) -> str:
    """The JavaScript expression of an operation on arguments that are expressions.

    Args:
        operation: a name in :data:`PRIMITIVES`, or one of those that rules use.
        dtype: the dtype of the result and, except for comparisons, of the arguments.
        arguments: one expression for each argument.
        static: further parameters of the operation; first, the name of the arguments' dtype if it
            differs from the dtype of the result.

    Raises:
        NotImplementedError: if the operation has no template for the kind of number.
    """
    if operation == "convert":
        return _convert(np.dtype(static[0]), dtype, arguments[0])
    if operation == "bitcast":
        return _bitcast(np.dtype(static[0]), dtype, arguments[0])
    if operation == "exact":
        return f"exact({arguments[0]})"
    if operation == "threefry":
        return f"threefry({','.join(arguments)},{static[0]})"
    own = _OPERATIONS[operation]
    taken = np.dtype(static[0]) if static else dtype
    template = {"b": own.logical, "f": own.real}.get(taken.kind)
    if template is None:
        template = own.big if taken.itemsize == 8 else own.whole
    if not template:
        raise NotImplementedError(
            f"explore: {operation} of {taken.name} numbers has no translation to JavaScript"
        )
    written = template.format(*arguments)
    if dtype.kind in "iu" and operation not in _UNWRAPPED:
        return _wrapped(dtype, written)
    return f"Math.fround({written})" if dtype == np.float32 and not own.exact else written


def _wrapped(dtype: np.dtype, written: str) -> str:
    return _WRAP[dtype.name].format(written)


_WRAP = {
    "int32": "({0}|0)",
    "uint32": "(({0})>>>0)",
    "int64": "BigInt.asIntN(64,{0})",
    "uint64": "BigInt.asUintN(64,{0})",
}


def _convert(before: np.dtype, after: np.dtype, number: str) -> str:
    if after == np.bool_:
        return f"({number}!=0)"
    big = after.kind in "iu" and after.itemsize == 8
    if before == np.bool_:
        return f"({number}?1n:0n)" if big else f"({number}?1:0)"
    if before.kind in "iu" and before.itemsize == 8:
        if after.kind == "f":
            return f"single({number})" if after.itemsize == 4 else f"Number({number})"
        if big:
            return _wrapped(after, number)
        return f"Number(BigInt.{'asIntN' if after.kind == 'i' else 'asUintN'}(32,{number}))"
    if after.kind == "f":
        return f"Math.fround({number})" if after == np.float32 else number
    if before.kind == "f":
        limits = np.iinfo(after)
        if big:
            return f"big_integer({number},{limits.min}n,{limits.max}n)"
        return f"integer({number},{limits.min},{limits.max})"
    return _wrapped(after, f"BigInt({number})" if big else number)


def _bitcast(before: np.dtype, after: np.dtype, number: str) -> str:
    if before.kind in "iu" and after.kind in "iu":
        return _wrapped(after, number)
    return f"bits_{before.name}_{after.name}({number})"


def literal(number: Any, dtype: np.dtype) -> str:
    """A constant."""
    if dtype == np.bool_:
        return "true" if number else "false"
    if dtype.kind in "iu":
        written = f"{int(number)}{'n' if dtype.itemsize == 8 else ''}"
        return written if number >= 0 else f"({written})"
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
    "int64": "BigInt64Array",
    "uint32": "Uint32Array",
    "uint64": "BigUint64Array",
    "float32": "Float32Array",
    "float64": "Float64Array",
}
"""The typed array for each dtype."""
