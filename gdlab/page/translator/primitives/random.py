"""PRNG keys: values of two words for each key, and the threefry hash."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import JaxprEqn
from jax.extend.random import threefry_prng_impl as threefry

from gdlab.page.translator.ir import Value
from gdlab.page.translator.lowering import Lowering, avals, rule

_WORD = np.dtype(np.uint32)


@rule("threefry2x32", folded=True)
def hashed(lowering: Lowering, _: JaxprEqn, values: list[Value]) -> list[Value]:
    """Two words of a block, encrypted with two words of a key."""
    return [lowering.graph.elementwise("threefry", values, _WORD, (half,)) for half in range(2)]


@rule("random_wrap", "random_unwrap")
def rewrapped(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """Words as a key, or a key as words: the same labels."""
    _only_threefry(lowering, equation)
    return values


@rule("random_seed")
def seeded(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """The key of a number."""
    return _by(lowering, equation, threefry.seed, values, 0)


@rule("random_split")
def split(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """Many keys from one."""
    shape = equation.params["shape"]
    return _by(lowering, equation, lambda key: threefry.split(key, shape), values, 1)


@rule("random_fold_in")
def fold_in(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """A key from a key and a number."""
    return _by(lowering, equation, threefry.fold_in, values, 1)


@rule("random_bits")
def bits(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """Random words."""
    width, shape = equation.params["bit_width"], equation.params["shape"]
    return _by(lowering, equation, lambda k: threefry.random_bits(k, width, shape), values, 1)


def _by(
    lowering: Lowering,
    equation: JaxprEqn,
    function: Callable[..., Any],
    values: list[Value],
    core: int,
) -> list[Value]:
    """The results of JAX's own generator, mapped over arrays of keys."""
    _only_threefry(lowering, equation)
    batch = values[0].labels.ndim - core
    for _ in range(batch):
        function = jax.vmap(function)
    arguments = [jnp.zeros(value.shape, value.dtype) for value in values]
    return lowering.closed(jax.make_jaxpr(function)(*arguments), values)


def _only_threefry(lowering: Lowering, equation: JaxprEqn) -> None:
    for dtype in (aval.dtype for aval in avals(*equation.invars, *equation.outvars)):
        is_key = jnp.issubdtype(dtype, jax.dtypes.prng_key)
        if is_key and "fry" not in str(dtype):
            raise lowering.unsupported(equation, f"has {dtype}; only threefry keys are translated")
