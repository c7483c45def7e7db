"""The sliders of a page: the range of a hyperparameter that each covers, and its scale."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

from gdlab.core.decays import is_decay, last_name

Scale = Literal["log", "linear", "decay", "whole"]

DECADES_DOWN, DECADES_UP = 2.0, 1.5
"""The decades by which a logarithmic slider extends below and above its value."""
COUNTS = ("steps", "begin", "boundaries")
"""The endings of names of hyperparameters that are numbers of steps."""
FEW = 10
"""The smallest upper end of a slider for a number of steps."""
SLOWEST_DECAY = 0.999
"""The smallest upper end of a slider for a decay."""
SMALL = 0.1
"""The upper end of a slider whose value is 0, for hyperparameters that are usually small."""


class Slider(NamedTuple):
    """A slider for one hyperparameter of an optimizer."""

    path: str
    """The path of the hyperparameter."""
    position: int
    """The index of the hyperparameter among all of this optimizer."""
    label: str
    """The shortest end of the path that is unique within this optimizer; for the numbers of a
    schedule it includes the name of the scheduled hyperparameter."""
    value: float
    scale: Scale
    """The spacing: "decay" is even in −log₁₀(1 − β), and "whole" stops at whole numbers only."""
    low: float
    high: float
    folded: bool
    """True if the slider is initially hidden."""


def sliders_of(
    hyperparameters: Mapping[str, float],
    ranges: Mapping[str, tuple[float, float]],
    scheduled: Collection[str] = (),
) -> list[Slider]:
    """A slider for each hyperparameter, learning rates first and each ε folded away.

    Args:
        hyperparameters: path → value.
        ranges: path, or the end of a path → ``(low, high)`` of its slider.
        scheduled: the paths of hyperparameters that follow a schedule, prefixes of its numbers'
            paths.
    """
    paths = list(hyperparameters)
    own = {
        path: stretch
        for name, stretch in ranges.items()
        for path in paths
        if path == name or path.endswith("." + name)
    }
    made = [
        Slider(
            path,
            position,
            label,
            value,
            *_stretch(path, value, own.get(path), _largest_beside(path, hyperparameters)),
            folded=last_name(path).startswith("eps"),
        )
        for position, ((path, value), label) in enumerate(
            zip(hyperparameters.items(), shortest_ends(paths, scheduled), strict=True)
        )
    ]
    return sorted(made, key=lambda slider: (slider.folded, "learning_rate" not in slider.path))


def check_ranges(ranges: Mapping[str, tuple[float, float]], paths: Sequence[str]) -> None:
    """Refuse ranges for unknown hyperparameters, and invalid ranges.

    Raises:
        ValueError: naming the range.
    """
    for name, stretch in ranges.items():
        if not any(path == name or path.endswith("." + name) for path in paths):
            raise ValueError(
                f"ranges: no hyperparameter is called {name!r}; there are {', '.join(paths)}"
            )
        low, high = stretch
        if not -math.inf < low < high < math.inf:
            raise ValueError(f"ranges: {name!r} needs (low, high) with low < high, not {stretch!r}")


def shortest_ends(paths: Sequence[str], scheduled: Collection[str] = ()) -> list[str]:
    """The shortest end of each dotted path that is unique and not merely a number.

    Args:
        paths: all paths.
        scheduled: prefixes of paths whose last name is part of the ends.

    >>> shortest_ends(["0.max_norm", "1.learning_rate", "1.b1", "2.b1"])
    ['max_norm', 'learning_rate', '1.b1', '2.b1']
    >>> shortest_ends(["1.b1.init_value", "1.b2"], scheduled=["1.b1"])
    ['b1.init_value', 'b2']
    >>> shortest_ends(["1.learning_rate.0", "1.learning_rate.1"])
    ['learning_rate.0', 'learning_rate.1']
    """
    split = [path.split(".") for path in paths]
    return [
        ".".join(
            next(
                parts[-length:]
                for length in range(_fewest(path, scheduled), len(parts) + 1)
                if length == len(parts)
                or sum(other[-length:] == parts[-length:] for other in split) == 1
            )
        )
        for path, parts in zip(paths, split, strict=True)
    ]


def _fewest(path: str, scheduled: Collection[str]) -> int:
    """The smallest number of names in the end of a path."""
    names = path.split(".")
    above = [one.count(".") for one in scheduled if path.startswith(one + ".")]
    named = [at for at, name in enumerate(names) if not name.isdecimal()]
    return len(names) - max(above, default=named[-1] if named else 0)


def _stretch(
    path: str, value: float, chosen: tuple[float, float] | None, beside: float
) -> tuple[Scale, float, float]:
    count = _is_count(path, value)
    if chosen is not None:
        low, high = map(float, chosen)
        ends = min(low, value), max(high, value)
        if count:
            return "whole", math.floor(ends[0]), math.ceil(ends[1])
        if is_decay(path, value) and low >= 0 and high < 1:
            return "decay", *ends
        scale: Scale = "log" if low > 0 and high >= 10 * low and value > 0 else "linear"
        return scale, *ends
    if count:
        return "whole", min(value, 1.0), max(FEW, 3 * value, beside)
    if is_decay(path, value):
        return "decay", 0.0, max(SLOWEST_DECAY, 1 - (1 - value) / 10)
    if not math.isfinite(value):
        return "linear", 0.0, 1.0
    if value == 0:
        small = SMALL if "weight_decay" in path or "eps" in path else 1.0
        return "linear", 0.0, 3 * beside if beside else small
    if value < 0:
        return "linear", 3 * value, 0.0
    return "log", value / 10**DECADES_DOWN, value * 10**DECADES_UP


def _largest_beside(path: str, hyperparameters: Mapping[str, float]) -> float:
    """The largest number of the same kind (value or step) in the same schedule."""
    above, kind = path.rpartition(".")[0], _kind(path)
    return max(
        (
            value
            for other, value in hyperparameters.items()
            if above and kind and other.rpartition(".")[0] == above and _kind(other) == kind
        ),
        default=0.0,
    )


def _kind(path: str) -> str | None:
    if last_name(path).endswith(COUNTS):
        return "count"
    return "value" if last_name(path).endswith("value") else None


def _is_count(path: str, value: float) -> bool:
    return last_name(path).endswith(COUNTS) and value == round(value) and value >= 0
