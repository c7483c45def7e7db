"""Live pages on which optimizers run on a function."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from gdlab.analysis.linear.precision import in_float64
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Name
from gdlab.core.transformation import GradientTransformation
from gdlab.core.warning import warn_caller
from gdlab.page.document import RUNS, Document, program_constants
from gdlab.page.optimizers import named_optimizers, slider_json, translated_optimizers
from gdlab.page.page import HEIGHT, Page
from gdlab.page.panels import panels_of
from gdlab.page.pictures import Pictures
from gdlab.page.plane import PlaneChoice, require_plane
from gdlab.page.quadratic import Quadratic, quadratic_of
from gdlab.page.scene import Scene
from gdlab.page.space import Space, heading_of, space_of
from gdlab.page.translator.program import translate_function
from gdlab.page.view import FROM_CENTER, view_of

LARGEST = 100_000
"""The size of a page, in bytes, above which there is a warning."""

SMALL_HEIGHT = 460
"""Height of the frame of a page with chosen panels, in pixels, before the page reports its own."""
MOST_NUMBERS = 5_000_000
"""The largest number of coordinates in all points of a run together."""
MOST_STEPS = 10_000
"""The largest number of steps of a run, all of which a page repeats at each move of a slider."""


@in_float64
@checked
def explore(
    fun: Callable[..., Any],
    tx: GradientTransformation | Mapping[Name, GradientTransformation],
    start: Any = None,
    *,
    steps: int = 100,
    view: Any = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    title: str | None = None,
    panels: Sequence[str] | None = None,
    plane: PlaneChoice = "principal",
) -> Page:
    """Make a page on which optimizers run on a function while sliders change their hyperparameters.

    The steps are those of ``tx`` itself, translated to JavaScript, in float64. The page is one file
    that loads nothing. For a quadratic function it also shows the error of each mode, the poles,
    the region of two hyperparameters in which the run converges, and the largest stable learning
    rate. It needs the extra ``lab``.

    A function of more than two variables is shown on a plane: the map shows its values there and
    the runs projected onto the plane, and the loss of each run is drawn beside that of its
    projection, which shows what the plane leaves out. For a quadratic function the page still shows
    the error of each mode.

    Args:
        fun: ``fun(w)`` of a vector, or of a tree of arrays like ``start``, written in
            ``jax.numpy``, which returns a real scalar; or a :class:`gdlab.problems.Problem`, which
            is evaluated on all its data and without its noise.
        tx: an optimizer, which is named after its factory, or a dictionary of several by name.
        start: the start of the runs, as a sequence of numbers or a tree of arrays; it can be
            dragged. By default the problem's start, or two numbers.
        steps: the initial number of steps, at most 10 000; there is a slider.
        view: ``((low, high), (low, high))`` of the two variables, or of the coordinates on the
            plane. By default the problem's window, or one around the runs and the known critical
            points.
        ranges: path of a hyperparameter, or the end of the path → ``(low, high)`` of its slider. By
            default a slider extends some decades to either side of the value.
        title: the heading; by default the name of the function.
        panels: the panels of a small page without a heading, to stand between paragraphs, with the
            sliders below them: ``"map"``, ``"loss"``, ``"table"``, and of a quadratic function
            ``"modes"``, ``"poles"``, ``"regimes"``, ``"spring"`` and ``"noise"``. By default the
            page has all panels and a heading.
        plane: the plane on which a function of more than two variables is shown, through the end of
            the first run: ``"principal"`` for the two directions along which the runs extend most;
            ``"eigenvectors"`` for those of the smallest and the largest curvature; or two variables
            by name or position, such as ``(0, 3)`` or ``("w.0", "b")``.

    Returns:
        The :class:`~gdlab.Page`: ``page.save("x.html")`` writes it, a notebook shows it.

    Raises:
        IndexError: if the function reads a variable that does not exist.
        TypeError: if the function does not return a real scalar.
        ValueError: if ``start``, ``steps``, ``view``, ``ranges``, ``panels`` or ``plane`` is
            invalid, or the function takes more data or products than a page should.
        NotImplementedError: if the function or an optimizer uses a primitive that cannot be
            translated; the message names it.

    Warns:
        UserWarning: if the page takes more than 100 kB; the message says what takes the space.

    >>> import jax.numpy as jnp
        >>> import gdlab
    >>> ravine = lambda w: 0.5 * (w[0] ** 2 + 20 * w[1] ** 2)
    >>> page = gdlab.explore(
    ...     ravine,
    ...     {"plain": gdlab.sgd(0.02), "momentum": gdlab.sgd(0.02, momentum=0.9)},
    ...     start=(-2, 1),
    ...     title="A ravine",
    ... )
    >>> page
    <Page 'A ravine', ... kB>
    >>> page.save("ravine.html")  # doctest: +SKIP
    """
    steps = operator.index(steps)
    if not 1 <= steps <= MOST_STEPS:
        raise ValueError(f"steps must be a whole number from 1 to {MOST_STEPS}, not {steps!r}")
    optimizers = named_optimizers(tx)
    heading = heading_of(fun, "f(w)") if title is None else title
    space = space_of(fun, start)
    _require_room(space, steps)
    function = translate_function(space.fun, space.size)
    quadratic = quadratic_of(space.fun, space.size)
    if space.start is None:
        space = space._replace(start=FROM_CENTER + (0 if quadratic is None else quadratic.center))
    require_plane(plane, space.names or ("w₁", "w₂"))
    races = translated_optimizers(optimizers, function, space, ranges or {})
    scene = Scene.of(fun, space, optimizers, steps, quadratic, plane)
    chosen = panels_of(panels, scene.panels)
    ends = view_of(view, list(scene.paths.values()), scene.landmarks, scene.flat_quadratic)
    page = {
        "title": heading,
        "start": scene.start.tolist(),
        "steps": steps,
        "view": ends.tolist(),
        "panels": chosen,
        **scene.as_json(),
        "optimizers": [
            {
                **slider_json(name, race, optimizers[name], ranges or {}),
                "dynamics": scene.dynamics[name],
            }
            for name, race in races.items()
        ],
    }
    flat = scene.flat_quadratic
    near = {"AT_ORIGIN": "null" if flat is None else _at_origin(flat)}
    programs = [race.javascript for race in races.values()]
    constants = {**program_constants(function.javascript, programs), **near}
    document = Document(RUNS, heading, page, constants)
    html = document.html()
    _warn_of_size(html, function.javascript, programs)
    pictures = Pictures(scene, optimizers, ends)
    return Page(
        html,
        heading,
        in_float64(pictures.data_address),
        {name: in_float64(draw) for name, draw in pictures.views().items()},
        HEIGHT if chosen is None else SMALL_HEIGHT,
        document,
    )


def _require_room(space: Space, steps: int) -> None:
    if space.size * (steps + 1) > MOST_NUMBERS:
        most = MOST_NUMBERS // space.size - 1
        raise ValueError(
            f"steps: a page keeps every point of a run, so that of {space.size} variables it takes "
            f"at most {most} steps, not {steps}"
        )


def _warn_of_size(html: str, function: str, programs: Sequence[str]) -> None:
    size = len(html.encode())
    if size > LARGEST:
        steps = sum(map(len, programs))
        warn_caller(
            f"the page takes {_kB(size)}, of which {_kB(len(function))} are the function with its "
            f"data and {_kB(steps)} the steps of {len(programs)} optimizers; a function of less "
            "data or a page of fewer optimizers takes less",
        )


def _kB(size: int) -> str:  # the unit is written so
    return f"{size / 1000:.0f} kB"


def _at_origin(quadratic: Quadratic) -> str:
    """The JavaScript of ½wᵀHw, whose minimum is 0, so that losses near it do not cancel."""
    hessian = jnp.asarray(quadratic.hessian)
    return translate_function(lambda w: 0.5 * jnp.vdot(w, hessian @ w)).javascript
