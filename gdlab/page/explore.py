"""A function and optimizers in, one live page out."""

import numbers
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.analysis.linear.precision import in_float64
from gdlab.core.schedule import Schedule
from gdlab.core.structure import dotted
from gdlab.core.transformation import GradientTransformation, as_transformation
from gdlab.page.document import document
from gdlab.page.dynamics import dynamics_of
from gdlab.page.landmarks import landmarks_of
from gdlab.page.page import HEIGHT, Page
from gdlab.page.panels import panels_of
from gdlab.page.pictures import Pictures
from gdlab.page.quadratic import Quadratic, quadratic_of
from gdlab.page.sliders import check_ranges, sliders_of
from gdlab.page.translator.program import translate_function, translate_optimizer
from gdlab.page.view import runs_of, start_of, view_of
from gdlab.problems.problem import Problem

LARGEST = 100_000
"""The size of a page, in bytes, from which on there is a warning."""

SMALL_HEIGHT = 460
"""Height of the frame of a page of chosen panels, in pixels, until the page has told its own."""
MOST_STEPS = 10_000
"""The most steps of a run: a page runs all of them anew at each move of a slider."""


@in_float64
def explore(
    fun: Callable[..., Any],
    tx: GradientTransformation | Mapping[str, GradientTransformation],
    start: Any = None,
    *,
    steps: int = 100,
    view: Any = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    title: str | None = None,
    panels: Sequence[str] | None = None,
) -> Page:
    """A page on which optimizers run on a function of two variables, as sliders are dragged.

    The steps are those of ``tx`` itself, translated to JavaScript, in float64. The page is one
    file that loads nothing. If the function is quadratic, it also shows the error mode by mode, the
    poles, where in the plane of two hyperparameters the run converges, and the largest stable
    learning rate. It needs the extra ``lab``.

    Args:
        fun: ``fun(w)`` of a vector of two, written in ``jax.numpy``, a real scalar; or a
            :class:`gdlab.problems.Problem` of two parameters, a random one as it is without a key.
        tx: an optimizer, which is named by its factory, or several by name, which then race.
        start: where they start; it can be dragged. Where the problem does unless given.
        steps: how many steps they take, at most 10 000; there is a slider.
        view: ``((low, high), (low, high))`` of the two variables. Unless given it is the window of
            the problem, or one around the runs and the critical points that are known.
        ranges: path of a hyperparameter, or the end of it → ``(low, high)`` of its slider. A slider
            goes some decades to either side of the value unless given.
        title: the heading; the name of the function unless given.
        panels: the panels of a small page without a heading, to stand between paragraphs, with the
            sliders below them: ``"map"``, ``"loss"``, ``"table"``, and of a quadratic function
            ``"modes"``, ``"poles"``, ``"regimes"``, ``"spring"`` and ``"noise"``. All of them, with
            everything around them, unless given.

    Returns:
        The :class:`~gdlab.Page`: ``page.save("x.html")`` writes it, a notebook shows it.

    Raises:
        IndexError: if the function reads a third variable.
        TypeError: if it does not return a real scalar.
        ValueError: if ``start``, ``steps``, ``view``, ``ranges`` or ``panels`` are not as above, a
            problem has not two parameters, or the function takes more data or products than a page
            should.
        NotImplementedError: if the function or an optimizer uses what cannot be translated, which
            is named.

    Warns:
        UserWarning: if the page takes more than 100 kB, saying what does.

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
    if not isinstance(steps, numbers.Integral) or not 1 <= steps <= MOST_STEPS:
        raise ValueError(f"steps must be a whole number from 1 to {MOST_STEPS}, not {steps!r}")
    if isinstance(fun, Problem) and fun.size != 2:
        raise ValueError(f"fun must be of two parameters, but {fun.name} has {fun.size}")
    optimizers = _named(tx)
    heading = _name_of(fun) if title is None else title
    function = translate_function(fun)
    quadratic = quadratic_of(fun)
    chosen = panels_of(panels, quadratic is not None)
    begin = start_of(fun.start if start is None and isinstance(fun, Problem) else start, quadratic)
    races = {name: translate_optimizer(own, function) for name, own in optimizers.items()}
    check_ranges(ranges or {}, [path for own in races.values() for path in own.hyperparameters])
    runs = runs_of(fun, optimizers, begin, steps)
    paths = [np.asarray(run.path) for run in runs.values()]
    landmarks = landmarks_of(fun, quadratic)
    ends = view_of(view, paths, landmarks, quadratic)
    dynamics = {name: _dynamics(own, quadratic) for name, own in optimizers.items()}
    page = {
        "title": heading,
        "start": begin.tolist(),
        "steps": steps,
        "view": ends.tolist(),
        "panels": chosen,
        **landmarks.as_json(),
        "quadratic": None if quadratic is None else _as_json(quadratic),
        "optimizers": [
            {
                "name": name,
                "sliders": [
                    slider._asdict()
                    for slider in sliders_of(
                        race.hyperparameters, ranges or {}, _scheduled(optimizers[name])
                    )
                ],
                "dynamics": dynamics[name],
            }
            for name, race in races.items()
        ],
    }
    functions = [function.javascript, None if quadratic is None else _at_origin(quadratic)]
    programs = [race.javascript for race in races.values()]
    html = document(heading, page, functions, programs)
    _warn_of_size(html, function.javascript, programs)
    linear = [name for name, own in dynamics.items() if own is not None and "refused" not in own]
    pictures = Pictures(fun, optimizers, runs, ends, landmarks, quadratic, linear)
    return Page(
        html,
        heading,
        in_float64(pictures.data_address),
        {name: in_float64(draw) for name, draw in pictures.views().items()},
        HEIGHT if chosen is None else SMALL_HEIGHT,
    )


def _named(
    tx: GradientTransformation | Mapping[str, GradientTransformation],
) -> dict[str, GradientTransformation]:
    """Optimizers by name; a single one is called by its factory."""
    if isinstance(tx, Mapping):
        if not tx:
            raise ValueError("tx holds no optimizer")
        return {str(name): as_transformation(own) for name, own in tx.items()}
    single = as_transformation(tx)
    factory = repr(single).partition("(")[0]
    # One of another library has no name that says what it is.
    return {"optimizer" if factory == "foreign" else factory: single}


def _name_of(fun: Callable[..., Any]) -> str:
    if isinstance(fun, Problem):
        return fun.name
    name = getattr(fun, "__name__", "<lambda>")
    return "f(w)" if name == "<lambda>" else name.replace("_", " ")


def _scheduled(tx: GradientTransformation) -> list[str]:
    """The paths of the hyperparameters that follow a schedule."""
    found, _ = jax.tree_util.tree_flatten_with_path(tx, is_leaf=lambda x: isinstance(x, Schedule))
    return [dotted(path) for path, value in found if isinstance(value, Schedule)]


def _warn_of_size(html: str, function: str, programs: Sequence[str]) -> None:
    size = len(html.encode())
    if size > LARGEST:
        steps = sum(map(len, programs))
        warnings.warn(
            f"the page takes {_kB(size)}, of which {_kB(len(function))} are the function with its "
            f"data and {_kB(steps)} the steps of {len(programs)} optimizers; a function of less "
            "data or a page of fewer optimizers takes less",
            stacklevel=4,
        )


def _kB(size: int) -> str:  # the unit is written so
    return f"{size / 1000:.0f} kB"


def _dynamics(tx: GradientTransformation, quadratic: Quadratic | None) -> dict[str, Any] | None:
    return None if quadratic is None else dynamics_of(tx, quadratic.hessian)


def _at_origin(quadratic: Quadratic) -> str:
    """½wᵀHw: its minimum is 0, where differences cancel nothing."""
    hessian = jnp.asarray(quadratic.hessian)
    return translate_function(lambda w: 0.5 * jnp.vdot(w, hessian @ w)).javascript


def _as_json(quadratic: Quadratic) -> dict[str, Any]:
    return {
        name: np.asarray(value).tolist() if value is not None else None
        for name, value in quadratic._asdict().items()
    }
