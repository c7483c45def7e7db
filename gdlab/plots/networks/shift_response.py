"""The response of a network to shifts of its input image."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax
from gdlab.plots.figures import panels_of
from gdlab.plots.networks.arguments import image_of, network_of, parameters_of
from gdlab.plots.scales import HATCH, MARKERS, PALETTE
from gdlab.problems.layers import shifted
from gdlab.problems.measures import measure_network, probabilities
from gdlab.problems.problem import Problem

CELL_WIDTH, ROW_HEIGHT = 13.0, 1.95
"""The distance between cells, in bar widths, and between rows, in units of probability."""


@checked
def shift_response(
    networks: Any, image: Any = None, *, shift: int = 3, data: Any = None, ax: Ax = None
) -> np.ndarray:
    """Draw the predictions of networks for a shifted image, and how often a shift changes them.

    The left panel shifts the image to the right, by one more pixel in each column. Below it are
    the class probabilities, filled where the predicted class is the same as before the shift and
    hatched where it is not; the outline is the probabilities before the shift. The right panel
    shows the share of images, shifted in all eight directions, whose prediction stays the same.

    Args:
        networks: name → (problem, parameters), or one such pair.
        image: the image to shift, in the shape of the problem's images; the first held-out one
            unless given.
        shift: the largest shift, in pixels; at least 1.
        data: (images, labels) for the right panel; the held-out ones unless given.
        ax: two matplotlib axes to draw on; new ones unless given.

    Returns:
        The two matplotlib axes.

    Raises:
        ValueError: if ``networks`` are not networks, or the image does not fit them.

    >>> from gdlab import plots, problems
    >>> problem = problems.convolutional_network((2, 3))
    >>> images, labels = problem.held_out
    >>> few = images[:20], labels[:20]
    >>> ax, consistency = plots.shift_response((problem, problem.start), shift=1, data=few)
    >>> consistency.get_ylabel()
    'share read as before'
    """
    pairs = {"": networks} if isinstance(networks, tuple) else networks
    if not isinstance(pairs, Mapping) or not pairs:
        raise ValueError(f"networks must be name → (problem, parameters), not {networks!r}")
    if shift < 1:
        raise ValueError(f"shift must be at least 1, not {shift}")
    checked = {name: _checked(name, pair) for name, pair in pairs.items()}
    first, _ = next(iter(checked.values()))
    image = image_of(first, image)
    if shift >= image.shape[1]:
        raise ValueError(
            f"shift must be less than the {image.shape[1]} pixels of an image's width, not {shift}"
        )
    size = 7.2, 1.3 + 0.7 * len(checked)
    panels = panels_of(ax, (1, 2), size, width_ratios=(1.7, 1))
    _draw_answers(panels[0], checked, image, shift)
    _draw_consistency(panels[1], checked, shift, data)
    return panels


def _checked(name: str, pair: Any) -> tuple[Problem, Any]:
    if not isinstance(pair, tuple) or len(pair) != 2:
        which = f" of {name!r}" if name else ""
        raise ValueError(f"networks{which} must be (problem, parameters), not {pair!r}")
    problem = network_of(pair[0])
    return problem, parameters_of(problem, pair[1])


def _look(number: int) -> dict[str, Any]:
    """The colour and the marker of the network with this number."""
    return {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number % len(MARKERS)]}


def _draw_answers(
    ax: Axes, networks: Mapping[str, tuple[Problem, Any]], image: np.ndarray, shift: int
) -> None:
    """Draw a row of shifted images, and below it a row of probabilities for each network."""
    ax.set_axis_off()
    for column in range(shift + 1):
        inset = ax.inset_axes((column * CELL_WIDTH, 0.1, 10, 1.5), transform=ax.transData)
        inset.imshow(
            shifted(jnp.asarray(image), 0, column)[..., 0], cmap="Greys", interpolation="nearest"
        )
        inset.set(xticks=[], yticks=[])
        inset.grid(visible=False)
        inset.spines[:].set(visible=True, color="0.6", linewidth=0.5)
        words = ["as it is", "1 pixel"][column] if column < 2 else f"{column} pixels"
        ax.text(column * CELL_WIDTH + 4.5, 1.7, words, ha="center", va="bottom", fontsize="small")
    for number, (name, (problem, params)) in enumerate(networks.items()):
        floor = -(number + 1) * ROW_HEIGHT + 0.1
        look = _look(number)
        if name:
            ax.plot(0, floor + 1.5, **look, clip_on=False)
            ax.text(1.2, floor + 1.5, name, va="center", fontsize="small")
        answers = [
            np.asarray(probabilities(problem, params, image[None], 0, column))[0]
            for column in range(shift + 1)
        ]
        for column, answer in enumerate(answers):
            _draw_answer(ax, column * CELL_WIDTH, floor, answer, answers[0], look["color"])
    end = -len(networks) * ROW_HEIGHT
    ax.text(0, end, "bars: the digits 0 to 9", va="top", fontsize="small", color="0.35")
    ax.set(xlim=(-1, (shift + 1) * CELL_WIDTH - 2), ylim=(end - 0.4, 2.2))


def _draw_answer(
    ax: Axes, left: float, floor: float, answer: np.ndarray, before: np.ndarray, color: str
) -> None:
    """Draw the class probabilities as bars, and those before the shift as an outline."""
    read = int(np.argmax(answer))
    same = read == np.argmax(before)
    look: dict[str, Any] = {"color": color}
    if not same:
        look = {"facecolor": "white", "edgecolor": color, "hatch": HATCH}
    ax.bar(left + np.arange(len(answer)), answer, 0.8, bottom=floor, linewidth=0.6, **look)
    edges = left + np.arange(len(answer) + 1) - 0.5
    ax.stairs(floor + before, edges, baseline=floor, color="black", linewidth=0.6)
    ax.text(
        left + read, floor + max(answer[read], before[read]) + 0.04, str(read), ha="center",
        va="bottom", fontsize="x-small", fontweight="normal" if same else "bold",
    )  # fmt: skip


def _draw_consistency(
    ax: Axes, networks: Mapping[str, tuple[Problem, Any]], shift: int, data: Any
) -> None:
    """Draw the consistency of each network as a curve over the size of the shift."""
    shifts = range(1, shift + 1)
    for number, (name, (problem, params)) in enumerate(networks.items()):
        found = [measure_network(problem, params, data, shift=by).consistency for by in shifts]
        ax.plot([0, *shifts], [1.0, *found], label=name, **_look(number))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="shift in pixels", ylabel="share read as before", ylim=(0, 1.03))
