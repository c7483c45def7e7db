"""The factors by which gradient descent multiplies the error of each mode."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.checks.values import complex_numbers
from gdlab.plots.analysis.unit_circle import ON_THE_CIRCLE, draw_poles, draw_unit_circle, inside
from gdlab.plots.arguments import require_named
from gdlab.plots.figures import panels_of
from gdlab.plots.scales import label

HALF_HEIGHT = 1.12


@checked
def mode_factors(factors_by_panel: Mapping[str, Any], ax: Ax = None) -> np.ndarray:
    r"""Draw the factors 1 − 2ησᵢ² on the real axis, a panel for each learning rate.

    The iteration converges if all factors lie strictly inside the unit circle; its rate ρ is the
    largest absolute value.

    Args:
        factors_by_panel: title → the factors of all modes, such as the poles of gradient descent;
            a number if there is one mode.
        ax: an array of matplotlib axes, one for each panel; new ones unless given.

    Returns:
        The matplotlib axes, an array of them.

    Raises:
        ValueError: if factors are not real.

    >>> from gdlab import plots
    >>> panels = plots.mode_factors({"low η": [0.9, 0.5], "too high η": [0.6, -1.1]})
    >>> panels[1].get_title()
    'too high η\ndiverges, ρ = 1.1'
    """
    require_named("factors_by_panel", factors_by_panel, "factors")
    count = len(factors_by_panel)
    panels = panels_of(ax, (1, count), (2.5 * count, 2.6), sharex=True, sharey=True)
    everything = [_real(name, factors) for name, factors in factors_by_panel.items()]
    low, high = (end(np.concatenate([*everything, [-1, 1]])) for end in (np.min, np.max))
    room = HALF_HEIGHT - 1
    for panel, name, factors in zip(panels, factors_by_panel, everything, strict=True):
        draw_unit_circle(panel)
        draw_poles(panel, factors.astype(complex))
        rate = np.max(np.abs(factors))
        lost = "diverges" if rate > 1 + ON_THE_CIRCLE else "does not converge"
        panel.set(
            title=f"{name}\n{'converges' if inside(rate) else lost}, ρ = {label(rate)}",
            xlabel="factor",
            xlim=(low - room, high + room),
            ylim=(-HALF_HEIGHT, HALF_HEIGHT),
            yticks=[],
        )
        panel.spines[["left", "right", "top"]].set_visible(False)
    return panels


def _real(name: str, factors: Any) -> np.ndarray:
    factors = np.ravel(complex_numbers(f"factors_by_panel: the factors of {name!r}", factors))
    if not factors.size:
        raise ValueError(f"factors_by_panel: the factors of {name!r} are none")
    if np.any(np.imag(factors)):
        raise ValueError(
            f"factors_by_panel: the factors of {name!r} are not real: draw poles off the real axis "
            "with plots.poles"
        )
    return np.real(factors)
