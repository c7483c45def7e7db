"""Primitives that treat each element alike."""

import numpy as np
from jax.extend.core import JaxprEqn

from gdlab.page.translator.ir import Value
from gdlab.page.translator.lowering import Lowering, avals, rule
from gdlab.page.translator.operations import PRIMITIVES


@rule(*PRIMITIVES, folded=True)
def plain(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """An operation from the table of operations."""
    (result,) = avals(*equation.outvars)
    # A comparison is written for the dtype of what it compares.
    taken = () if result.dtype == values[0].dtype else (values[0].dtype.name,)
    name = equation.primitive.name
    return lowering.graph.elementwise(name, values, result.dtype, taken)


@rule("pow", folded=True)
def power(lowering: Lowering, _: JaxprEqn, values: list[Value]) -> Value:
    """xʸ, where y may be whole."""
    base, exponent = values
    return lowering.elementwise("pow", base, lowering.converted(exponent, base.dtype))


@rule("add_any", folded=True)
def add_any(lowering: Lowering, _: JaxprEqn, values: list[Value]) -> Value:
    """The sum of two cotangents."""
    return lowering.elementwise("add", *values)


@rule("convert_element_type", folded=True)
def convert(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """A cast; nothing is written where it changes no number."""
    (value,) = values
    before, after = value.dtype, np.dtype(equation.params["new_dtype"])
    if before == after:
        return value
    if (before, after) == (np.float32, np.float64):
        return Value(value.labels, after)
    return lowering.graph.elementwise("convert", [value], after, (before.name,))


@rule("bitcast_convert_type", folded=True)
def bitcast(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """The same bits as another type of the same width."""
    (value,) = values
    after = np.dtype(equation.params["new_dtype"])
    if after.itemsize != value.dtype.itemsize:
        raise lowering.unsupported(equation, "between types of different widths is not translated")
    if after == value.dtype:
        return value
    return lowering.graph.elementwise("bitcast", [value], after, (value.dtype.name,))


@rule("reduce_precision")
def reduce_precision(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """Rounding to a power of two, the only reduced precision that is translated."""
    (value,) = values
    kept = equation.params["exponent_bits"], equation.params["mantissa_bits"]
    if kept != (np.finfo(value.dtype).nexp, 0):
        raise lowering.unsupported(equation, "to some of the digits is not translated")
    return lowering.elementwise("power_of_two_near", value)


@rule("square", folded=True)
def square(lowering: Lowering, _: JaxprEqn, values: list[Value]) -> Value:
    """x²."""
    return lowering.elementwise("mul", values[0], values[0])


@rule("integer_pow", folded=True)
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


@rule("rsqrt", folded=True)
def rsqrt(lowering: Lowering, _: JaxprEqn, values: list[Value]) -> Value:
    """1/√x."""
    one = lowering.constant(1, values[0].dtype)
    return lowering.elementwise("div", one, lowering.elementwise("sqrt", values[0]))


@rule("logistic", folded=True)
def logistic(lowering: Lowering, _: JaxprEqn, values: list[Value]) -> Value:
    """1/(1 + e⁻ˣ)."""
    one = lowering.constant(1, values[0].dtype)
    inverse = lowering.elementwise("exp", lowering.elementwise("neg", values[0]))
    return lowering.elementwise("div", one, lowering.elementwise("add", one, inverse))


@rule("round", folded=True)
def rounded(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """Round to the nearest integer."""
    to_even = "EVEN" in str(equation.params["rounding_method"])
    return lowering.elementwise("round_to_even" if to_even else "round_from_zero", values[0])


@rule("clamp", folded=True)
def clamp(lowering: Lowering, _: JaxprEqn, values: list[Value]) -> Value:
    """Clamping between two bounds."""
    low, value, high = values
    return lowering.elementwise("min", lowering.elementwise("max", value, low), high)


@rule("select_n", folded=True)
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
    """The values unchanged, for operations that matter only to the compiler."""
    return values


@rule("nextafter", folded=True)
def nextafter(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """The neighbouring number in the direction of another, in float64."""
    if values[0].dtype != np.float64:
        raise lowering.unsupported(equation, "is translated for float64 only")
    return lowering.elementwise("nextafter", *values)
