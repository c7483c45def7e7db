"""Transformations on another layout of the parameters: one vector, or real arrays only."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.numerics import common_dtype, dtype_like
from gdlab.core.placement import placed_like, whole
from gdlab.core.rules import EVERYTHING
from gdlab.core.state import refuse_narrow_within
from gdlab.core.structure import Function
from gdlab.core.structure import flatten as flatten_tree
from gdlab.core.transformation import GradientTransformation, transformation


@transformation(reads=EVERYTHING, slots=("inner",))
def flatten(inner: GradientTransformation) -> TreeFunctions:
    """Apply a transformation to all parameters as one vector.

    Operations per array, such as a trust ratio, are then done once for all parameters together, and
    the state has one array. Functions such as ``grad_fn`` take the vector too.

    Args:
        inner: a transformation of one array.

    >>> import jax.numpy as jnp
    >>> from gdlab import clip_by_norm, flatten
    >>> tx = flatten(clip_by_norm(1.0))
    >>> gradient = {"a": jnp.array([3.0]), "b": jnp.array([4.0])}
    >>> tx.update(gradient, tx.init(gradient))[0]
    {'a': Array([0.6], dtype=float32), 'b': Array([0.8], dtype=float32)}
    """

    def to_vector(tree):
        leaves = jax.tree.leaves(tree)
        dtype = dtype_of(leaves)
        return jnp.concatenate(
            [jnp.ravel(whole(x)).astype(dtype) for x in leaves] or [jnp.zeros(0, dtype)]
        )

    def back(vector, like):
        leaves, treedef = jax.tree.flatten(like)
        ends = [sum(x.size for x in leaves[: index + 1]) for index in range(len(leaves))]
        pieces = jnp.split(vector, ends)[: len(leaves)]
        return treedef.unflatten([_shaped(p, x) for p, x in zip(pieces, leaves, strict=True)])

    def dtype_of(leaves):
        real = common_dtype(leaves)
        return dtype_like(1j if any(map(jnp.iscomplexobj, leaves)) else 1.0, real)

    init, update = _in_layout(inner, to_vector, back)

    def init_vector(params):
        refuse_narrow_within("flatten", inner.init, params)
        return init(params)

    return init_vector, update


@transformation(reads=EVERYTHING, slots=("inner",))
def split_real_and_imaginary(inner: GradientTransformation) -> TreeFunctions:
    """Apply a transformation to the real and imaginary parts of complex arrays separately.

    z = x + iy is trained as the pair {"real": x, "imaginary": y}; real arrays pass unchanged. So
    Adam divides each part by the size of its own gradients instead of dividing both by that of the
    moduli.

    Args:
        inner: a transformation of real arrays.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_sign, split_real_and_imaginary
    >>> tx = split_real_and_imaginary(scale_by_sign())
    >>> tx.update(jnp.array([3.0 - 0.5j]), tx.init(jnp.zeros(1, complex)))[0]
    Array([1.-1.j], dtype=complex64)
    """

    def to_pairs(tree):
        pair = lambda x: {"real": x.real, "imaginary": x.imag} if jnp.iscomplexobj(x) else x  # noqa: E731
        return jax.tree.map(pair, tree)

    def back(pairs, like):
        leaves, treedef = flatten_tree(like)
        whole = lambda x, part: (  # noqa: E731
            jax.lax.complex(part["real"], part["imaginary"]) if jnp.iscomplexobj(x) else part
        )
        return treedef.unflatten(map(whole, leaves, treedef.flatten_up_to(pairs)))

    return _in_layout(inner, to_pairs, back)


def _in_layout(
    inner: GradientTransformation, to: Function, back: Function
) -> tuple[Function, Function]:
    def init(params):
        return (inner.init(to(params)),)

    def update(updates, state, params, **extra):
        own = None if params is None else to(params)
        known = dict(extra)
        if "grad" in extra:
            known["grad"] = to(extra["grad"])
        if "value_fn" in extra:
            known["value_fn"] = lambda there: extra["value_fn"](back(there, params))
        if "grad_fn" in extra:
            known["grad_fn"] = lambda there: to(extra["grad_fn"](back(there, params)))
        new, inner_state = inner.update(to(updates), state[0], own, **known)
        return back(new, updates), (inner_state,)

    return init, update


def _shaped(piece: jax.Array, like: jax.Array) -> jax.Array:
    piece = piece if jnp.iscomplexobj(like) else piece.real
    return placed_like(piece.reshape(like.shape).astype(like.dtype), like)
