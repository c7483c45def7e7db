"""The table of a run: gdlab's costs, their targets, and whether these were met."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .figures import MEASURES, Figure
from .files import Run
from .works import WORKS

HEAD = ("work", "part", "what", "count or CPU time", "wall time", "to reach", "verdict")


class Line(NamedTuple):
    """One line of the table, as text under the titles of ``HEAD``."""

    work: str
    part: str
    subject: str
    value: str
    wall: str
    target: str
    verdict: str


def lines(run: Run, targets_only: bool = False) -> Iterator[Line]:
    """The lines about gdlab, those without a target only if asked for.

    A ratio of times is one line, whose verdict is that of CPU time or, where that was not what was
    to be reached, of wall time.
    """
    for name, figures in run.works.items():
        for same in _grouped(figures):
            judged = next((each for each in same if each.target is not None), same[0])
            about_gdlab = judged.contender.startswith("gdlab") and not targets_only
            if judged.target is not None or about_gdlab:
                yield _line(WORKS[name].title, judged, same)


def _grouped(figures: Iterable[Figure]) -> Iterator[list[Figure]]:
    """Each count alone, and the ratios of CPU time and wall time together; no seconds."""
    pairs: dict[tuple[str, str, str], list[Figure]] = {}
    for figure in figures:
        if figure.measure not in ("cpu", "wall"):
            yield [figure]
        elif figure.against is not None:
            key = figure.part, figure.contender, figure.against
            pairs.setdefault(key, []).append(figure)
    yield from pairs.values()


def _line(work: str, judged: Figure, same: list[Figure]) -> Line:
    texts = {figure.measure: _value_text(figure) for figure in same}
    if judged.against is None:
        value, wall = texts[judged.measure], ""
        subject = f"{judged.contender}: {MEASURES[judged.measure]}"
    else:
        value, wall = texts.get("cpu", ""), texts.get("wall", "")
        subject = f"{judged.contender} ÷ {judged.against}"
    target = "" if judged.target is None else f"≤ {number_text(judged.target)}"
    return Line(work, judged.part, subject, value, wall, target, judged.verdict)


def _value_text(figure: Figure) -> str:
    text = number_text(figure.value)
    if figure.quartiles is None:
        return text
    lower, upper = map(number_text, figure.quartiles)
    return text if lower == upper else f"{text} ({lower}–{upper})"


def number_text(number: float) -> str:
    """A number rounded to three significant digits or, from 100 on, to an integer."""
    if number == 0:
        return "0"
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"


def summary(run: Run) -> str:
    """One sentence about when, where and with what a run was made."""
    machine, versions = run.machine, run.versions
    packages = ", ".join(
        f"{name} {versions[name]}" for name in ("jax", "optax", "torch") if versions[name]
    )
    flags = ", ".join(f"{name}={value}" for name, value in run.flags.items())
    return (
        f"{run.date[:16].replace('T', ' ')} UTC, {machine['cpu']} with {machine['cores']} cores, "
        f"computing on {machine['device']}, load {machine['load_before']} before and "
        f"{machine['load_after']} after; gdlab {versions['gdlab']} at "
        f"{(versions['commit'] or 'an unknown commit')[:8]}, {packages}"
        + (f"; {flags}" if flags else "")
        + ("; a smoke test of small arrays" if run.quick else "")
        + (f"; {run.note}" if run.note else "")
    )


def text_table(run: Run) -> str:
    """The table for a terminal, a heading for each work."""
    found = list(lines(run))
    columns = [*zip(*([HEAD[1:]] + [line[1:] for line in found]), strict=True)]
    widths = [max(map(len, column)) for column in columns]
    pad = lambda cells: "  ".join(map(str.ljust, cells, widths)).rstrip()  # noqa: E731
    text, work = [pad(HEAD[1:])], None
    for line in found:
        if line.work != work:
            work = line.work
            text += ["", work]
        text.append(pad(line[1:]))
    verdicts = [line.verdict for line in found]
    return "\n".join(
        [*text, "", summary(run), f"{verdicts.count('met')} met, {verdicts.count('missed')} missed"]
    )


def markdown_table(run: Run) -> str:
    """The lines with a target for a page, the missed ones in bold."""
    rows = [list(HEAD), ["---"] * len(HEAD)]
    work = None
    for line in lines(run, targets_only=True):
        cells = list(line)
        cells[0] = "" if line.work == work else line.work
        work = line.work
        if line.verdict == "missed":
            cells[-1] = "**missed**"
        rows.append(cells)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
