"""Primitives that treat each element alike."""

import numpy as np
from jax.extend.core import JaxprEqn

from gdlab.page.translator.ir import Value
from gdlab.page.translator.lowering import FOLDED, Lowering, avals, rule

_PLAIN = (
    "abs", "acos", "acosh", "add", "and", "asin", "asinh", "atan", "atan2", "atanh", "cbrt",
    "ceil", "cos", "cosh", "digamma", "div", "erf", "erf_inv", "erfc", "exp", "exp2", "expm1",
    "floor", "lgamma", "log", "log1p", "max", "min", "mul", "neg", "not", "or", "pow", "rem",
    "shift_left", "shift_right_arithmetic", "shift_right_logical", "sign", "sin", "sinh", "sqrt",
    "sub", "tan", "tanh", "xor",
)  # fmt: skip


@rule(*_PLAIN)
def plain(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """An operation that the emitter knows by the primitive's own name."""
    (result,) = avals(*equation.outvars)
    return lowering.elementwise(equation.primitive.name, *values, dtype=result.dtype)


@rule("add_any")
def add_any(lowering: Lowering, _: JaxprEqn, values: list[Value]) -> Value:
    """The sum of two cotangents."""
    return lowering.elementwise("add", *values)


@rule("eq", "ge", "gt", "is_finite", "le", "lt", "ne")
def comparison(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """A question with a boolean answer."""
    return lowering.elementwise(equation.primitive.name, *values, dtype=np.bool_)


@rule("convert_element_type")
def convert(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """A cast, which is nothing where the numbers stay what they are."""
    (value,) = values
    before, after = value.dtype, np.dtype(equation.params["new_dtype"])
    if before == after:
        return value
    if (before, after) == (np.float32, np.float64):
        return Value(value.labels, after)
    return lowering.graph.elementwise("convert", [value], after, (before.name,))


@rule("bitcast_convert_type")
def bitcast(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """The same bits as another type of the same width."""
    (value,) = values
    after = np.dtype(equation.params["new_dtype"])
    if after.itemsize != value.dtype.itemsize:
        raise lowering.unsupported(equation, "between types of different widths is not translated")
    if after == value.dtype:
        return value
    if {after, value.dtype} == {np.dtype(np.int64), np.dtype(np.float64)}:
        # An int64 is a double in the program, and the bits of most doubles are beyond 2⁵³.
        raise lowering.unsupported(equation, "between float64 and int64 is not exact in JavaScript")
    return lowering.graph.elementwise("bitcast", [value], after, (value.dtype.name,))


@rule("reduce_precision")
def reduce_precision(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """A power of two near a number, where no digit but the first is kept."""
    (value,) = values
    kept = equation.params["exponent_bits"], equation.params["mantissa_bits"]
    if kept != (np.finfo(value.dtype).nexp, 0):
        raise lowering.unsupported(equation, "to some of the digits is not translated")
    return lowering.elementwise("power_of_two_near", value)


@rule("square")
def square(lowering: Lowering, _: JaxprEqn, values: list[Value]) -> Value:
    """x²."""
    return lowering.elementwise("mul", values[0], values[0])


@rule("integer_pow")
def integer_pow(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """x to a known integer power, with the products in the order in which XLA takes them."""
    (base,) = values
    exponent = equation.params["y"]
    left, power = abs(exponent), None
    while left:
        if left & 1:
            power = base if power is None else lowering.elementwise("mul", power, base)
        left >>= 1
        if left:
            base = lowering.elementwise("mul", base, base)
    one = lowering.constant(1, base.dtype)
    if power is None:
        return Value(np.broadcast_to(one.labels, base.shape), base.dtype)
    return power if exponent > 0 else lowering.elementwise("div", one, power)


@rule("rsqrt")
def rsqrt(lowering: Lowering, _: JaxprEqn, values: list[Value]) -> Value:
    """1/√x."""
    one = lowering.constant(1, values[0].dtype)
    return lowering.elementwise("div", one, lowering.elementwise("sqrt", values[0]))


@rule("logistic")
def logistic(lowering: Lowering, _: JaxprEqn, values: list[Value]) -> Value:
    """1/(1 + e⁻ˣ)."""
    one = lowering.constant(1, values[0].dtype)
    inverse = lowering.elementwise("exp", lowering.elementwise("neg", values[0]))
    return lowering.elementwise("div", one, lowering.elementwise("add", one, inverse))


@rule("round")
def rounded(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """To the nearest integer."""
    to_even = "EVEN" in str(equation.params["rounding_method"])
    return lowering.elementwise("round_to_even" if to_even else "round_from_zero", values[0])


@rule("clamp")
def clamp(lowering: Lowering, _: JaxprEqn, values: list[Value]) -> Value:
    """Held between two bounds."""
    low, value, high = values
    return lowering.elementwise("min", lowering.elementwise("max", value, low), high)


@rule("select_n")
def select(lowering: Lowering, _: JaxprEqn, values: list[Value]) -> Value:
    """The case that a predicate or an index chooses, element by element."""
    which, *cases = values
    known = lowering.graph.known(which)
    if known is not None:
        labels = np.stack([case.labels for case in cases])
        index = np.broadcast_to(known.astype(np.int64), labels.shape[1:])
        return Value(np.take_along_axis(labels, index[None], 0)[0], cases[0].dtype)
    if which.dtype == np.bool_:
        if np.array_equal(cases[0].labels, cases[1].labels):
            return cases[0]
        return lowering.elementwise("select", which, cases[1], cases[0], dtype=cases[0].dtype)
    chosen = cases[-1]
    for index, case in reversed(list(enumerate(cases[:-1]))):
        here = lowering.elementwise(
            "eq", which, lowering.constant(index, which.dtype), dtype=np.bool_
        )
        chosen = lowering.elementwise("select", here, case, chosen, dtype=case.dtype)
    return chosen


@rule("stop_gradient", "optimization_barrier", "name", "copy", "copy_p", "device_put")
def identity(_lowering: Lowering, _: JaxprEqn, values: list[Value]) -> list[Value]:
    """The values as they are: such operations matter to the compiler alone."""
    return values


@rule("nextafter")
def nextafter(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """The neighbouring number in the direction of another, in float64."""
    if values[0].dtype != np.float64:
        raise lowering.unsupported(equation, "is translated for float64 only")
    return lowering.elementwise("nextafter", *values)


FOLDED.update(
    _PLAIN,
    ("add_any", "eq", "ge", "gt", "is_finite", "le", "lt", "ne", "convert_element_type"),
    ("bitcast_convert_type", "square", "integer_pow", "rsqrt", "logistic", "round", "clamp"),
    ("select_n", "nextafter"),
)
