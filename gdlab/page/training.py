"""Live pages on which a model trains, with its sharpness and the stability limit."""

import base64
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from gdlab.analysis.linear.precision import as_float64, in_float64
from gdlab.analysis.runs.preconditioner import anatomy_on, require_diagonal
from gdlab.checks.checked import checked
from gdlab.checks.kinds import Name
from gdlab.checks.user_functions import called_as
from gdlab.core.transformation import GradientTransformation
from gdlab.page.document import TRAINING, Document, program_constants
from gdlab.page.dynamics import dynamics_of
from gdlab.page.matrix import elements_of, momentum_of, positions_json
from gdlab.page.optimizers import named_optimizers, slider_json, translated_optimizers
from gdlab.page.page import HEIGHT, Page
from gdlab.page.space import Space, heading_of, space_of
from gdlab.page.training_pictures import TrainingPictures
from gdlab.page.translator.program import (
    TranslatedOptimizer,
    translate_function,
    translate_optimizer,
)


@in_float64
@checked
def explore_training(
    loss: Callable[..., Any],
    tx: GradientTransformation | Mapping[Name, GradientTransformation],
    params: Any,
    *,
    measure: Callable[..., Any] | None = None,
    measure_name: str = "accuracy",
    tiles: Callable[..., Any] | None = None,
    matrix: Callable[..., Any] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    title: str | None = None,
) -> Page:
    """Make a page on which a model trains, and its sharpness rises to the optimizer's limit.

    The loss, its gradient, its Hessian-vector products and the optimizers are translated from JAX
    to JavaScript, in float64, so that training is that of :func:`gdlab.minimize` up to rounding.
    During training the page draws the loss, a measure such as the accuracy, the largest eigenvalue
    of the Hessian (preconditioned like the gradient), and the largest eigenvalue at which the
    optimizer is stable with its present hyperparameters. Sliders act at once, and training can be
    resumed from any earlier step.

    Args:
        loss: ``loss(params)`` on all the data, which it closes over, written in ``jax.numpy``; a
            real scalar. It is evaluated several times per step, so that a page is quick with some
            thousand products of weights and examples, and slow with some million.
        tx: an optimizer, or a dictionary of several by name, among which the page has a choice.
        params: the initial parameters, a tree of arrays with at most 5000 numbers.
        measure: ``measure(params)``, a number between 0 and 1, such as the accuracy.
        measure_name: the name of the measure.
        tiles: ``tiles(params)``, an array of shape ``(count, rows, columns)`` of elements of the
            parameters, such as the weights into each unit, which are drawn as pictures.
        matrix: ``matrix(params)``, one matrix of the parameters, such as ``lambda p: p["w"]``. The
            page shows the singular values of its momentum and of its last update side by side; with
            Muon those of the update are nearly equal.
        ranges: as for :func:`~gdlab.explore`.
        title: the heading; by default the name of the loss.

    Returns:
        The :class:`~gdlab.Page`: ``page.save("x.html")`` writes it, a notebook shows it, and
        ``page.save("x.svg")`` draws the first 300 steps for slides.

    Raises:
        TypeError: if the loss does not return a real scalar.
        ValueError: if ``params`` or ``ranges`` is invalid, or the loss takes more products than a
            page should.
        NotImplementedError: if the loss or an optimizer uses a primitive that cannot be translated;
            the message names it.

    >>> import jax.numpy as jnp
    >>> import gdlab
    >>> inputs = jnp.linspace(-1, 1, 20)
    >>> def loss(params):
    ...     hidden = jnp.tanh(jnp.outer(inputs, params["w"]))
    ...     return jnp.mean((hidden @ params["v"] - inputs**2) ** 2)
    >>> params = {"v": jnp.array([0.1, -0.2]), "w": jnp.array([0.3, 0.5])}
    >>> gdlab.explore_training(loss, gdlab.sgd(0.5), params, title="A small network")
    <Page 'A small network', ... kB>

    Source: J. Cohen et al., Gradient descent on neural networks typically occurs at the edge of
    stability, 2021; J. Cohen et al., Adaptive gradient methods at the edge of stability, 2022.
    """
    optimizers = named_optimizers(tx)
    if params is None:
        raise TypeError("params must be a tree of arrays, not None")
    space = space_of(loss, params, "params")
    measured = None
    if measure is not None:
        measured = lambda w: called_as("measure(params)", measure, space.params(w))  # noqa: E731
    function = translate_function(
        space.fun,
        space.size,
        curvature=True,
        measure=measured,
        argument="loss",
    )
    bowl = translate_function(lambda w: 0.5 * jnp.vdot(w, w))
    _require_number("loss", function.value, space)
    if measured is not None:
        _require_number("measure", measured, space)
    races = translated_optimizers(optimizers, function, space, ranges or {})
    near = [translate_optimizer(own, bowl).javascript for own in optimizers.values()]
    heading = heading_of(loss, "loss") if title is None else title
    page = {
        "start": base64.b64encode(np.asarray(space.start, "<f8").tobytes()).decode(),
        "measure": measure_name,
        "tiles": _picked(tiles, space, 3, "tiles"),
        "matrix": _picked(matrix, space, 2, "matrix"),
        "optimizers": [
            _optimizer_json(name, races[name], own, space, matrix, ranges or {})
            for name, own in optimizers.items()
        ],
    }
    programs = [race.javascript for race in races.values()]
    constants = program_constants(function.javascript, programs)
    document = Document(TRAINING, heading, page, {**constants, "NEAR": f"[{','.join(near)}]"})
    pictures = TrainingPictures(loss, optimizers, params, measure, measure_name, tiles, matrix)
    views = {name: in_float64(draw) for name, draw in pictures.views().items()}
    return Page(document.html(), heading, lambda: None, views, HEIGHT, document)


