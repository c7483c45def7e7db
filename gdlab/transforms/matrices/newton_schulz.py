"""Orthogonalization of matrices by odd polynomials (Newton–Schulz), with products alone."""

import functools
from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

import jax
import jax.numpy as jnp

from gdlab.checks.kinds import Between
from gdlab.core.annotations import Data
from gdlab.core.by_leaf import patterns_of
from gdlab.core.hyperparameter import as_hyperparameter
from gdlab.core.numerics import safe_divide, widen
from gdlab.core.structure import Function, Number, Tree, Value
from gdlab.transforms.matrices.decompositions import largest_singular_value
from gdlab.transforms.matrices.polar_express import polar_express
from gdlab.transforms.norms.norms import norm

Preconditioning: TypeAlias = Literal["frobenius", "spectral", "aol", "schatten"]
"""The norm by which a matrix is scaled before the first polynomial."""
Iteration: TypeAlias = Literal["auto", "standard", "gram"]
"""The order of the products: on the matrix itself, or on its Gram matrix."""
IterationCount: TypeAlias = Annotated[int, Between(1, 100)]
"""The number of polynomials, which is compiled in."""
Triple: TypeAlias = tuple[Number, Number, Number]
"""The coefficients (a, b, c) of the polynomial aσ + bσ³ + cσ⁵."""

STANDARD = (3.4445, -4.7750, 2.0315)
"""Jordan's coefficients: steep at zero, with singular values ending anywhere in [0.68, 1.21]."""

PRESETS = {
    "standard": lambda: STANDARD,
    # Of the reference implementation of Dion: one for each of five steps.
    "dion": lambda: (
        (4.0848, -6.8946, 2.9270),
        (3.9505, -6.3029, 2.6377),
        (3.7418, -5.5913, 2.3037),
        (2.8769, -3.1427, 1.2046),
        (2.8366, -3.0525, 1.2012),
    ),
    "polar_express": polar_express,
}


def as_polynomials(value: Value) -> tuple[Value, ...]:
    """Convert a user's coefficients to their stored form: three numbers, or three for each step."""
    if isinstance(value, str):
        if value not in PRESETS:
            raise ValueError(f"there are the coefficients {', '.join(PRESETS)}, not {value!r}")
        value = PRESETS[value]()
    if isinstance(value, list | tuple) and value:
        if all(map(_is_triple, value)):
            return tuple(tuple(map(as_hyperparameter, triple)) for triple in value)
        if _is_triple(value):
            return tuple(map(as_hyperparameter, value))
    raise ValueError(f"expected three numbers, three for each step, or a name, not {value!r}")


def _is_triple(value: Value) -> bool:
    return isinstance(value, list | tuple) and len(value) == 3 and not patterns_of(value)


Polynomials: TypeAlias = Annotated[
    Tree | str, Data(as_polynomials, number=True, name="Sequence[Hyperparameter] | str")
]
"""Annotation of the coefficients (a, b, c) of the polynomials aσ + bσ³ + cσ⁵.

Three numbers for all steps, or three for each, of which the last are repeated; or the name of such:
"standard", "dion" or "polar_express".
"""


def of_each_step(polynomials: Value, steps: int) -> list[Triple]:
    """The coefficients of each step; the last given ones are repeated."""
    own = polynomials if isinstance(polynomials[0], tuple) else (polynomials,)
    return [own[min(step, len(own) - 1)] for step in range(steps)]


_product = functools.partial(jnp.matmul, precision="highest")


def _squared(x: jax.Array) -> jax.Array:
    """The product X·Xᴴ."""
    return _product(x, jnp.conj(x.mT))


def polar_factor(
    x: jax.Array,
    coefficients: Sequence[Triple],
    eps: Number,
    preconditioning: Preconditioning = "frobenius",
    iteration: Iteration = "auto",
) -> jax.Array:
    """Apply polynomials to singular values: U·p(…p(σ))·Vᴴ for U·σ·Vᴴ, with σ scaled to at most 1.

    Matrices are in the last two axes. Products are taken on the smaller side. A zero matrix stays
    zero.
    """
    if x.size == 0:
        return x
    if x.shape[-2] > x.shape[-1]:
        return polar_factor(x.mT, coefficients, eps, preconditioning, iteration).mT
    dtype, x = x.dtype, widen(x)
    x = safe_divide(x, norm(x, axis=(-2, -1), keepdims=True) + eps, at_least=eps)
    # Products are in the given dtype, elementwise operations in float32.
    x, start = PRECONDITIONINGS[preconditioning](x).astype(dtype), 0
    for length in ITERATIONS[iteration](len(coefficients), x.shape[-1] / x.shape[-2]):
        x = _after(x, coefficients[start : start + length])
        start += length
    return x


def _plain(steps: int, _: float) -> list[int]:
    return [1] * steps


def _gram(steps: int, _: float) -> list[int]:
    # More than three steps on the Gram matrix alone would accumulate rounding errors.
    first = (steps - 1) % 3 + 1
    return [first] + [3] * ((steps - first) // 3)


def _cheaper(steps: int, ratio: float) -> list[int]:
    # In products of m×m matrices, k steps on an m×rm matrix cost k·(2r + 1), and k steps on its
    # Gram matrix 2r + 4k − 3: (k − 1)·(2r − 3) less, whose sign does not depend on k.
    return _gram(steps, ratio) if ratio > 1.5 else _plain(steps, ratio)


ITERATIONS: dict[Iteration, Function] = {"auto": _cheaper, "standard": _plain, "gram": _gram}
"""Name → function that returns how many steps at a time iterate on the Gram matrix alone."""


def _after(x: jax.Array, coefficients: Sequence[Triple]) -> jax.Array:
    """A few steps on the Gram matrix R, which accumulate the factor Q of the result Q·X."""
    gram, factor = _squared(x), None
    for step, (a, b, c) in enumerate(coefficients):
        # p(X) = Z·X with Z = a + b·R + c·R², R = X·Xᴴ; all of these commute.
        z = _weighted(b, gram, c, _product(gram, gram))
        times = lambda y, z=z, a=a: _weighted(a, y, 1, _product(z, y))  # noqa: E731
        if step + 1 < len(coefficients):
            gram = times(jnp.conj(times(gram).mT))
            factor = _shifted(z, a) if factor is None else times(factor)
        else:
            return times(x) if factor is None else _product(times(factor), x)
    return x


def _weighted(a: Number, x: jax.Array, b: Number, y: jax.Array) -> jax.Array:
    """The sum a·x + b·y, rounded once to the dtype of the matrices."""
    return (a * widen(x) + b * widen(y)).astype(x.dtype)


def _shifted(z: jax.Array, a: Number) -> jax.Array:
    """The matrix Z + a·I."""
    return _weighted(1, z, a, jnp.broadcast_to(jnp.eye(z.shape[-1], dtype=z.dtype), z.shape))


def _aol(x: jax.Array) -> jax.Array:
    """Rescaled rows: each divided by √Σ|products with all rows|."""
    total = jnp.sum(jnp.abs(_squared(x)), axis=-1, keepdims=True)
    return safe_divide(x, jnp.sqrt(total))


PRECONDITIONINGS: dict[Preconditioning, Function] = {
    "frobenius": lambda x: x,
    "spectral": lambda x: safe_divide(x, largest_singular_value(x)[..., None, None]),
    "aol": _aol,
    "schatten": lambda x: safe_divide(x, jnp.sqrt(norm(_squared(x), axis=(-2, -1), keepdims=True))),
}
"""Name → scaling after which all singular values are at most 1."""
