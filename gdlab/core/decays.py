"""Recognition of the decay coefficients of averages by the names of hyperparameters."""

DECAYS = ("momentum", "decay", "b1", "b2", "b3", "beta", "rho")
"""Parts of the names of decay coefficients, which lie between 0 and 1."""
UNNAMED_DECAY = 0.9
"""A number from here to 1 counts as a decay under any name, except that of a bound."""


def names_along(path: str) -> list[str]:
    """The components of a dotted path that are names, not positions."""
    return [name for name in path.split(".") if not name.isdecimal()]


def last_name(path: str) -> str:
    """The last name in a dotted path, or the path itself if it has none."""
    return next(reversed(names_along(path)), path)


def is_decay(path: str, value: float) -> bool:
    """Tell whether the hyperparameter at a path is the decay coefficient of an average.

    >>> from gdlab.core.decays import is_decay
    >>> is_decay("0.b1", 0.5), is_decay("weight_decay", 0.5), is_decay("b1.init_value", 0.5)
    (True, False, True)
    """
    # A number inside a schedule is judged by the name of the hyperparameter that is scheduled.
    names = [name for name in names_along(path) if name != "schedules"]
    in_schedule = len(names) > 1 and names[-1].endswith("value")
    name = names[-2] if in_schedule else last_name(path)
    named = any(word in name for word in DECAYS) and "weight_decay" not in name
    return 0 <= value < 1 and (named or (value >= UNNAMED_DECAY and "max" not in name))
