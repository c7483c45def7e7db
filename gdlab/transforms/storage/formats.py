"""The formats in which slots can be stored."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, Self, TypeAlias

import jax
import jax.numpy as jnp

from gdlab.checks.checked import checked_class
from gdlab.checks.kinds import Count, Size
from gdlab.core.export import is_exported
from gdlab.core.forms import stored_form
from gdlab.core.numerics import cast, dtype_like, widen
from gdlab.core.opening import FLOAT32
from gdlab.core.rounding import noise_of, salt_of, stochastic
from gdlab.core.structure import Tree
from gdlab.transforms.storage.companding import companded

FormatName: TypeAlias = Literal["float32", "bfloat16", "bfloat16_stochastic", "int8"]
Rounding: TypeAlias = Literal["nearest", "stochastic"]


class SlotFormat(Protocol):
    """A way of storing an array of real numbers."""

    def stored(self, array: jax.Array, is_nonnegative: bool) -> Tree:
        """The array in this format, or unchanged if the format does not suit it."""
        ...


@stored_form
@is_exported
class RoundedAtRandom(NamedTuple):
    """An array in bfloat16, rounded up or down at random, so that it is exact in the mean."""

    is_passed_on = True
    array: jax.Array
    """The array, in bfloat16."""
    writes: jax.Array
    """The number of writes so far, so that each write rounds differently."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.array.shape

    def read(self) -> jax.Array:
        """The array, in float32."""
        return widen(self.array)

    def write(self, array: jax.Array) -> Self:
        """Another array in the same form."""
        wide = array.astype(jnp.float32)
        rounded = stochastic(wide, noise_of(wide, salt_of(self.writes)), jnp.bfloat16)
        return type(self)(rounded.astype(jnp.bfloat16), self.writes + 1)


@stored_form
@is_exported
class ComplexParts(NamedTuple):
    """A complex array as its real and imaginary parts, each stored in a format."""

    is_passed_on = False
    real: Tree
    imag: Tree

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.real.shape

    def read(self) -> jax.Array:
        """The array, in complex64."""
        return jax.lax.complex(*(_read(part) for part in self))

    def write(self, array: jax.Array) -> Self:
        """Another array in the same form."""
        parts = zip(self, (array.real, array.imag), strict=True)
        return type(self)(*(_write(part, own) for part, own in parts))


def _read(part: Tree) -> jax.Array:
    return widen(part) if isinstance(part, jax.Array) else part.read()


def _write(part: Tree, array: jax.Array) -> Tree:
    return cast(array, part.dtype) if isinstance(part, jax.Array) else part.write(array)


@dataclass(frozen=True)
class Float32Format:
    """Store slots in float32."""

    def stored(self, array: jax.Array, is_nonnegative: bool) -> Tree:  # noqa: ARG002
        """The array in float32."""
        return cast(array, FLOAT32)


@checked_class
@dataclass(frozen=True)
class BFloat16Format:
    """Store slots in bfloat16.

    A number is rounded to the nearest bfloat16, which has two or three decimal digits, or up or
    down at random so that its mean is exact. Random rounding is needed for slots that change by
    less than their last digit at each step, such as an average of squares with decay 0.999.

    Args:
        rounding: "nearest", "stochastic", or None for "stochastic" in slots without negative
            numbers, such as second moments, and "nearest" in others.

    Raises:
        ValueError: if ``rounding`` is none of these.
    """

    rounding: Rounding | None = None

    def stored(self, array: jax.Array, is_nonnegative: bool) -> Tree:
        """The array in bfloat16."""
        by_sign = "stochastic" if is_nonnegative else "nearest"
        if (self.rounding or by_sign) == "nearest":
            return cast(array, jnp.bfloat16)
        return RoundedAtRandom(cast(array, jnp.bfloat16), jnp.zeros((), jnp.uint32))


@checked_class
@dataclass(frozen=True)
class Int8Format:
    """Store slots in eight bits, with a 16-bit scale for each group along the last axis.

    Slots without negative numbers have unsigned codes of their roots, the others signed codes, both
    denser near 0. In slots without negative numbers, nonzero numbers stay nonzero.

    Args:
        group: the length of a group, a power of two. If the last axis is split over devices, the
            length of each part should be a multiple of it.
        smallest: the number of elements below which an array stays in float32.

    Raises:
        ValueError: if ``group`` is not a power of two.

    Source: J. J. Gonzalez Ortiz, A. Gupta, C. Rinard, D. Blalock, FlashOptim: optimizers for
    memory-efficient training, 2026.
    """

    group: Count = 32
    smallest: Size = 1024

    def __post_init__(self) -> None:
        if self.group & (self.group - 1):
            raise ValueError(f"group must be a power of two, not {self.group!r}")

    def stored(self, array: jax.Array, is_nonnegative: bool) -> Tree:
        """The array in eight bits, if it is large enough."""
        if array.size < self.smallest:
            return array
        return companded(array, self.group, is_nonnegative)


FORMATS: dict[str, SlotFormat] = {
    "float32": Float32Format(),
    "bfloat16": BFloat16Format(),
    "bfloat16_stochastic": BFloat16Format("stochastic"),
    "int8": Int8Format(),
}
"""The formats by name."""


def in_format(array: jax.Array, form: SlotFormat, is_nonnegative: bool) -> Tree:
    """An array in a format; a complex array as its real and imaginary parts."""
    if array.ndim == 0:
        return array
    if not jnp.iscomplexobj(array):
        return form.stored(array, is_nonnegative)
    if isinstance(form, Float32Format):
        return cast(array, dtype_like(array, FLOAT32))
    return ComplexParts(form.stored(array.real, False), form.stored(array.imag, False))
