"""Contexts and conversions for small linear algebra in float64 on the CPU."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np

P = ParamSpec("P")
T = TypeVar("T")


@contextlib.contextmanager
def float64_on_cpu() -> Iterator[None]:
    """A context that computes in float64 on the CPU, whatever the session's default precision."""
    with (
        jax.enable_x64(True),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        jax.default_device(jax.local_devices(backend="cpu")[0]),
    ):
        yield


def in_float64(function: Callable[P, T]) -> Callable[P, T]:
    """A function whose body runs under :func:`float64_on_cpu`."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        with float64_on_cpu():
            return function(*args, **kwargs)

    return wrapped


def as_float64(tree: Any) -> Any:
    """A tree with its floating-point leaves in float64, on the host."""

    def convert(leaf: Any) -> Any:
        leaf = np.asarray(leaf)
        # JAX's ``issubdtype`` also knows bfloat16, which NumPy's does not.
        return leaf.astype(np.float64) if jax.numpy.issubdtype(leaf.dtype, np.floating) else leaf

    return jax.tree.map(convert, tree)
