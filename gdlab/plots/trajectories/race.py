"""Races: runs of several optimizers from one start, each at its tuned learning rate."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeAlias

import jax
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gdlab.analysis.landscapes.window import window_of_runs
from gdlab.analysis.runs.tuned_runs import RATES, Ground, constant_value, tuned_runs
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Ax, Between, Key
from gdlab.checks.values import real_numbers
from gdlab.core.representation import in_words
from gdlab.core.transformation import GradientTransformation
from gdlab.plots.arguments import require_named
from gdlab.plots.figures import panels_of
from gdlab.plots.scales import label, line_style
from gdlab.plots.trajectories import player
from gdlab.plots.trajectories.contours import draw, paths_of
from gdlab.plots.trajectories.losses import draw_losses
from gdlab.plots.trajectories.start import start_in_plane
from gdlab.plots.trajectories.terrain import Terrain, knows_bounds, terrain_of
from gdlab.sweeps.results.result import SweepResult

MOST_FRAMES = 80
FRAMES_PER_SECOND = 20
FrameRate: TypeAlias = Annotated[int, Between(1, 100)]
"""Frames per second; at most 100, since a GIF times frames in hundredths of a second."""
HEAD = 9
"""The size of the marker at the end of a run, in points."""


@dataclasses.dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Race:
    """Runs of several optimizers on one problem; made by :func:`race`.

    In a notebook it shows itself as a player.
    """

    optimizers: dict[str, GradientTransformation]
    """The optimizers by name, with the learning rates they ran at."""
    learning_rates: dict[str, float]
    """The learning rate of each optimizer; NaN where it follows a schedule or has more than one.
    If another hyperparameter was tuned, its values instead."""
    hyperparameter: str
    """The name of the hyperparameter in ``learning_rates``."""
    paths: dict[str, np.ndarray]
    """The path of each optimizer, of shape ``(steps + 1, 2)``."""
    values: dict[str, np.ndarray]
    """The loss along each path, of shape ``(steps + 1,)``."""
    result: SweepResult | None
    """The sweep that chose the learning rates; None if none was tuned."""
    terrain: Terrain
    """The function on which the optimizers ran, over the region of the picture."""

    @checked
    def plot(self, ax: Ax = None) -> np.ndarray:
        """Draw the paths over contour lines, and the loss at each step.

        If the minimum is known, the height of the loss above it is drawn.

        Args:
            ax: two matplotlib axes; new ones unless given.

        Returns:
            The two matplotlib axes.
        """
        return self._drawn(ax)[0]

    @checked
    def animate(self, frames_per_second: FrameRate = FRAMES_PER_SECOND) -> FuncAnimation:
        """Animate the picture of :meth:`plot` step by step; long runs skip steps.

        Args:
            frames_per_second: how many frames are shown in a second.

        Returns:
            The matplotlib animation.
        """
        figure, advance, shown = self._moving()
        interval = 1000 / frames_per_second
        return FuncAnimation(figure, advance, shown, interval=interval, blit=False)

    @checked
    def save(
        self, path: str | os.PathLike[str], frames_per_second: FrameRate = FRAMES_PER_SECOND
    ) -> None:
        """Write the animation to a file.

        Args:
            path: the file, whose name ends in ``.gif``, ``.mp4`` or ``.html``.
            frames_per_second: how many frames are shown in a second.

        Raises:
            ValueError: if the name has another ending, or ``frames_per_second`` is not from 1 to
                100.
            RuntimeError: if it is an MP4 and the program ffmpeg is not installed.
        """
        player.require_kind(path)
        player.save(self._film(), path, frames_per_second)

    def _film(self) -> FuncAnimation:
        figure, advance, shown = self._moving()
        try:
            return player.film(figure, advance, shown)
        finally:
            plt.close(figure)

    def _moving(self) -> tuple[Figure, Callable[[int], list[Line2D]], list[int]]:
        """The figure, the function that updates it to a step, and the steps to show."""
        panels, moving = self._drawn(None)
        figure = panels[0].figure
        figure.set_dpi(player.DOTS_PER_INCH)  # before the layout, which depends on the resolution
        figure.canvas.draw()
        figure.set_layout_engine("none")  # freezes the layout, so that nothing jitters
        heads = {}
        for line, whole in moving:
            axes: Any = line.axes
            (heads[line],) = axes.plot(
                *whole[:1].T, line.get_marker(), color=line.get_color(), markersize=HEAD,
                markeredgecolor="black", markeredgewidth=0.8, zorder=7,
            )  # fmt: skip
            # Do not clip a head at the edge of the picture.
            heads[line].set_clip_path(None)
            heads[line].set_clip_box(axes.bbox.padded(HEAD * figure.dpi / 72))
        last = max(len(path) for path in self.paths.values()) - 1
        shown = np.unique(np.linspace(0, last, min(last + 1, MOST_FRAMES)).round().astype(int))

        def advance(step: int) -> list[Line2D]:
            for line, whole in moving:
                line.set_data(*whole[: step + 1].T)
                heads[line].set_data(*whole[: step + 1][-1:].T)
            return list(heads)

        return figure, advance, shown.tolist()

    def _drawn(self, ax: Any) -> tuple[np.ndarray, list[tuple[Line2D, np.ndarray]]]:
        """The panels, and each line in them with the points of its whole path."""
        left, right = panels = panels_of(ax, (1, 2), (9.6, 4.4), width_ratios=(1.15, 1))
        drawing = draw(self.terrain, {self._label(name): p for name, p in self.paths.items()}, left)
        losses = _draw_losses(self.terrain, self.paths, self.values, right)
        lines = [*drawing.paths.values(), *losses]
        return panels, [(line, np.column_stack(line.get_data())) for line in lines]

    def _label(self, name: str) -> str:
        rate = self.learning_rates[name]
        is_rate = self.hyperparameter.endswith("learning_rate")
        sign = "η" if is_rate else in_words(self.hyperparameter)
        return f"{name}, {sign} = {label(rate)}" if np.isfinite(rate) else name

    def _repr_html_(self) -> str:
        return player.player(self._film(), FRAMES_PER_SECOND)

    def __repr__(self) -> str:
        return f"<Race {'; '.join(map(self._label, self.paths))}>"


@checked
def race(
    problem: Callable[..., Any],
    optimizers: Mapping[str, GradientTransformation],
    *,
    steps: int = 100,
    start: Any = None,
    tune: bool | Any = True,
    hyperparameter: str = "learning_rate",
    bounds: Any = None,
    key: Key | None = None,
    progress: bool = True,
) -> Race:
    """Run optimizers from one start, each at the learning rate that a sweep chose for it.

    The same rates are tried for all. Each rate is scored by the mean loss over the last half of the
    run, taken at the worst rate within a factor of 1.6. So a lucky final step of an oscillating run
    does not win, and the choice hardly depends on the exact start or number of steps. Ties are
    broken by the mean loss over the whole run.

    If there is no minimum, as on a saddle, losses count only down to the lowest one in the picture,
    and rates are excluded at which a run takes a step longer than a tenth of the picture's diagonal
    while inside the picture.

    Args:
        problem: a :class:`gdlab.problems.Problem` of two parameters, or any function of an array of
            shape ``(2,)``.
        optimizers: name → optimizer.
        steps: the number of steps of each run.
        start: the common start, of shape ``(2,)``; by default the problem's start.
        tune: whether to tune the learning rates; or the rates to try.
        hyperparameter: the name of the hyperparameter to tune, as in
            :func:`gdlab.set_hyperparameters`.
        bounds: the bounds ((left, right), (bottom, top)) of the picture; by default those of the
            problem, or a window around the runs, as in :func:`gdlab.explore`.
        key: PRNG key for a random problem; ``jax.random.key(0)`` unless given.
        progress: whether to show the progress bar of the sweep.

    Returns:
        A :class:`Race`, which can be drawn, played and saved.

    Raises:
        ValueError: if there is no start, the bounds are invalid, a learning rate to be tuned
            follows a schedule, or an optimizer reaches the end at none of the rates.
        KeyError: naming an optimizer that has no such hyperparameter, or several of that name.

    >>> from gdlab import plots, problems, sgd
    >>> plots.race(
    ...     problems.quadratic([1.0, 9.0]),
    ...     {"plain": sgd(0.1), "momentum": sgd(0.1, momentum=0.5)},
    ...     tune=[0.05, 0.1, 0.2],
    ...     progress=False,
    ... )
    <Race plain, η = 0.2; momentum, η = 0.1>
    """
    start = start_in_plane(problem, start)
    require_named("optimizers", optimizers, "optimizer")
    terrain = terrain_of(problem, bounds) if knows_bounds(problem, bounds) else None
    tuned = tuned_runs(
        problem,
        optimizers,
        start,
        _ground(problem, terrain),
        values=_rates(tune),
        hyperparameter=hyperparameter,
        steps=steps,
        key=jax.random.key(0) if key is None else key,
        progress=progress,
    )
    paths = paths_of(tuned.runs)
    terrain = terrain or terrain_of(problem, window_of_runs(list(paths.values())))
    chosen = tuned.optimizers
    return Race(
        optimizers=chosen,
        learning_rates={name: constant_value(tx, hyperparameter) for name, tx in chosen.items()},
        hyperparameter=hyperparameter,
        paths=paths,
        values={name: terrain.at(path) for name, path in paths.items()},
        result=tuned.result,
        terrain=terrain,
    )


def _rates(tune: Any) -> np.ndarray | None:
    if isinstance(tune, bool):
        return RATES if tune else None
    return real_numbers("tune", tune, ndim=1)


def _ground(problem: Callable[..., Any], terrain: Terrain | None) -> Ground:
    if terrain is None:
        return Ground(getattr(problem, "minimum", None))
    return Ground(terrain.minimum, terrain.floor, np.asarray(terrain.bounds))


def _draw_losses(
    terrain: Terrain, paths: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray], ax: Any
) -> list[Line2D]:
    """Draw the loss at each step; without a minimum, down to the lowest value in the picture."""
    heights = list(values.values())
    looks = [
        line_style(number, terrain.steps_inside(path)) for number, path in enumerate(paths.values())
    ]
    lines = draw_losses(ax, heights, looks, terrain.minimum)
    if terrain.bottomless:
        top = max(float(height[0]) for height in heights)
        room = 0.05 * (top - terrain.floor)
        ax.set_ylim(terrain.floor - room, top + 4 * room)
        ax.set_xlim(0, max(np.flatnonzero(height > terrain.floor)[-1] for height in heights) + 1)
    return lines
