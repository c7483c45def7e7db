"""A composition of transformations as boxes, in series, in parallel and within frames.

Each block knows its size in inches; the enclosing block decides its position.
"""

import dataclasses
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from gdlab.core.joins import Join
from gdlab.core.representation import represent
from gdlab.core.structure import Named, Value
from gdlab.core.transformation import GradientTransformation

LETTER, LINE = 0.082, 0.165
"""The width of a letter and the height of a line in a box, in inches."""
PADDING, GAP, LANE = 0.12, 0.34, 0.2
"""The padding in a box, the gap between boxes in series, and the gap between branches, in
inches."""
LONGEST_LINE = 26
TITLE = 0.22
"""The height of the title of a frame, and of the name of a branch."""


@dataclasses.dataclass(frozen=True)
class Box:
    """A box for one transformation: its name, and its arguments below."""

    name: str
    arguments: tuple[str, ...] = ()
    joins: bool = False
    """True if the box joins branches."""

    @property
    def width(self) -> float:
        """The width of the longest line, with padding."""
        return LETTER * max(map(len, (self.name, *self.arguments))) + 2 * PADDING

    @property
    def height(self) -> float:
        """The height of all lines, with padding."""
        return LINE * (1 + len(self.arguments)) + 2 * PADDING


@dataclasses.dataclass(frozen=True)
class Series:
    """Blocks one after another."""

    blocks: tuple["Block", ...]

    @property
    def width(self) -> float:
        """The total width of the blocks and of the wires between them."""
        return sum(block.width for block in self.blocks) + GAP * (len(self.blocks) - 1)

    @property
    def height(self) -> float:
        """The height of the tallest block."""
        return max(block.height for block in self.blocks)


@dataclasses.dataclass(frozen=True)
class Parallel:
    """Parallel branches with the same input, and the box that joins their outputs."""

    branches: tuple["Block", ...]
    names: tuple[str, ...]
    join: Box

    @property
    def inner(self) -> float:
        """The width of the widest branch."""
        return max(block.width for block in self.branches)

    @property
    def width(self) -> float:
        """The width of the branches, of the wires on both sides, and of the join."""
        return 1.5 * GAP + self.inner + 1.5 * GAP + self.join.width

    @property
    def heights(self) -> list[float]:
        """The height of each branch, with its name above it."""
        pairs = zip(self.branches, self.names, strict=True)
        return [block.height + (TITLE if name else 0) for block, name in pairs]

    @property
    def height(self) -> float:
        """The height of all branches, and of the gaps between them."""
        branches = sum(self.heights) + LANE * (len(self.branches) - 1)
        return max(branches, self.join.height)


@dataclasses.dataclass(frozen=True)
class Frame:
    """A wrapper around a block."""

    title: str
    block: "Block"

    @property
    def width(self) -> float:
        """The width of the block or of the title, whichever is larger, with padding."""
        return max(self.block.width + 2 * GAP, LETTER * len(self.title) + 2 * PADDING)

    @property
    def height(self) -> float:
        """The height of the block and of the title, with the same margin at the bottom."""
        return self.block.height + 2 * TITLE + PADDING


Block = Box | Series | Parallel | Frame


def block_of(tx: GradientTransformation) -> Block:
    """The block that stands for a transformation, with blocks for its parts."""
    arguments, inner = tx.arguments(), list(_parts_of(tx))
    name = tx.factory.name
    if name in ("chain", "named_chain"):
        links = [block_of(part) for _, part in inner]
        return links[0] if len(links) == 1 else Series(tuple(links))
    if name == "fork":
        names = tuple(label for label, _ in inner)
        branches = tuple(block_of(part) for _, part in inner)
        return Parallel(branches, names, box_of(arguments["join"], joins=True))
    if not inner:
        return box_of(tx)
    if len(inner) == 1:
        return Frame(_title(tx), block_of(inner[0][1]))
    names, parts = zip(*inner, strict=True)
    return Parallel(tuple(map(block_of, parts)), names, dataclasses.replace(_alone(tx), joins=True))


def box_of(part: GradientTransformation | Join, *, joins: bool = False) -> Box:
    """The box of a transformation without parts."""
    return dataclasses.replace(_alone(part), joins=joins)


def _alone(part: GradientTransformation | Join) -> Box:
    """The box of a part, with its arguments except for transformations."""
    if part.factory.name == "foreign_join":
        return Box(represent(part.arguments()["function"]))
    written = _written(part)
    lines = textwrap.wrap(", ".join(written), LONGEST_LINE, break_long_words=False)
    return Box(part.factory.name, tuple(lines))


def _title(tx: GradientTransformation) -> str:
    written = ", ".join(_written(tx))
    title = f"{tx.factory.name}({written})" if written else tx.factory.name
    return textwrap.shorten(title, 60, placeholder=" …")


def _written(part: GradientTransformation | Join) -> list[str]:
    """The arguments that differ from their defaults, in source code."""
    written = []
    for name, parameter in part.factory.parameters.items():
        value = part.arguments()[name]
        if list(_transformations("", value)):
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            written.extend(represent(item) for item in value)
        elif parameter.default is parameter.empty:
            written.append(represent(value))
        elif represent(value) != part.factory.defaults[name]:
            written.append(f"{name}={represent(value)}")
    return written


def _parts_of(tx: GradientTransformation) -> Iterator[tuple[str, GradientTransformation]]:
    """The transformations among the arguments, with the names of these arguments."""
    for name, value in tx.arguments().items():
        yield from _transformations(name, value)


def _transformations(name: str, value: Value) -> Iterator[tuple[str, GradientTransformation]]:
    if isinstance(value, GradientTransformation):
        yield name, value
    elif isinstance(value, Mapping | Named):
        for key, item in value.items() if isinstance(value, Mapping) else value:
            yield from _transformations(str(key), item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _transformations("", item)
