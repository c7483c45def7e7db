"""Factorisations of small symmetric matrices."""

import numpy as np
from jax.extend.core import JaxprEqn

from gdlab.page.translator.ir import Value
from gdlab.page.translator.lowering import FOLDED, Lowering, avals, rule
from gdlab.page.translator.primitives.reductions import kernel


@rule("eigh")
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


@rule("cholesky")
def cholesky(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> Value:
    """The lower triangular L with LLᵀ equal to a positive definite matrix, NaN if it is not."""
    (matrix,) = values
    if matrix.dtype != np.float64:
        raise lowering.unsupported(equation, "is translated for float64 only")
    size = matrix.shape[-1]
    (made,) = kernel(lowering, "cholesky", [matrix], [matrix.dtype], [matrix.shape], (size,))
    return Value(made, matrix.dtype)


FOLDED.update(("eigh", "cholesky"))
