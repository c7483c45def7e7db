"""Fingerprints: short texts that are equal, in any process, if arrays or programs are equal."""

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from gdlab.core.structure import is_none
from gdlab.devices.transfer import key_implementation


def hash_of_arrays(tree: Any) -> str:
    """The fingerprint of a tree of arrays: a SHA-256 of path, dtype, shape and bytes of each leaf.

    Leaves are arrays of NumPy or JAX, typed keys, Python numbers and None. A Python number counts
    as ``np.asarray`` of it, so ``1.0`` is a float64 and differs from ``jnp.asarray(1.0)``. Only the
    paths to leaves count, not the types of containers: a list and a tuple of the same leaves have
    the same fingerprint.

    Raises:
        TypeError: if a leaf is none of these.

    >>> import numpy as np
    >>> hash_of_arrays({"w": np.ones(2)}) == hash_of_arrays({"w": np.ones(2)})
    True
    >>> hash_of_arrays({"w": np.ones(2)}) == hash_of_arrays({"w": np.ones((2, 1))})
    False
    """
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_none)[0]:
        where = jax.tree_util.keystr(path)
        if leaf is None:
            digest.update(repr((where, None)).encode())
            continue
        array = bits_of(leaf, where)
        dtype = array.dtype.byteorder, array.dtype.name
        digest.update(repr((where, key_implementation(leaf), dtype, array.shape)).encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def hash_of_program(function: Callable[..., Any], *args: Any) -> str:
    """The fingerprint of the program of a function: a SHA-256 of its jaxpr and all its constants.

    The name of the function, its file and the wording of its Python do not count, but the names of
    functions that it compiles do. Its own derivative rule (``jax.custom_jvp``) counts only where
    ``function`` differentiates, so give the gradient if that is what is computed. Callbacks into
    Python count by their names alone.

    Args:
        function: a traceable function.
        *args: its arguments, trees of arrays or of ``jax.ShapeDtypeStruct``, whose shapes and
            dtypes count, but not their values.

    >>> import jax.numpy as jnp
    >>> hash_of_program(lambda x: 2 * x, jnp.ones(3)) == hash_of_program(
    ...     lambda y: 2 * y, jnp.zeros(3)
    ... )
    True
    >>> hash_of_program(lambda x: 2 * x, jnp.ones(3)) == hash_of_program(
    ...     lambda x: 3 * x, jnp.ones(3)
    ... )
    False
    """
    program = jax.make_jaxpr(function)(*args)
    text = portable(program.pretty_print(use_color=False))
    # The text rounds or omits the elements of arrays, so the arrays themselves are hashed too.
    return hash_of_arrays((np.frombuffer(text.encode(), np.uint8), list(_constants(program))))


def portable(text: str) -> str:
    """The text of a jaxpr without addresses and with sorted sets, which is the same in any process.

    Newer versions of JAX leave out most addresses themselves.
    """
    text = re.sub(r" at 0x[0-9a-fA-FX]+", "", text)
    return re.sub(
        r"frozenset\(\{(.*?)\}\)",
        lambda match: f"frozenset({{{', '.join(sorted(match[1].split(', ')))}}})",
        text,
    )


def bits_of(leaf: Any, where: str) -> np.ndarray:
    """The array of a leaf: an array itself, a number, or the data of a typed key.

    Args:
        leaf: the leaf.
        where: the path of the leaf, for the message of an error.

    Raises:
        TypeError: if it is none of these.
    """
    array = np.asarray(leaf if key_implementation(leaf) is None else jax.random.key_data(leaf))
    if not (jnp.issubdtype(array.dtype, np.number) or array.dtype == bool):
        raise TypeError(
            f"{where or 'the root'}: expected an array, a number or a key, got "
            f"{type(leaf).__name__} of dtype {array.dtype}"
        )
    return array


def _constants(value: Any) -> Iterator[Any]:
    """The arrays in a jaxpr, or in a parameter of one of its equations."""
    if isinstance(value, ClosedJaxpr):
        yield from value.consts
        yield from _constants(value.jaxpr)
    elif isinstance(value, Jaxpr):
        for equation in value.eqns:
            yield from _constants(equation.invars)
            yield from _constants(list(equation.params.values()))
        yield from _constants(value.outvars)
    elif isinstance(value, Literal):
        yield value.val
    elif isinstance(value, np.ndarray | jax.Array):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _constants(item)
