"""Updates that keep the parameters in a set."""

from typing import Annotated

import jax.numpy as jnp

from gdlab.checks.user_functions import called_as
from gdlab.core.annotations import AtLeast
from gdlab.core.apply import apply_updates
from gdlab.core.authoring import LeafFunctions, TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.returned import require_arrays_like
from gdlab.core.structure import Function, map_arrays
from gdlab.core.transformation import GradientTransformation, leafwise, transformation


@leafwise(reads="param")
def project_onto_box(
    lower: Hyperparameter, upper: Annotated[Hyperparameter, AtLeast("lower")]
) -> LeafFunctions:
    """Cut the updates off where the parameters would leave a box.

    uₜ = max(lower, min(wₜ + gₜ, upper)) − wₜ

    Put it last in a chain, after the learning rate: projected gradient descent.

    Args:
        lower: the smallest value of every element, a number or a tree of one for each leaf.
        upper: the largest value of every element, likewise.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import chain, minimize, project_onto_box, sgd
    >>> tx = chain(sgd(1.0), project_onto_box(-1.0, 1.0))
    >>> minimize(lambda w: 0.25 * w, 0.0, tx, steps=5).path
    Array([ 0.  , -0.25, -0.5 , -0.75, -1.  , -1.  ], dtype=float32)
    """

    def update(u, param):
        there = param + u
        inside = jnp.clip(there, lower, upper)
        # A step that stays in the box is returned bit for bit.
        return jnp.where(inside == there, u, inside - param)

    return update


@transformation
def keep_params_nonnegative() -> GradientTransformation:
    """Cut the updates off where the parameters would become negative.

    uₜ = max(0, wₜ + gₜ) − wₜ

    Put it last in a chain.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import keep_params_nonnegative
    >>> tx = keep_params_nonnegative()
    >>> params = jnp.array([2.0, 0.5])
    >>> tx.update(jnp.array([-1.0, -1.0]), tx.init(params), params)[0]
    Array([-1. , -0.5], dtype=float32)
    """
    return project_onto_box(0.0, jnp.inf)


@transformation(reads="params")
def project_params(projection: Function) -> TreeFunctions:
    """Project the parameters onto a set after each step.

    uₜ = projection(wₜ + gₜ) − wₜ

    Put it last in a chain, after the learning rate: projected gradient descent. The functions of
    ``optax.projections`` are such projections; :func:`project_onto_box` has its bounds as
    hyperparameters.

    Args:
        projection: a function from a tree of parameters to the nearest one in the set.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import chain, project_params, sgd
    >>> def onto_unit_ball(w):
    ...     return w / jnp.maximum(1, jnp.linalg.norm(w))
    >>> tx = chain(sgd(1.0), project_params(onto_unit_ball))
    >>> params = jnp.zeros(2)
    >>> tx.update(jnp.array([-3.0, -4.0]), tx.init(params), params)[0]
    Array([0.6, 0.8], dtype=float32)
    """

    def update(updates, *, params):
        there = called_as("projection(params)", projection, apply_updates(params, updates))
        require_arrays_like("what projection returns", there, "params", params)
        return map_arrays(lambda _, to, w: to - w, updates, there, params)

    return update
