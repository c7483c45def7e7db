"""A composition as a block diagram, as engineers draw filters."""

import dataclasses
import itertools
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from gdlab.checks.checked import checked
from gdlab.core.transformation import GradientTransformation, as_transformation, expand
from gdlab.plots.diagrams.blocks import (
    GAP,
    LANE,
    LINE,
    PADDING,
    TITLE,
    Block,
    Box,
    Frame,
    Parallel,
    Series,
    block_of,
)
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import CURVE, DIVERGED, SECOND

WIDEST = 9.0
"""The largest width of a row, in inches; a longer series continues in the next row."""
MARGIN = 0.45
WIRE, QUIET, JOIN = "0.27", "0.4", "#F4F4F4"
BRANCHES = CURVE, DIVERGED, SECOND
"""The colours of the branches' boxes, in turn."""
POINTS = 9


@checked
def block_diagram(tx: GradientTransformation, ax: Axes | None = None) -> Axes:
    """Draw a composition as a block diagram: links in series, parallel branches, framed wrappers.

    The gradient g enters on the left, and the update u leaves on the right. A named method is
    expanded once, by :func:`gdlab.expand`; each part of it is one box.

    Args:
        tx: the transformation.
        ax: the matplotlib axes to draw on; new ones of the diagram's size unless given.

    Returns:
        The matplotlib axes, in inches.

    >>> from gdlab import adam, plots
    >>> ax = plots.block_diagram(adam(0.1))
    >>> [text.get_text() for text in ax.texts][:4]
    ['g', 'mu', 'debias', 'ema']
    """
    rows = _rows(block_of(expand(as_transformation(tx))))
    width = max(row.width for row in rows) + 2 * (MARGIN + GAP)
    height = sum(row.height for row in rows) + (len(rows) - 1) * 2 * LANE + 2 * PADDING
    if ax is None:
        ax = figure_of((width, height)).subplots()
    ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    ax.axis("off")
    drawing = _Drawing(ax)
    top, left = PADDING, MARGIN + GAP
    for number, row in enumerate(rows):
        middle = top + row.height / 2
        if number == 0:
            drawing.word(MARGIN - 0.08, middle, "g", QUIET, ha="right")
            drawing.lead([(MARGIN, middle), (left, middle)], row, WIRE)
        drawing.block(row, left, middle, WIRE)
        end = left + row.width
        if number == len(rows) - 1:
            drawing.arrow([(end, middle), (end + GAP, middle)], WIRE)
            drawing.word(end + GAP + 0.08, middle, "u", QUIET, ha="left")
            continue
        bottom, below = top + row.height + LANE, rows[number + 1].height / 2
        turn = [(end, middle), (end + GAP / 2, middle), (end + GAP / 2, bottom)]
        back = [
            (left - GAP, bottom),
            (left - GAP, bottom + LANE + below),
            (left, bottom + LANE + below),
        ]
        drawing.lead([*turn, *back], rows[number + 1], WIRE)
        top = bottom + LANE
    return ax


def _rows(block: Block) -> list[Series]:
    """The links of a series, in as many rows as it takes."""
    links = block.blocks if isinstance(block, Series) else (block,)
    rows: list[list[Block]] = [[]]
    for link in links:
        if rows[-1] and Series((*rows[-1], link)).width > WIDEST:
            rows.append([])
        rows[-1].append(link)
    return [Series(tuple(row)) for row in rows]


