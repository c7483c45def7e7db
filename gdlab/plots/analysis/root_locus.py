"""The paths of poles as one hyperparameter moves."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from scipy.optimize import linear_sum_assignment

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.checks.values import complex_numbers, real_numbers
from gdlab.core.representation import in_words
from gdlab.plots.analysis.unit_circle import ON_THE_CIRCLE, draw_unit_circle, size_around
from gdlab.plots.figures import figure_of
from gdlab.plots.scales import COLORMAP, DIVERGED, label, norm_of

COLORBAR = 1.0
"""The width of the colour bar beside the plane, in inches."""


@checked
def root_locus(values: Any, poles: Any, name: str = "learning rate", ax: Ax = None) -> Axes:
    """Draw the paths of poles in the complex plane, coloured by the hyperparameter.

    Args:
        values: the values of the hyperparameter, in order, of shape ``(n,)``.
        poles: the poles at each value, of shape ``(n, d)`` or ``(n, modes, d)``; the order of the
            poles at one value does not matter.
        name: the name of the hyperparameter.
        ax: the matplotlib axes to draw on; new ones unless given.

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: unless there are at least two values, and poles for each.

    >>> from gdlab import plots
    >>> ax = plots.root_locus([0.0, 1.0, 3.0], [[0.9], [0.0], [-2.0]], name="η")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['η = 0', 'η = 3', '|r| = 1 at η = 1–3']
    """
    values, poles = real_numbers("values", values, ndim=1), complex_numbers("poles", poles)
    if len(values) < 2 or not 2 <= poles.ndim <= 3 or len(poles) != len(values):
        raise ValueError(
            "poles: a path needs poles at two values or more: values of shape (n,) and poles of "
            f"shape (n, d), not {values.shape} and {poles.shape}"
        )
    poles = poles.reshape(len(values), -1, poles.shape[-1])
    paths = np.concatenate([branches(mode) for mode in np.moveaxis(poles, 1, 0)], axis=1).T
    if ax is None:
        width, height = size_around(paths, 4.4)
        ax = figure_of((width + COLORBAR, height)).subplots()
    draw_unit_circle(ax)
    norm = norm_of(values)
    middles = (values[1:] + values[:-1]) / 2
    for path in paths:
        points = np.stack([np.real(path), np.imag(path)], -1)
        pieces = LineCollection(
            list(np.stack([points[:-1], points[1:]], 1)), cmap=COLORMAP, norm=norm,
            linewidths=2.4, capstyle="round", zorder=2,
        )  # fmt: skip
        pieces.set_array(middles)
        ax.add_collection(pieces)
    title = in_words(name)
    for end, marker in ((0, "o"), (-1, "s")):
        ax.plot(
            np.real(paths[:, end]), np.imag(paths[:, end]), marker, color="black",
            markerfacecolor="white", markersize=6, markeredgewidth=1.3, zorder=3,
            label=f"{title} = {label(values[end])}",
        )  # fmt: skip
    between, where = crossings(values, paths)
    if len(where):
        names = ", ".join(dict.fromkeys("–".join(dict.fromkeys(map(label, b))) for b in between))
        ax.plot(
            np.real(where), np.imag(where), "X", color=DIVERGED, markeredgecolor="white",
            markersize=9, markeredgewidth=0.6, zorder=4, label=f"|r| = 1 at {title} = {names}",
        )  # fmt: skip
    ax.autoscale_view()
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), frameon=False, borderaxespad=0.2,
        fontsize="small", handletextpad=0.2,
    )  # fmt: skip
    # Beside the plane and as high as the plane, whose height depends on its aspect.
    beside = ax.inset_axes((1.04, 0, 0.05, 1))
    ax.figure.colorbar(ScalarMappable(norm, COLORMAP), cax=beside, label=title)
    ax.set(xlabel="Re r", ylabel="Im r")
    return ax


def branches(poles: np.ndarray) -> np.ndarray:
    """Reorder poles (n, d) into d continuous branches, by nearest joint assignment."""
    matched = [poles[0]]
    for following in poles[1:]:
        distance = np.abs(matched[-1][:, None] - following)
        matched.append(following[linear_sum_assignment(distance)[1]])
    return np.stack(matched)


def crossings(values: np.ndarray, paths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of values between which paths (d, n) cross the unit circle, and the crossings.

    The pair, in rising order, is the same value twice if a pole lies on the circle. A crossing
    between two values is placed on the circle in the direction of the outer pole, which is right
    even if two poles met on the real axis in between.
    """
    excess = np.abs(paths) - 1
    outside = excess >= -ON_THE_CIRCLE
    branch, before = np.nonzero(outside[:, 1:] != outside[:, :-1])
    outer = before + outside[branch, before + 1]
    inner = 2 * before + 1 - outer
    exact = np.abs(excess[branch, outer]) <= ON_THE_CIRCLE
    between = np.stack([values[outer], values[np.where(exact, outer, inner)]], -1)
    order = np.argsort(between.min(axis=-1), kind="stable")
    where = paths[branch, outer] / np.abs(paths[branch, outer])
    return np.sort(between, axis=-1)[order], where[order]
