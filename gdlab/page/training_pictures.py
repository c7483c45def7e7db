"""Still pictures of a training page, for slides: the first steps of each optimizer."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from gdlab.analysis.linear.precision import as_float64
from gdlab.analysis.runs.tracking import Tracked, track
from gdlab.core.transformation import GradientTransformation
from gdlab.page.matrix import elements_of, momentum_of
from gdlab.page.pictures import write_names_as_they_are
from gdlab.page.space import space_of
from gdlab.training.minimize import minimize
from gdlab.training.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STEPS = 300
"""The number of steps in a picture."""
MEASURED_EVERY = 5
"""The number of steps from one measurement of the sharpness to the next."""
WIDTH, HEIGHT = 5.6, 2.8
"""Width of a picture and height of a panel, in inches."""
TILES_PER_ROW = 8
"""The largest number of pictures of weights in a row."""
TINY = 1e-300
"""The divisor instead of a largest singular value of zero."""


class TrainingPictures:
    """Draws the views of a training page after some steps with matplotlib.

    Args:
        loss: the loss, as for :func:`~gdlab.explore_training`.
        optimizers: the optimizers, by name.
        params: the initial parameters.
        measure: the measure; None if there is none.
        measure_name: the name of the measure and of its view.
        tiles: the function that picks the weights to draw as pictures, or None.
        matrix: the function that picks the matrix whose singular values are drawn, or None.
    """

    def __init__(
        self,
        loss: Callable[..., Any],
        optimizers: Mapping[str, GradientTransformation],
        params: Any,
        measure: Callable[..., Any] | None,
        measure_name: str,
        tiles: Callable[..., Any] | None,
        matrix: Callable[..., Any] | None,
    ):
        self._loss, self._optimizers, self._params = loss, optimizers, as_float64(params)
        self._measure, self._measure_name = measure, measure_name
        self._tiles, self._matrix = tiles, matrix

    def views(self) -> dict[str, Callable[[], "Figure"]]:
        """Name of a view → function that draws it."""
        found = {"sharpness": self._draw_sharpness, "loss": self._draw_losses}
        if self._measure is not None:
            found[self._measure_name] = self._draw_measure
        if self._tiles is not None:
            found["tiles"] = self._draw_tiles
        if self._matrix is not None:
            found["matrix"] = self._draw_singular_values
        return found

    def _draw_sharpness(self) -> "Figure":
        """The sharpness against the limit, a panel for each optimizer that has one."""
        from gdlab.plots.analysis.sharpness import sharpness

        tracked, refusals = self._tracked()
        if not tracked:
            raise ValueError(f"view 'sharpness' has no run to draw: {'; '.join(refusals)}")
        figure, panels = _panels(len(tracked))
        for panel, (name, one) in zip(panels, tracked.items(), strict=True):
            curve = one.preconditioned_sharpness
            sharpness(one.step, curve, one.threshold, ax=panel, name=name)
            panel.set_ylabel("sharpness")
            write_names_as_they_are(panel)
        return figure

    def _tracked(self) -> tuple[dict[str, Tracked], list[str]]:
        """The runs with their sharpness, and the reasons why others, such as Muon's, have none."""
        tracked, refusals = {}, []
        for name, tx in self._optimizers.items():
            try:
                tracked[name] = track(
                    self._loss, self._params, tx, STEPS, every=MEASURED_EVERY, progress=False
                )
            except ValueError as error:
                refusals.append(f"{name}: {error}")
        return tracked, refusals

    def _run(self, tx: GradientTransformation) -> Trajectory:
        return minimize(self._loss, self._params, tx, STEPS)

    def _draw_losses(self) -> "Figure":
        return self._curves(self._loss, "loss", "log")

    def _draw_measure(self) -> "Figure":
        assert self._measure is not None
        return self._curves(self._measure, self._measure_name, "linear")

    def _curves(self, function: Callable[..., Any], name: str, scale: str) -> "Figure":
        """A function of the parameters over the steps, a line for each optimizer."""
        from gdlab.plots.scales import line_style, tick_within_decades

        figure, (panel,) = _panels(1)
        for number, (optimizer, tx) in enumerate(self._optimizers.items()):
            values = np.asarray(jax.lax.map(function, self._run(tx).path))
            panel.plot(values, label=optimizer, **line_style(number, len(values)))
        panel.set(xlabel="step", ylabel=name, xlim=(0, STEPS), yscale=scale)
        if scale == "log":
            tick_within_decades(panel.yaxis)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False, fontsize="small")
        write_names_as_they_are(panel)
        return figure

    def _draw_tiles(self) -> "Figure":
        """Draw the weights after the steps of the first optimizer."""
        assert self._tiles is not None
        first = next(iter(self._optimizers.values()))
        tiles = np.asarray(self._tiles(self._run(first).params))
        columns = min(len(tiles), TILES_PER_ROW)
        figure, panels = _panels(-(-len(tiles) // columns), columns, WIDTH / columns)
        largest = float(np.max(np.abs(tiles)))
        for panel, tile in zip(panels, tiles, strict=False):
            panel.imshow(tile, cmap="RdBu_r", vmin=-largest, vmax=largest)
        for panel in panels:
            panel.set_axis_off()
        return figure

    def _draw_singular_values(self) -> "Figure":
        """The singular values of momentum and last update, a row for each optimizer."""
        from gdlab.plots.scales import CURVE

        assert self._matrix is not None
        figure, panels = _panels(len(self._optimizers), 2, HEIGHT / 1.4)
        for row, (name, tx) in enumerate(self._optimizers.items()):
            left, right = panels[2 * row : 2 * row + 2]
            run = self._run(tx)
            kept, word = self._momentum(tx, run)
            _draw_bars(left, kept, "0.45", f"{name}: {word}")
            update = jax.tree.map(lambda x: x[-1] - x[-2], run.path)
            _draw_bars(right, self._matrix(update), CURVE, "update")
            left.set_ylabel("of the largest")
        return figure

    def _momentum(self, tx: GradientTransformation, run: Trajectory) -> tuple[Any, str]:
        """The momentum of the matrix and its name; the gradient if there is no momentum."""
        assert self._matrix is not None
        space = space_of(self._loss, self._params)
        at = momentum_of(tx, self._params, elements_of(self._matrix, space, 2, "matrix"))
        if at is None:
            return self._matrix(jax.grad(self._loss)(run.params)), "gradient"
        kept = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(run.state)])
        return kept[at], "momentum"


def _draw_bars(panel: "Axes", matrix: Any, color: str, title: str) -> None:
    values = np.linalg.svd(np.asarray(matrix), compute_uv=False)
    panel.bar(np.arange(1, len(values) + 1), values / max(values[0], TINY), color=color)
    panel.set(ylim=(0, 1.05))
    panel.set_title(title, loc="left", fontsize="medium", parse_math=False)
    panel.spines[["top", "right"]].set_visible(False)


def _panels(rows: int, columns: int = 1, height: float = HEIGHT) -> "tuple[Figure, list[Axes]]":
    """A figure outside of pyplot, and its panels, row by row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height * rows), layout="constrained")
    return figure, list(np.ravel(figure.subplots(rows, columns, squeeze=False)))
