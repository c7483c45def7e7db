"""The direction of steepest ascent under a norm chosen for each array."""

from typing import Annotated, TypeAlias

import jax
import jax.numpy as jnp

from gdlab.checks.kinds import StorageDType
from gdlab.core.annotations import Data
from gdlab.core.authoring import LeafFunctions
from gdlab.core.by_leaf import ByLeaf, as_structure
from gdlab.core.hyperparameter import NonNegative
from gdlab.core.numerics import cast, safe_divide, storage_dtype
from gdlab.core.structure import Function, Number, Tree, Value
from gdlab.core.transformation import leafwise
from gdlab.transforms.matrices.matrix_axes import MatrixAxes, MatrixView, matrix_view
from gdlab.transforms.matrices.newton_schulz import (
    STANDARD,
    IterationCount,
    Polynomials,
    of_each_step,
    polar_factor,
)
from gdlab.transforms.norms.norms import rms

BY_SHAPE = "auto"


def as_norms(value: Value) -> ByLeaf:
    """The norm of each leaf, from what a user wrote; "auto" for a leaf that no pattern matches."""
    own = as_structure(value, "norms")
    for name in own.known_values():
        if name not in NAMES:
            raise ValueError(f"there are {', '.join(map(repr, NAMES))}, not {name!r}")
    patterns = own.patterns
    return own if patterns is None else ByLeaf(own.values, patterns, BY_SHAPE, "norms")


Norms: TypeAlias = Annotated[Tree, Data(as_norms, name="Structure")]
"""Annotation of a choice of norms by leaf: a name, a tree of them, or pairs of pattern and name."""


def _sign(x: jax.Array, view: MatrixView, _: Number) -> jax.Array:
    return jnp.sign(x) / view.fan_in


def _columns(x: jax.Array, view: MatrixView, eps: Number) -> jax.Array:
    return safe_divide(x, rms(x, view.outputs, keepdims=True) + eps, at_least=eps)


def _rows(x: jax.Array, view: MatrixView, eps: Number) -> jax.Array:
    # ‖g‖·√in = rms(g)·in
    return safe_divide(x, view.fan_in * rms(x, view.inputs, keepdims=True) + eps, at_least=eps)


BY_ELEMENTS: dict[str, Function] = {"sign": _sign, "column": _columns, "row": _rows}
NAMES = (BY_SHAPE, "spectral", *BY_ELEMENTS, "rms")


@leafwise
def steepest(
    norms: Norms = BY_SHAPE,
    ns_coeffs: Polynomials = STANDARD,
    ns_steps: IterationCount = 5,
    eps: NonNegative = 1e-8,
    *,
    weight_dimension_numbers: MatrixAxes = None,
    dtype: StorageDType | None = None,
) -> LeafFunctions:
    """Go in the direction of steepest ascent under a norm, by a step of norm one.

    uₜ = argmax ⟨gₜ, u⟩ over ‖u‖ ≤ 1, for W with in inputs and out outputs by

    - "spectral": √(out/in)·orthogonalize(g), for the norm of root mean squares in and out;
    - "sign": sign(g)/in, for the largest element;
    - "column": the weights of each input divided by their root mean square, for one-hot inputs;
    - "row": the weights of each output divided by √in times their norm;
    - "rms": g divided by its root mean square, for arrays that are not matrices;
    - "auto": "spectral" for matrices, "rms" for the others.

    The step depends on the gradient's direction alone (ε → 0).

    Args:
        norms: a name for all leaves, a tree of them, or a list of pairs ``(pattern, name)``, where
            leaves that no pattern matches are "auto":
            ``[("embedding", "column"), ("head", "sign")]``.
        ns_coeffs: coefficients of the polynomials, as for :func:`orthogonalize`.
        ns_steps: the number of iterations of orthogonalization.
        eps: ε, added to each denominator.
        weight_dimension_numbers: which axes are the matrix, as for :func:`orthogonalize`.
        dtype: the dtype of the matrix products; at least float32 unless given.

    Raises:
        ValueError: if a name is unknown, or a norm for matrices is chosen for an array that is not
            one.

    >>> import jax.numpy as jnp
    >>> from gdlab import steepest
    >>> tx = steepest("sign")
    >>> tx.update(jnp.array([[3.0, -1.0], [2.0, 0.0]]), tx.init(jnp.eye(2)))[0]
    Array([[ 0.5, -0.5],
           [ 0.5,  0. ]], dtype=float32)

    Source: T. Pethick et al., Training deep learning models with norm-constrained LMOs, 2025,
    tables 2 to 4.
    """
    polynomials = of_each_step(ns_coeffs, ns_steps)

    def update(u):
        if norms not in NAMES:  # a function of the parameters chose it
            raise ValueError(f"norms: there are {', '.join(map(repr, NAMES))}, not {norms!r}")
        view = matrix_view(weight_dimension_numbers, u.shape)
        if norms == "rms" or (norms == BY_SHAPE and view is None):
            return safe_divide(u, rms(u) + eps, at_least=eps)
        if view is None:
            raise ValueError(
                f"norms: {norms!r} is for matrices, but an array of the shape {u.shape} is none; "
                "weight_dimension_numbers may say which axes are one"
            )
        if u.size == 0:
            return u
        if norms in BY_ELEMENTS:
            return BY_ELEMENTS[norms](u, view, eps)
        x = view.matrices(u)
        x = cast(x, storage_dtype(x, dtype))
        factor = view.restored(polar_factor(x, polynomials, eps).astype(u.dtype), u)
        return (view.fan_out / view.fan_in) ** 0.5 * factor

    return update