def _require_number(argument: str, function: Callable[[Any], Any], space: Space) -> None:
    """Refuse a function that is no finite number at the start, of which nothing could be shown."""
    value = float(function(jnp.asarray(space.start)))
    if not math.isfinite(value):
        raise ValueError(f"{argument} must be finite at params, not {value}")


def _optimizer_json(
    name: str,
    race: TranslatedOptimizer,
    tx: GradientTransformation,
    space: Space,
    matrix: Callable[..., Any] | None,
    ranges: Mapping[str, tuple[float, float]],
) -> dict[str, Any]:
    params = space.params(jnp.asarray(space.start))
    anatomy, refused = _anatomy(tx, params)
    momentum = None
    if matrix is not None:
        momentum = momentum_of(tx, params, elements_of(matrix, space, 2, "matrix"))
    return {
        **slider_json(name, race, tx, ranges),
        "dynamics": dynamics_of(tx, np.eye(2)),
        "anatomy": anatomy,
        "refused": refused,
        "momentum": None if momentum is None else positions_json(momentum),
    }


def _anatomy(
    tx: GradientTransformation, params: Any
) -> tuple[dict[str, list[tuple[int, int]]] | None, str]:
    """The positions of signals, scales and clocks in the state; or None and the reason.

    Positions are given as ranges, without their ends.
    """
    try:
        anatomy = anatomy_on(tx, params)
        if anatomy.adaptive:
            require_diagonal(anatomy, tx, params)
    except ValueError as error:
        return None, str(error)
    if not _is_elementwise(tx, params):
        return None, (
            f"The update of {tx!r} of a weight depends on the gradients of others: it has no limit "
            "that is one number."
        )
    leaves = jax.tree.leaves(jax.eval_shape(as_float64(tx).init, params))
    ends = np.cumsum([0, *(int(np.prod(leaf.shape)) for leaf in leaves)])
    stretches = {
        kind: [(int(ends[i]), int(ends[i + 1])) for i in anatomy.positions(kind)]
        for kind in ("signal", "scale", "clock")
    }
    return {
        "signals": stretches["signal"],
        "silent": [],
        "scales": stretches["scale"],
        "clocks": stretches["clock"],
    }, ""


def _is_elementwise(tx: GradientTransformation, params: Any) -> bool:
    """Tell whether the update of each weight depends on its own gradient alone."""
    flat, unravel = ravel_pytree(params)
    mixed = jnp.cos(1.0 + jnp.arange(flat.size))
    leaves = np.cumsum([0, *(np.size(leaf) for leaf in jax.tree.leaves(params))])[:-1]

    def update(gradient: Any) -> Any:
        known = {"value": jnp.ones(()), "grad": unravel(gradient)}
        updates, _ = tx.update(unravel(gradient), tx.init(params), params, **known)
        return ravel_pytree(updates)[0]

    try:
        one, other = update(mixed), update(mixed.at[leaves].add(1.0))
    except (TypeError, ValueError):
        return False  # it evaluates the loss at other points
    same = jnp.abs(one - other) <= 1e-9 * jnp.max(jnp.abs(one))
    return bool(jnp.all(same.at[leaves].set(True)))


def _picked(
    pick: Callable[..., Any] | None, space: Space, ndim: int, name: str
) -> dict[str, Any] | None:
    """The positions of the parameters that a function picks, as JSON; None without a function."""
    if pick is None:
        return None
    return positions_json(elements_of(pick, space, ndim, name))
