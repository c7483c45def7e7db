"""The axes of arrays in another library's order and in gdlab's, by path."""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from gdlab.core.structure import require_matches

Axes: TypeAlias = tuple[int, ...]
"""The axes of the other library's array in the order that gdlab's has, as ``numpy.transpose``
takes them."""
Layout: TypeAlias = (
    Mapping[str, str | Sequence[int]] | Sequence[tuple[str, str | Sequence[int]]] | None
)
"""Regular expressions for paths of parameters, and the axes of the parameters that they match.

Axes are a permutation, such as ``(1, 0)``, or one of the names in :data:`KERNELS`. The first
expression found in a path decides; parameters without a match keep their axes.
"""
KERNELS: Mapping[str, Axes] = {
    "linear": (1, 0),
    "conv1d": (2, 1, 0),
    "conv2d": (2, 3, 1, 0),
    "conv3d": (2, 3, 4, 1, 0),
}
"""The permutations from torch's kernels, output axis first, to Flax's, output axis last."""


def axes_by_path(layout: Layout, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Axes]:
    """The permutation for each parameter whose axes have another order in the other library.

    Args:
        layout: patterns and axes.
        shapes: path → the parameter's shape in gdlab.

    Raises:
        ValueError: if a pattern matches no path, or its axes are not a permutation of those of a
            parameter that it matches.

    >>> from gdlab.interop.states.by_parameter.layouts import axes_by_path
    >>> axes_by_path({"kernel": "linear"}, {"dense.kernel": (3, 5), "dense.bias": (5,)})
    {'dense.kernel': (1, 0)}
    """
    pairs = list(layout.items() if isinstance(layout, Mapping) else layout or ())
    require_matches("layout", [pattern for pattern, _ in pairs], list(shapes))
    found = {}
    for path, shape in shapes.items():
        axes = next((axes for pattern, axes in pairs if re.search(pattern, path)), None)
        if axes is not None:
            found[path] = _permutation(axes, path, shape)
    return found


def _permutation(axes: str | Sequence[int], path: str, shape: tuple[int, ...]) -> Axes:
    if isinstance(axes, str):
        if axes not in KERNELS:
            raise ValueError(
                f"layout: {axes!r} names no kind of kernel; give one of {', '.join(KERNELS)}, or a "
                "permutation of axes such as (1, 0)"
            )
        axes = KERNELS[axes]
    if sorted(axes) != list(range(len(shape))):
        raise ValueError(
            f"layout: {tuple(axes)} is no permutation of the axes of {path!r}, whose shape is "
            f"{shape}"
        )
    return tuple(axes)


def permuted(array: np.ndarray, axes: Axes | None) -> np.ndarray:
    """An array of the other library with its axes in gdlab's order.

    An array without the axes of its parameter, such as a count, is returned unchanged.
    """
    return array.transpose(axes).copy() if axes and array.ndim == len(axes) else array


def restored(array: np.ndarray, axes: Axes | None) -> np.ndarray:
    """An array of gdlab with its axes in the other library's order."""
    return permuted(array, None if axes is None else tuple(map(int, np.argsort(axes))))
