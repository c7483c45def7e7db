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
"""What can be measured, and the unit in which it is given if it is not a ratio.

Words and temporaries are those of four bytes for each parameter, read off the compiled program;
launches are the instructions of its entry computation that do work.
"""

MEASURES = {
    "words": "words moved",
    "temporaries": "temporaries",
    "launches": "launches",
    "compilations": "compilations",
    "cpu": "CPU time",
    "wall": "wall time",
}
"""The measures as tables call them."""


@dataclass(frozen=True)
class Figure:
    """One number: what a contender costs in one part of a work, or that over what a peer costs.

    Attributes:
        part: what is measured: a step, its compilation, a tree of a certain size.
        contender: whose cost it is.
        measure: one of ``UNITS``.
        value: the cost in that unit, or the ratio; the median where it was measured repeatedly.
        against: the peer whose cost it is divided by; ``None`` if it is not a ratio.
        quartiles: of the paired ratios, or of the times.
        target: what the value is not to exceed, where something was to be reached.
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
