"""Updates rewritten so that XLA on a CPU can compute all their results in one kernel.

With multi-output fusion, XLA fuses kernels that share arguments, but not a kernel with another one
whose result it reads, and an optimizer's update reads the new state. So each result is computed
from the arguments alone; common subexpressions are computed once within the fused kernel.
"""

import functools
import os
from typing import TYPE_CHECKING

import jax
from jax.core import eval_jaxpr

from gdlab.core.jaxprs import inner_programs
from gdlab.core.structure import Context, Function, Leaf, Signal, Tree, Value

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr, JaxprEqn

FLAG = "xla_cpu_use_multi_output_fusion"
"""XLA's name for the option, which only the environment variable ``XLA_FLAGS`` can set."""

# fmt: off
ELEMENTWISE = frozenset((
    "abs", "add", "and", "atan2", "broadcast_in_dim", "cbrt", "ceil", "clamp", "complex", "conj",
    "convert_element_type", "copy", "cos", "cosh", "div", "eq", "erf", "exp", "exp2", "expm1",
    "floor", "ge", "gt", "imag", "integer_pow", "is_finite", "le", "log", "log1p", "logistic",
    "lt", "max", "min", "mul", "ne", "neg", "nextafter", "not", "or", "pow", "real",
    "reduce_precision", "rem", "round", "rsqrt", "select_n", "sign", "sin", "sinh", "sqrt",
    "square", "stop_gradient", "sub", "tan", "tanh", "xor"
))
# fmt: on
"""The primitives that compute each element from the elements at the same position."""

CALLS = frozenset(("jit", "closed_call", "custom_jvp_call", "custom_vjp_call"))
"""The primitives that call an inner jaxpr without changing it."""


@functools.cache
def joins_kernels() -> bool:
    """Tell whether computations run on the CPU with XLA's multi-output fusion enabled."""
    return FLAG in os.environ.get("XLA_FLAGS", "") and jax.default_backend() == "cpu"


def with_results_apart(update: Function) -> Function:
    """The ``update`` of a rule for one array, with each result computed from the arguments alone.

    If an operation is not elementwise, or the results differ in shape or dtype, XLA would not fuse
    the kernels, and the update is left as it is.
    """

    def update_apart(
        array: Leaf, slots: tuple[Tree, ...], context: Context, reading: Value
    ) -> tuple[Signal, tuple[Tree, ...]]:
        def of_arrays(array, slots, param, grad):
            return update(array, slots, context, reading._replace(param=param, grad=grad))

        arrays = array, slots, reading.param, reading.grad
        closed, shapes = jax.make_jaxpr(of_arrays, return_shape=True)(*arrays)
        compute = lambda arrays: eval_jaxpr(closed.jaxpr, closed.consts, *jax.tree.leaves(arrays))  # noqa: E731
        results = compute(arrays)
        kinds = {(result.shape, result.dtype) for result in jax.tree.leaves(shapes)}
        if len(kinds) == 1 and _is_elementwise(closed.jaxpr):
            for position in range(1, len(results)):
                # One barrier for each array, since XLA drops a barrier around all the arguments of
                # a branch; nested barriers, since XLA merges equal ones.
                arrays = jax.tree.map(jax.lax.optimization_barrier, arrays)
                results[position] = compute(arrays)[position]
        return jax.tree.unflatten(jax.tree.structure(shapes), results)

    return update_apart


def _is_elementwise(program: "Jaxpr") -> bool:
    return all(map(_is_elementwise_equation, program.eqns))


def _is_elementwise_equation(equation: "JaxprEqn") -> bool:
    if equation.primitive.name in CALLS:
        return all(map(_is_elementwise, inner_programs(equation.params)))
    return equation.primitive.name in ELEMENTWISE
