"""The model before the first step, which does not depend on the optimizer."""

import dataclasses
import functools
from typing import Any

import jax

from gdlab.axes.grid import Grid
from gdlab.axes.slots import at_point, slot_names
from gdlab.checks.user_functions import called_as
from gdlab.training.models import OpenedModel, open_model
from gdlab.training.objective import ByIdentity
from gdlab.training.seed_keys import SeedKeys
from gdlab.training.start import differentiable


@functools.partial(jax.jit, static_argnums=(0,))
def first_model(
    init: ByIdentity | None, template: Any, hyperparameters: Any, points: Any, keys: jax.Array
) -> OpenedModel:
    """The model before the first step, with leading axes of seeds, and of points if there are any.

    Args:
        init: the function that makes the model; None if ``template`` is the model.
        template: the model to start from without ``init``, with slots in place of axes.
        hyperparameters: the hyperparameters that ``init`` takes, likewise.
        points: the values for the slots at all points.
        keys: the key of each seed for ``init``.
    """

    def of_point(key: jax.Array, point: Any) -> OpenedModel:
        model, keywords = at_point((template, hyperparameters), point)
        if init:
            given = init.keywords | keywords
            model = open_model(called_as("params: init(key)", init.function, key, **given))
        params = differentiable(model.params, "params: what init returns")
        return dataclasses.replace(model, params=params)

    over_points = jax.vmap(of_point, (None, 0)) if points else of_point
    return jax.vmap(over_points, (0, None))(keys, points)


def shape_of_model(
    init: ByIdentity, hyperparameters: dict[str, Any], grid: Grid, keys: SeedKeys
) -> OpenedModel:
    """The model of one lane that a function makes, with shapes and dtypes for arrays."""
    names = slot_names(hyperparameters)
    points = {name: values for name, values in grid.points.items() if name in names}
    make = functools.partial(first_model, init, None, hyperparameters)
    of_lane = (lambda leaf: leaf[0, 0]) if points else lambda leaf: leaf[0]
    return jax.eval_shape(lambda: jax.tree.map(of_lane, make(points, keys.init)))
