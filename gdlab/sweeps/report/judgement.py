"""The base classes of judgements, and the numbers and lists in their sentences."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Judgement:
    """A judgement of a result: its numbers are its fields, and ``print`` shows it as a sentence."""

    kind: ClassVar[str]
    """The name of the kind of judgement, by which :meth:`gdlab.SweepReport.of_kind` selects."""
    heading: ClassVar[str]
    """The heading above judgements of this kind in a report."""
    problem: str = ""
    """The name of the problem that is judged; the empty string if there is one alone."""

    @property
    def sentence(self) -> str:
        """The judgement in words."""
        raise NotImplementedError

    @property
    def is_alarm(self) -> bool:
        """True if the result should not be trusted as it is."""
        return False

    @property
    def on_problem(self) -> str:
        """The words " on " and the problem; the empty string if there is one alone."""
        return f" on {self.problem}" if self.problem else ""

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Rows of a table, each a dictionary from column to value."""
        names = [field.name for field in dataclasses.fields(self)]
        return [{name: getattr(self, name) for name in names} | {"alarm": self.is_alarm}]

    def __str__(self) -> str:
        return self.sentence


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class OptimizerJudgement(Judgement):
    """A judgement of one optimizer on one problem."""

    optimizer: str
    """The name of the optimizer that is judged; the empty string if there is one alone."""

    @property
    def subject(self) -> str:
        """The names of the optimizer and of the problem, if they have names."""
        return " on ".join(filter(None, (self.optimizer, self.problem)))


def number(value: Any) -> str:
    """A number with three digits; a text as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | np.integer):
        return str(value)
    return f"{value:.3g}".replace("-", "−")


def label(value: Any) -> str:
    """A label in full, or to three digits if it has more than five, as sampled values do."""
    if isinstance(value, str | bool):
        return str(value)
    written = str(value) if isinstance(value, int) else f"{value:.5g}"
    return (written if float(written) == value else f"{value:.3g}").replace("-", "−")


def point_in_words(labels: dict[str, Any]) -> str:
    """The values of axes as equations."""
    return ", ".join(f"{name} = {label(value)}" for name, value in labels.items())


def enumeration(parts: Sequence[str], last: str = "and") -> str:
    """A list in words: the parts with commas between them, and a word before the last one."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def plural(count: float, noun: str) -> str:
    """A count with its noun."""
    return f"{number(count)} {noun}" + ("" if count == 1 else "s")
