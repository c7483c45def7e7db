"""Factorisations of small matrices, and linear systems solved with them."""

import numpy as np
from jax.extend.core import JaxprEqn

from gdlab.page.translator.ir import Value
from gdlab.page.translator.lowering import Lowering, avals, rule
from gdlab.page.translator.primitives.reductions import kernel


@rule("eigh", folded=True)
def eigh(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """Eigenvectors and rising eigenvalues of a symmetric matrix, by Jacobi's rotations."""
    (matrix,) = values
    if matrix.dtype != np.float64 or equation.params["subset_by_index"] is not None:
        raise lowering.unsupported(equation, "is translated for whole float64 matrices only")
    vectors, numbers = avals(*equation.outvars)
    made = kernel(
        lowering,
        "eigh",
        [matrix],
        [vectors.dtype, numbers.dtype],
        [vectors.shape, numbers.shape],
        (matrix.shape[-1],),
    )
    return [Value(labels, matrix.dtype) for labels in made]


@rule("cholesky", folded=True)
def cholesky(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """The lower triangular L with LLᵀ equal to a positive definite matrix, NaN if it is not."""
    (matrix,) = values
    if matrix.dtype != np.float64:
        raise lowering.unsupported(equation, "is translated for float64 only")
    size = matrix.shape[-1]
    (made,) = kernel(lowering, "cholesky", [matrix], [matrix.dtype], [matrix.shape], (size,))
    return Value(made, matrix.dtype)


@rule("triangular_solve", folded=True)
def triangular_solve(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """The X with AX = B or XA = B for a triangular A, by substitution."""
    matrix, right = values
    if matrix.dtype != np.float64:
        raise lowering.unsupported(equation, "is translated for float64 only")
    parameters = equation.params
    a, b, lower = matrix.labels, right.labels, parameters["lower"]
    # XA = B is AᵀXᵀ = Bᵀ.
    if parameters["transpose_a"] == parameters["left_side"]:
        a, lower = a.swapaxes(-1, -2), not lower
    b = b if parameters["left_side"] else b.swapaxes(-1, -2)
    sizes = (*b.shape[-2:], int(lower), int(parameters["unit_diagonal"]))
    arguments = [Value(one, matrix.dtype) for one in (a, b)]
    (made,) = kernel(lowering, "solve_triangular", arguments, [matrix.dtype], [b.shape], sizes)
    return Value(made if parameters["left_side"] else made.swapaxes(-1, -2), matrix.dtype)


@rule("lu", folded=True)
def lu(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """The LU factors of a square matrix with permuted rows, and the permutation."""
    (matrix,) = values
    if matrix.dtype != np.float64 or matrix.shape[-1] != matrix.shape[-2]:
        raise lowering.unsupported(equation, "is translated for square float64 matrices only")
    results = avals(*equation.outvars)
    dtypes, shapes = [one.dtype for one in results], [one.shape for one in results]
    made = kernel(lowering, "lu", [matrix], dtypes, shapes, (matrix.shape[-1],))
    return [Value(labels, dtype) for labels, dtype in zip(made, dtypes, strict=True)]


@rule("custom_linear_solve")
def linear_solve(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """The solution of a linear system, by the method that comes with it."""
    lengths, jaxprs = equation.params["const_lengths"], equation.params["jaxprs"]
    before = lengths.matvec + lengths.vecmat
    constants = values[before : before + lengths.solve]
    return lowering.closed(jaxprs.solve, [*constants, *values[sum(lengths) :]])
