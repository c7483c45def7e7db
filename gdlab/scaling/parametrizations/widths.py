"""The widths of a model relative to those of a smaller base model."""

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import jax

from gdlab.core.by_leaf import patterns_of
from gdlab.core.structure import Params, leaves_with_paths, require_matches
from gdlab.training.models import open_model

Layout: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]
"""The fan-in axes and the fan-out axes of a parameter."""
MATRIX: Layout = ((-2,), (-1,))
VECTOR: Layout = ((), (-1,))
INDEX = re.compile(r"(?<![^.])\d+(?![^.])")
"""A component of a path that is a number, such as the index of a block."""


class WidthRatios(NamedTuple):
    """Fan-in and fan-out of a parameter, each as a multiple of the base model's."""

    fan_in: float = 1.0
    fan_out: float = 1.0

    @property
    def is_output(self) -> bool:
        """True if only the fan-in is a width, as in the last layer of a network."""
        return self.fan_in != 1 and self.fan_out == 1

    @property
    def is_input(self) -> bool:
        """True if only the fan-out is a width, as in the first layer and in biases."""
        return self.fan_out != 1 and self.fan_in == 1


@dataclasses.dataclass(frozen=True)
class Widths:
    """The declared widths of a model: the shapes of its base model, or ratios by pattern."""

    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Path and shape of each parameter of the base model."""
    layouts: tuple[tuple[str, Layout], ...] = ()
    """Pairs of path pattern and layout, of which the first match decides."""
    patterns: tuple[tuple[str, WidthRatios], ...] = ()
    """Pairs of path pattern and ratios, if ratios were given in place of shapes."""

    def ratios(self, params: Params) -> dict[str, WidthRatios]:
        """The width ratios of each leaf of ``params``, by path.

        Raises:
            ValueError: if a leaf is not declared, or an axis differs that is neither fan-in nor
                fan-out.
        """
        pairs = [(path, leaf) for path, leaf in leaves_with_paths(params) if leaf is not None]
        if self.patterns:
            return {path: self._declared(path) for path, _ in pairs}
        known = dict(self.shapes)
        anonymous = {INDEX.sub("*", path): shape for path, shape in self.shapes}
        found = {}
        for path, leaf in pairs:
            # A deeper model has more blocks than the base model, with the same shapes.
            if not hasattr(leaf, "shape"):
                raise TypeError(f"params must be a tree of arrays or shapes, not {params!r}")
            base = known.get(path, anonymous.get(INDEX.sub("*", path)))
            if base is None or len(base) != len(leaf.shape):
                raise ValueError(
                    f"base has no parameter {path!r} of {len(leaf.shape)} axes; it has {known}"
                )
            found[path] = _compared(path, leaf.shape, base, self._layout(path, len(base)))
        return found

    def _declared(self, path: str) -> WidthRatios:
        for pattern, ratios in self.patterns:
            if re.search(pattern, path):
                return ratios
        raise ValueError(f"base: no pattern matches the parameter {path!r}")

    def _layout(self, path: str, rank: int) -> Layout:
        for pattern, layout in self.layouts:
            if re.search(pattern, path):
                return layout
        return MATRIX if rank >= 2 else VECTOR if rank == 1 else ((), ())


def widths_of(base: Any, layouts: Mapping[str, Layout] | None = None) -> Widths:
    """Make the widths from a base model, or from ratios.

    Args:
        base: the parameters of the base model or their shapes, a model, its ``init(key)``, or a
            list of pairs ``(pattern of the path, (fan-in ratio, fan-out ratio))``.
        layouts: pattern of the path → (axes of the fan-in, axes of the fan-out); by default the
            last axis but one and the last axis.
    """
    if pairs := patterns_of(base):
        return Widths(patterns=tuple((pattern, _as_ratios(pattern, two)) for pattern, two in pairs))
    opened = open_model(base)
    params = opened.params
    if opened.is_init:
        params = jax.eval_shape(lambda key: open_model(base(key)).params, jax.random.key(0))
    pairs = [(path, leaf) for path, leaf in leaves_with_paths(params) if leaf is not None]
    if not pairs or not all(hasattr(leaf, "shape") for _, leaf in pairs):
        raise TypeError(
            "base must be the parameters of a model or their shapes, a model, its init(key), or "
            f"pairs (pattern, ratios), not {base!r}"
        )
    shapes = tuple((path, tuple(leaf.shape)) for path, leaf in pairs)
    layouts = layouts or {}
    require_matches("layouts", layouts, [path for path, _ in pairs])
    for path, shape in shapes:
        for pattern, layout in layouts.items():
            if re.search(pattern, path):
                _require_layout(pattern, layout, path, len(shape))
                break
    return Widths(shapes, tuple(layouts.items()))


def _require_layout(pattern: str, layout: Layout, path: str, rank: int) -> None:
    """Refuse axes that a parameter does not have, or that are both fan-in and fan-out."""
    axes = [axis for some in layout for axis in some]
    known = [axis % rank for axis in axes if -rank <= axis < rank]
    if len(set(known)) < len(axes):
        raise ValueError(
            f"layouts: {layout} of {pattern!r} must be different axes of {path!r}, which has {rank}"
        )


def _as_ratios(pattern: str, two: Any) -> WidthRatios:
    ratios = WidthRatios(*map(float, two))
    if not all(math.isfinite(ratio) and ratio > 0 for ratio in ratios):
        raise ValueError(f"base: the ratios of {pattern!r} must be positive numbers, not {two}")
    return ratios


def _compared(
    path: str, shape: tuple[int, ...], base: tuple[int, ...], layout: Layout
) -> WidthRatios:
    axes = [tuple(axis % len(base) for axis in some) for some in layout]
    for axis, (own, other) in enumerate(zip(shape, base, strict=True)):
        if own != other and axis not in (*axes[0], *axes[1]):
            raise ValueError(
                f"axis {axis} of {path!r} is {own} long and {other} in base, but is neither its "
                f"fan-in nor its fan-out, which are {layout}: say in layouts which axes are"
            )
    ratio = lambda some: math.prod(shape[axis] / base[axis] for axis in some)  # noqa: E731
    return WidthRatios(ratio(axes[0]), ratio(axes[1]))
