"""Which panels of a page are shown."""

from collections.abc import Sequence

ALWAYS = ("map", "loss", "table")
"""Panels that every function of two variables has."""
QUADRATIC = ("modes", "poles", "regimes", "spring", "noise")
"""Panels that only a quadratic function has."""


def panels_of(panels: Sequence[str] | None, quadratic: bool) -> list[str] | None:
    """The chosen panels; None for the whole page.

    Raises:
        ValueError: naming the panel that does not exist or needs a quadratic function.
    """
    if panels is None:
        return None
    chosen = [panels] if isinstance(panels, str) else list(panels)
    if not chosen:
        raise ValueError("panels: choose at least one, such as panels=['map', 'loss']")
    for panel in chosen:
        if panel not in ALWAYS + QUADRATIC:
            known = ", ".join(ALWAYS + QUADRATIC)
            raise ValueError(f"panels: {panel!r} is none of {known}")
        if panel in QUADRATIC and not quadratic:
            raise ValueError(
                f"panels: {panel!r} is there for quadratic functions only; this one has "
                f"{', '.join(ALWAYS)}"
            )
    return chosen
