"""One number of a measurement, and its verdict."""

from dataclasses import dataclass

UNITS = {
    "words": "words",
    "temporaries": "words",
    "launches": "",
    "compilations": "",
    "cpu": "s",
    "wall": "s",
}
"""The measures, and the unit of each if the figure is not a ratio.

Words moved and words of temporaries count words of four bytes for each parameter, read off the
compiled program; launches are the instructions of its entry computation that do work.
"""

MEASURES = {
    "words": "words moved",
    "temporaries": "temporaries",
    "launches": "launches",
    "compilations": "compilations",
    "cpu": "CPU time",
    "wall": "wall time",
}
"""The names of the measures in tables."""


@dataclass(frozen=True)
class Figure:
    """The cost of a contender in one part of a work, or the ratio of this cost to that of a peer.

    Attributes:
        part: the part of the work: a step, its compilation, a tree of a certain size.
        contender: the name of the contender.
        measure: one of ``UNITS``.
        value: the cost in that unit, or the ratio; the median if it was measured repeatedly.
        against: the peer by whose cost it is divided; ``None`` if it is not a ratio.
        quartiles: the quartiles of the paired ratios, or of the times.
        target: the largest value that meets the target; ``None`` if there is no target.
    """

    part: str
    contender: str
    measure: str
    value: float
    against: str | None = None
    quartiles: tuple[float, float] | None = None
    target: float | None = None

    @property
    def verdict(self) -> str:
        """Tell whether the target is ``"met"`` or ``"missed"``; empty if there is none."""
        if self.target is None:
            return ""
        return "met" if self.value <= self.target else "missed"