@dataclasses.dataclass(frozen=True)
class _Drawing:
    """Drawing operations on matplotlib axes in inches, with y growing downwards."""

    ax: Axes

    def block(self, block: Block, left: float, middle: float, colour: str) -> None:
        """Draw a block, with a wire that enters at the left and leaves at the right."""
        if isinstance(block, Box):
            self.box(block, left, middle, colour)
        elif isinstance(block, Series):
            self.series(block, left, middle, colour)
        elif isinstance(block, Parallel):
            self.parallel(block, left, middle, colour)
        else:
            self.frame(block, left, middle, colour)

    def series(self, block: Series, left: float, middle: float, colour: str) -> None:
        """Draw blocks in series, with arrows between them."""
        for link, following in itertools.pairwise((*block.blocks, None)):
            assert link is not None
            self.block(link, left, middle, colour)
            left += link.width
            if following is not None:
                self.lead([(left, middle), (left + GAP, middle)], following, colour)
                left += GAP

    def parallel(self, block: Parallel, left: float, middle: float, colour: str) -> None:
        """Draw branches that start from one point, and the box that joins them."""
        split, first = left + 0.5 * GAP, left + 1.5 * GAP
        end, join = first + block.inner, left + block.width - block.join.width
        self.line([(left, middle), (split, middle)], colour)
        self.ax.plot(split, middle, "o", color=colour, markersize=4)
        top = middle - (sum(block.heights) + LANE * (len(block.branches) - 1)) / 2
        count = len(block.branches)
        for number, (branch, name, height) in enumerate(
            zip(block.branches, block.names, block.heights, strict=True)
        ):
            own = BRANCHES[number % len(BRANCHES)] if colour == WIRE else colour
            row = top + height - branch.height / 2
            # The wires of the branches end at different heights of the join.
            share = (number + 1) / (count + 1) - 0.5
            port = middle + share * block.join.height
            if name:
                self.word(first, row - branch.height / 2 - TITLE / 2, name, own, ha="left")
            self.lead([(split, middle), (split, row), (first, row)], branch, own)
            self.block(branch, first, row, own)
            turn = end + GAP * (0.35 + 0.6 * (abs(share) + 0.5))
            path = [(first + branch.width, row), (turn, row), (turn, port), (join, port)]
            self.arrow(path, own)
            top += height + LANE
        self.box(block.join, join, middle, colour)

    def frame(self, block: Frame, left: float, middle: float, colour: str) -> None:
        """Draw a dashed frame with its title above its contents."""
        top = middle - block.height / 2
        self.patch(left, top, block.width, block.height, QUIET, "none", linestyle=(0, (4, 3)))
        self.word(left + PADDING, top + TITLE / 2 + 0.03, block.title, QUIET, ha="left")
        inside = left + (block.width - block.block.width) / 2
        self.lead([(left, middle), (inside, middle)], block.block, colour)
        self.block(block.block, inside, middle, colour)
        self.line([(inside + block.block.width, middle), (left + block.width, middle)], colour)

    def box(self, box: Box, left: float, middle: float, colour: str) -> None:
        """Draw a box with its text."""
        fill = JOIN if box.joins else "white"
        self.patch(left, middle - box.height / 2, box.width, box.height, colour, fill)
        centre = left + box.width / 2
        first = middle - LINE * len(box.arguments) / 2
        self.word(centre, first, box.name, "black")
        for number, line in enumerate(box.arguments, start=1):
            self.word(centre, first + LINE * number, line, QUIET, size=POINTS - 1.5)

    def patch(self, left: float, top: float, width: float, height: float, edge: Any, fill: Any,
              **settings: Any) -> None:  # fmt: skip
        """Draw a rectangle with rounded corners."""
        style = "round,pad=0,rounding_size=0.06"
        self.ax.add_patch(
            FancyBboxPatch(
                (left, top), width, height, style, edgecolor=edge, facecolor=fill,
                linewidth=1.2, zorder=2 if fill != "none" else 1, **settings,
            )
        )  # fmt: skip

    def word(self, x: float, y: float, text: str, colour: str, **settings: Any) -> None:
        """Write text, centred unless the settings say otherwise."""
        settings = {"ha": "center", "va": "center", "size": POINTS, "zorder": 3, **settings}
        self.ax.text(x, y, text, color=colour, parse_math=False, **settings)

    def lead(self, points: list[tuple[float, float]], block: Block, colour: str) -> None:
        """Draw a wire to a block, with an arrowhead if it ends at a box."""
        first = block.blocks[0] if isinstance(block, Series) else block
        (self.arrow if isinstance(first, Box) else self.line)(points, colour)

    def line(self, points: list[tuple[float, float]], colour: str) -> None:
        """Draw a wire through points."""
        self.ax.plot(*zip(*points, strict=True), color=colour, linewidth=1.2, zorder=1.5,
                     solid_joinstyle="round")  # fmt: skip

    def arrow(self, points: list[tuple[float, float]], colour: str) -> None:
        """Draw a wire through points, with an arrowhead at its end."""
        self.line(points, colour)
        self.ax.add_patch(
            FancyArrowPatch(
                points[-2], points[-1], arrowstyle="-|>", mutation_scale=11, shrinkA=0, shrinkB=0,
                color=colour, linewidth=0, zorder=2.5,
            )
        )  # fmt: skip
