"""The picture of a run: words moved and time by method, over the least there can be."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure as Picture

from .figures import Figure
from .files import Run
from .works import WORKS

SHOWN = (
    "adam",
    "adam_fused",
    "clipped_adamw",
    "adadelta",
    "bfloat16_moments",
    "int8_moments",
    "bfloat16_params",
)
HIDDEN = ("floor", "copy")


def draw(run: Run) -> Picture:
    """Two panels of bars: words moved over the fewest possible, and time over that of the floor."""
    names = [name for name in SHOWN if name in run.works]
    bars = [(name, who) for name in names for who in contenders(run.works[name])]
    picture, (words, time) = plt.subplots(
        1, 2, sharey=True, figsize=(7.2, 0.8 + 0.22 * (len(bars) + len(names)))
    )
    place, places, labels = 0.0, [], []
    for name in names:
        words.text(
            0, place, WORKS[name].title, weight="bold", va="center", transform=_beside(words)
        )
        place += 1
        for who in contenders(run.works[name]):
            _bar(words, time, run.works[name], who, place)
            places.append(place)
            labels.append(who)
            place += 1
        place += 0.3
    words.set_yticks(places, labels)
    words.invert_yaxis()
    for ax, title in ((words, "words moved ÷ fewest possible"), (time, "CPU time ÷ floor")):
        ax.axvline(1, color="black", linewidth=0.8)
        ax.grid(axis="y", visible=False)
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
        ax.set_xlabel(title)
    return picture


def contenders(figures: tuple[Figure, ...]) -> list[str]:
    """All contenders of a work that a step was taken of, in the order of measuring."""
    found = (
        figure.contender for figure in figures if figure.part == "step" and figure.measure == "cpu"
    )
    return [name for name in dict.fromkeys(found) if name not in HIDDEN]


def _bar(words, time, figures: tuple[Figure, ...], who: str, place: float) -> None:
    color = "C0" if who.startswith("gdlab") else "0.65"
    moved = _find(figures, who, "words")
    least = _find(figures, "floor", "words")
    if moved is not None and least is not None:  # what torch moves no compiler tells
        ratio = moved.value / least.value
        words.barh(place, ratio - 1, left=1, color=color)
        words.text(ratio, place, f" {moved.value:.3g}", va="center", size="small")
    taken = _find(figures, who, "cpu", "floor")
    if taken is not None and taken.quartiles is not None:
        time.barh(place, taken.value - 1, left=1, color=color)
        time.hlines(place, *taken.quartiles, color="black", linewidth=1)
        end = max(taken.quartiles[1], 1.0)
        time.text(end, place, f" {taken.value:.3g}", va="center", size="small")


def _find(
    figures: tuple[Figure, ...], who: str, measure: str, against: str | None = None
) -> Figure | None:
    wanted = "step", who, measure, against
    return next((f for f in figures if (f.part, f.contender, f.measure, f.against) == wanted), None)


def _beside(ax):
    """The left edge of the axes across, and the data along."""
    return ax.get_yaxis_transform()
