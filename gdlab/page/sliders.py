"""The sliders of a page: which stretch of a hyperparameter each covers, and on what scale."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

Scale = Literal["log", "linear", "decay"]

DECAYS = ("momentum", "decay", "b1", "b2", "b3", "beta", "rho")
"""How coefficients that weigh the past are called; they are told apart near 1."""
DECADES_DOWN, DECADES_UP = 2.0, 1.5
"""How far a slider on a logarithmic scale goes to either side of its value."""
UNNAMED_DECAY = 0.9
"""From here on a number below 1 is taken for a decay whatever it is called, unless for a bound."""
SLOWEST_DECAY = 0.999
"""As far as the slider of a decay goes at least."""
SMALL = 0.1
"""How far a slider goes whose value is 0, where a number of that name is usually small."""


class Slider(NamedTuple):
    """A slider."""

    path: str
    """Of the hyperparameter."""
    label: str
    """The shortest end of the path that no other slider of this optimizer has."""
    value: float
    scale: Scale
    """Where "decay" is even in −log₁₀(1 − β)."""
    low: float
    high: float
    folded: bool
    """Whether it is out of sight at first."""


def sliders_of(
    hyperparameters: Mapping[str, float], ranges: Mapping[str, tuple[float, float]]
) -> list[Slider]:
    """A slider for each hyperparameter, learning rates first and each ε folded away.

    Args:
        hyperparameters: path → value.
        ranges: path, or the end of one, → the stretch that its slider covers.
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
            label,
            value,
            *_stretch(path, value, own.get(path)),
            folded=_last(path).startswith("eps"),
        )
        for (path, value), label in zip(hyperparameters.items(), shortest_ends(paths), strict=True)
    ]
    return sorted(made, key=lambda slider: (slider.folded, "learning_rate" not in slider.path))


def check_ranges(ranges: Mapping[str, Any], paths: Sequence[str]) -> None:
    """Refuse ranges that no slider has, or that are none.

    Raises:
        ValueError: naming the range.
    """
    for name, stretch in ranges.items():
        if not any(path == name or path.endswith("." + name) for path in paths):
            raise ValueError(
                f"ranges: no hyperparameter is called {name!r}; there are {', '.join(paths)}"
            )
        low, high = stretch
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"ranges: {name!r} needs (low, high) with low < high, not {stretch}")


def shortest_ends(paths: Sequence[str]) -> list[str]:
    """For each dotted path the shortest end of it that is no other one's.

    >>> shortest_ends(["0.max_norm", "1.learning_rate", "1.b1", "2.b1"])
    ['max_norm', 'learning_rate', '1.b1', '2.b1']
    """
    split = [path.split(".") for path in paths]
    return [
        ".".join(
            next(
                parts[-length:]
                for length in range(1, len(parts) + 1)
                if length == len(parts)
                or sum(other[-length:] == parts[-length:] for other in split) == 1
            )
        )
        for parts in split
    ]


def _stretch(
    path: str, value: float, chosen: tuple[float, float] | None
) -> tuple[Scale, float, float]:
    if chosen is not None:
        low, high = map(float, chosen)
        if _is_decay(path, value) and low >= 0 and high < 1:
            return "decay", min(low, value), max(high, value)
        scale: Scale = "log" if low > 0 and high >= 10 * low and value > 0 else "linear"
        return scale, min(low, value), max(high, value)
    if _is_decay(path, value):
        return "decay", 0.0, max(SLOWEST_DECAY, 1 - (1 - value) / 10)
    if not math.isfinite(value):
        return "linear", 0.0, 1.0
    if value == 0:
        return "linear", 0.0, SMALL if "weight_decay" in path or "eps" in path else 1.0
    if value < 0:
        return "linear", 3 * value, 0.0
    return "log", value / 10**DECADES_DOWN, value * 10**DECADES_UP


def _is_decay(path: str, value: float) -> bool:
    name = _last(path)
    named = any(word in name for word in DECAYS) and "weight_decay" not in name
    return 0 <= value < 1 and (named or (value >= UNNAMED_DECAY and "max" not in name))


def _last(path: str) -> str:
    return path.rsplit(".", 1)[-1]
