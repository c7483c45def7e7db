"""Still pictures of the views of a page, for slides and for viewers that strip scripts."""

import base64
import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from gdlab.analysis.linear.linearization import linearize
from gdlab.core.transformation import GradientTransformation
from gdlab.page.scene import Scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#B8579A", "#B07800", "#3A8FC4", "#444444")
"""The colours of the optimizers, as on the page."""
SIZE = (5.6, 4.6)
"""Width and height of a picture, in inches."""


class Pictures:
    """Draws the initial views of a page with matplotlib.

    Args:
        scene: the runs and landmarks in the two coordinates of the map.
        optimizers: the optimizers, by name.
        window: ((left, right), (bottom, top)) of the map.
    """

    def __init__(
        self, scene: Scene, optimizers: Mapping[str, GradientTransformation], window: np.ndarray
    ):
        self._scene, self._optimizers, self._window = scene, optimizers, window

    def views(self) -> dict[str, Callable[[], "Figure"]]:
        """Name of a view → function that draws it."""
        drawers = {"map": self._map, "loss": self._loss}
        if self._scene.flat_quadratic is not None:
            drawers["modes"] = self._modes
        if self._scene.linear:
            drawers["poles"] = self._poles
        return {name: lambda draw=draw: _figure(draw) for name, draw in drawers.items()}

    def data_address(self) -> str | None:
        """The map as a data URL; None without matplotlib or without any finite value."""
        try:
            figure = self.views()["map"]()
        except (ImportError, ValueError):  # nothing to draw, which the page itself reports
            return None
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=80)
        return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()

    def _map(self, ax: "Axes") -> None:
        from gdlab.plots.trajectories.contours import contours

        contours(self._scene.fun, self._scene.paths, ax, bounds=self._window)
        write_names_as_they_are(ax)

    def _loss(self, ax: "Axes") -> None:
        lowest = self._scene.landmarks.lowest or 0.0
        curves = {name: np.asarray(run.values) - lowest for name, run in self._scene.runs.items()}
        _draw_curves(ax, curves, 1)
        ax.set_ylabel("f(w)" if lowest == 0 else "f(w) − min f")

    def _modes(self, ax: "Axes") -> None:
        quadratic = self._scene.flat_quadratic
        assert quadratic is not None
        curves = {}
        for name, path in self._scene.paths.items():
            errors = np.abs((path - quadratic.center) @ quadratic.directions)
            for curvature, error in zip(quadratic.curvatures, errors.T, strict=True):
                curves[f"{name}, λ = {curvature:.3g}"] = error
        _draw_curves(ax, curves, 2)
        ax.set_ylabel("|error| along each eigenvector")

    def _poles(self, ax: "Axes") -> None:
        from gdlab.plots.analysis.poles import poles

        quadratic, linear = self._scene.flat_quadratic, self._scene.linear
        assert quadratic is not None
        found = [
            np.ravel(
                linearize(
                    self._optimizers[name], quadratic.hessian, state=self._scene.runs[name].state
                ).poles
            )
            for name in linear
        ]
        widest = max(map(len, found))
        padded = [np.pad(one, (0, widest - len(one)), constant_values=one[-1]) for one in found]
        poles(np.array(padded), ax=ax, labels=linear if len(found) > 1 else None)


def _figure(draw: Callable[["Axes"], None]) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout="constrained")
    draw(figure.subplots())
    return figure


def _draw_curves(ax: "Axes", curves: Mapping[str, np.ndarray], each: int) -> None:
    """Draw curves over the steps, on a logarithmic scale if that shows all of them.

    Every ``each`` consecutive curves belong to one optimizer and have its colour.
    """
    for position, (name, values) in enumerate(curves.items()):
        owner, kind = divmod(position, each)
        ax.plot(
            np.where(np.isfinite(values), values, np.nan),
            label=name,
            color=COLORS[owner % len(COLORS)],
            linestyle=("-", "--")[kind],
        )
    shown = np.concatenate(list(curves.values()))
    shown = shown[np.isfinite(shown)]
    if len(shown) and shown.min() >= 0 and shown.max() > 0:
        ax.set_yscale("log")
        ax.set_ylim(bottom=max(shown[shown > 0].min(), 1e-16 * shown.max()) / 2)
    ax.set_xlabel("step")
    ax.legend()
    write_names_as_they_are(ax)


def write_names_as_they_are(ax: "Axes") -> None:
    """Keep matplotlib from reading names in a legend as formulas."""
    legend = ax.get_legend()
    for text in () if legend is None else legend.get_texts():
        text.set_parse_math(False)
