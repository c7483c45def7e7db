"""The distribution of the eigenvalues of a Hessian."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.checks.values import real_numbers
from gdlab.plots.arguments import require_same_length
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import CURVE, DIVERGED

MIN_RELATIVE_DENSITY = 1e-7
"""The smallest density shown, as a fraction of the largest; lower values are due to smoothing."""


@checked
def spectral_density(grid: Any, density: Any, eigenvalues: Any = None, ax: Ax = None) -> Axes:
    """Draw the density of eigenvalues on a logarithmic scale, which shows single eigenvalues.

    Args:
        grid: the eigenvalues λ at which the density is given, rising, of shape ``(n,)``.
        density: the share of the eigenvalues per unit of λ, of shape ``(n,)``.
        eigenvalues: single eigenvalues, such as the largest, each marked by a triangle.
        ax: the matplotlib axes to draw on; new ones unless given.

    Returns:
        The matplotlib axes.

    >>> import numpy as np
    >>> from gdlab import plots
    >>> grid = np.linspace(-1.0, 9.0, 201)
    >>> density = 4 * np.exp(-8 * grid**2) + 0.02 * np.exp(-40 * (grid - 7) ** 2)
    >>> ax = plots.spectral_density(grid, density, eigenvalues=[7.0])
    >>> ax.get_yscale()
    'log'
    """
    grid = real_numbers("grid", grid, ndim=1, rising=True)
    density = real_numbers("density", density, ndim=1, least=0)
    require_same_length("density", density, "grid", grid)
    if ax is None:
        ax = figure_of((6.4, 3.6)).subplots()
    highest = np.max(density)
    floor = MIN_RELATIVE_DENSITY * highest
    ax.fill_between(grid, floor, density, color=CURVE, alpha=0.25, linewidth=0)
    ax.plot(grid, density, color=CURVE, linewidth=1.6, label="density")
    if grid[0] < 0 < grid[-1]:
        ax.axvline(0, color="0.5", linestyle=":", linewidth=1)
    if eigenvalues is not None:
        eigenvalues = np.ravel(real_numbers("eigenvalues", eigenvalues))
        ax.plot(
            eigenvalues, np.full(eigenvalues.shape, 0.03), "v", color=DIVERGED, markersize=7,
            markeredgecolor="black", markeredgewidth=0.6, transform=ax.get_xaxis_transform(),
            zorder=3, label="eigenvalue",
        )  # fmt: skip
        ax.legend(fontsize="small", frameon=False, loc="best")
    ax.set_yscale("log")
    ax.set_ylim(floor, 3 * highest)
    ax.margins(x=0.02)
    ax.set(xlabel="eigenvalue λ of the Hessian", ylabel="share of eigenvalues per unit of λ")
    ax.spines[["top", "right"]].set_visible(False)
    return ax
