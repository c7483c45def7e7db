"""A step of an optimizer as the sum of its history and of the current gradient."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.patches import FancyArrowPatch

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax, Size
from gdlab.core.transformation import GradientTransformation, as_transformation
from gdlab.plots.arguments import require_named
from gdlab.plots.figures import panels_of
from gdlab.plots.scales import CURVE, DIVERGED, legend_name
from gdlab.plots.trajectories.start import start_in_plane
from gdlab.plots.trajectories.terrain import terrain_of
from gdlab.training.minimize import minimize

RELATIVE_MARGIN = 0.2
"""The margin around the vectors, as a fraction of the side of their bounding square."""
CONTOUR_COUNT = 12
"""The approximate number of contour lines."""
PARTS = "step", "history", "gradient", "where the gradient is evaluated", "path"
"""The entries of the legend, in order."""


class StepParts(NamedTuple):
    """A step from w, split into the parts of the history and of the gradient."""

    start: np.ndarray
    """The parameters w before the step."""
    history: np.ndarray
    """The step that a zero gradient would give: the contribution of the state."""
    gradient: np.ndarray
    """The difference between the whole step and ``history``: the contribution of the gradient."""
    asked: np.ndarray
    """The point at which the gradient was evaluated: w, or the look-ahead point of the method."""


@checked
def step_vectors(
    problem: Callable[..., Any],
    optimizers: Mapping[str, GradientTransformation],
    *,
    step: Size = 1,
    start: Any = None,
    ax: Ax = None,
) -> np.ndarray:
    """Draw a step of each optimizer as the sum of history and gradient, a panel for each.

    wₜ₊₁ = wₜ + history + gradient; the history is the step that would be taken if the gradient were
    zero. For momentum the history is −ηβv, and the gradient adds −ηg. Nesterov's method adds the
    same two parts, but evaluates the gradient at the point to which the history leads, marked by a
    ring.

    Args:
        problem: a :class:`gdlab.problems.Problem` of two parameters, or any function of an array of
            shape ``(2,)``. A random problem is drawn without its noise, as if called without a key.
        optimizers: name → optimizer.
        step: the number of steps that are taken before the one that is drawn. Before the first,
            with 0, there is no history; after one, momentum and Nesterov's method are still at the
            same point, with the same history.
        start: the start of the run, of shape ``(2,)``; by default the problem's start.
        ax: an array of matplotlib axes, one for each optimizer; new ones unless given.

    Returns:
        The matplotlib axes, an array of them.

    Raises:
        ValueError: if the start is not a point in a plane, there are no optimizers, or a run
            diverges before that step.

    >>> from gdlab import nesterov, plots, problems, sgd
    >>> bowl = problems.quadratic([1.0, 10.0])
    >>> methods = {"momentum": sgd(0.05, momentum=0.8), "Nesterov": nesterov(0.05, 0.8)}
    >>> panels = plots.step_vectors(bowl, methods, step=3)
    >>> panels[1].get_title()
    'Nesterov'

    Source: I. Sutskever, J. Martens, G. Dahl, G. Hinton, On the importance of initialization and
    momentum in deep learning, 2013, figure 1.
    """
    start = start_in_plane(problem, start)
    require_named("optimizers", optimizers, "optimizer")
    count = len(optimizers)
    panels = panels_of(ax, (1, count), (3.6 * count, 4.1))
    for panel, (name, tx) in zip(panels, optimizers.items(), strict=True):
        tx = as_transformation(tx)
        parts, path = _parts(problem, name, tx, start, step)
        _draw(panel, problem, parts, path)
        panel.set_title(legend_name(name))
    named = {}
    for panel in panels:
        named |= {line.get_label(): line for line in panel.lines}
    panels[0].figure.legend(
        handles=[named[part] for part in PARTS if part in named], loc="outside lower center",
        ncols=5, frameon=False, fontsize="small", handlelength=1.6, columnspacing=1.4,
    )  # fmt: skip
    return panels


def _parts(
    problem: Callable[..., Any], name: str, tx: GradientTransformation, start: jax.Array, step: int
) -> tuple[StepParts, np.ndarray]:
    """The parts of the step after ``step`` steps, and the path that leads to it."""
    run = minimize(lambda w: problem(w), start, tx, step)
    w = run.params
    if not np.isfinite(w).all():
        raise ValueError(f"{name} diverges before it comes to step {step}: name an earlier step")
    asked = []

    def update(gradient: Callable[[Any], Any]) -> np.ndarray:
        def grad_fn(point: Any) -> Any:
            asked.append(point)
            return gradient(point)

        given = {"value": problem(w), "value_fn": problem, "grad_fn": grad_fn}
        at_w = gradient(w)
        return np.asarray(tx.update(at_w, run.state, w, grad=at_w, **given)[0], float)

    # Not compiled, so that the points at which the gradient is evaluated can be recorded.
    with jax.disable_jit():
        history = update(jnp.zeros_like)
        asked.clear()
        whole = update(jax.grad(problem))
    at = asked[-1] if asked else w
    parts = StepParts(np.asarray(w, float), history, whole - history, np.asarray(at, float))
    return parts, np.asarray(run.path, float)


def _draw(ax: Any, problem: Callable[..., Any], parts: StepParts, path: np.ndarray) -> None:
    """Draw the contours around a step, and the parts of the step head to tail."""
    led_to = parts.start + parts.history
    end = led_to + parts.gradient
    corners = np.stack([parts.start, led_to, end, parts.asked])
    low, high = corners.min(axis=0), corners.max(axis=0)
    half = (0.5 + RELATIVE_MARGIN) * max(np.max(high - low), np.finfo(float).tiny)
    middle = (low + high) / 2
    (left, bottom), (right, top) = middle - half, middle + half
    terrain = terrain_of(lambda w: problem(w), ((left, right), (bottom, top)))
    ax.grid(visible=False)
    ax.contour(terrain.x, terrain.y, terrain.z, levels=CONTOUR_COUNT, colors="0.82", linewidths=0.8)
    ax.plot(*path.T, color="0.45", linestyle=":", linewidth=1.4, marker=".", label="path")
    # The whole step is drawn below its parts, which may be parallel to it.
    for tail, head, width, color, dashes, name in (
        (parts.start, end, 5.0, "0.6", "-", "step"),
        (parts.start, led_to, 2.0, CURVE, "--", "history"),
        (led_to, end, 2.0, DIVERGED, "-", "gradient"),
    ):
        if np.array_equal(tail, head):
            continue
        arrow = FancyArrowPatch(
            tuple(tail), tuple(head), arrowstyle="-|>", mutation_scale=7 + 3 * width, shrinkA=0,
            shrinkB=0, color=color, linestyle=dashes, linewidth=width, zorder=3,
        )  # fmt: skip
        ax.add_patch(arrow)
        ax.plot([], [], color=color, linestyle=dashes, linewidth=width, label=name)
    ax.plot(
        *parts.asked, "o", color="black", markerfacecolor="white", markersize=7.5, zorder=4,
        linestyle="none", label="where the gradient is evaluated",
    )  # fmt: skip
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", xlabel="w₁", ylabel="w₂")
    ax.locator_params(nbins=4)
