"""The panels of a page, and the choice of those that are shown."""

from collections.abc import Sequence

ALWAYS = ("map", "loss", "table")
"""Panels that every function has."""
QUADRATIC = ("modes", "poles", "regimes", "spring", "noise")
"""Panels of quadratic functions only; with more than two variables, only the first of these."""


def panels_of(panels: Sequence[str] | None, present: Sequence[str]) -> list[str] | None:
    """The chosen panels; None for the whole page.

    Args:
        panels: as for :func:`~gdlab.explore`.
        present: the panels that the page has.

    Raises:
        ValueError: naming the panel that does not exist or that this function does not have.
    """
    if panels is None:
        return None
    if not panels:
        raise ValueError("panels: choose at least one, such as panels=['map', 'loss']")
    for panel in panels:
        if panel not in ALWAYS + QUADRATIC:
            known = ", ".join(ALWAYS + QUADRATIC)
            raise ValueError(f"panels: {panel!r} is none of {known}")
        if panel not in present:
            raise ValueError(
                f"panels: {panel!r} is there for quadratic functions only, and all but 'modes' for "
                f"two variables only; this one has {', '.join(present)}"
            )
    return list(panels)
