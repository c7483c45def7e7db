"""The largest stable learning rate that the curvature at the start of a training predicts."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.analysis.largest_curvature import sharpness
from gdlab.analysis.stability import stable_range
from gdlab.core.transformation import GradientTransformation
from gdlab.sweeps.arguments import Problem
from gdlab.sweeps.engine import keys_of
from gdlab.sweeps.stream import is_loader
from gdlab.training.objective import ByIdentity, Objective

BATCHES = 16
"""How many batches of examples are looked at, where there are batches."""
KEYS = 8
"""Over how many keys a random loss is averaged."""


class CurvatureBound(NamedTuple):
    """Where stability is predicted to end."""

    value: float
    """The rate, NaN where there is no prediction."""
    why: str
    """A sentence about it."""


def curvature_bound(
    problem: Problem,
    tx: GradientTransformation,
    hyperparameter: str,
    *,
    key: jax.Array,
    seed: int,
    batch_size: int | None,
    has_aux: bool,
    model_state: Any,
) -> CurvatureBound:
    """The rate at which ``tx`` becomes unstable on the largest curvature at the start of a seed.

    That is 2/sharpness for gradient descent. Where it cannot be computed, the sentence says why.
    """
    loss, start, data = problem
    keys = jax.tree.map(lambda keys: keys[0], keys_of(key, np.asarray([seed])))
    objective = Objective(ByIdentity(loss), data is not None, has_aux, model_state is not None)

    def loss_alone(params: Any, batch: Any = None) -> Any:
        if not objective.takes_key:
            return objective(params, batch, None, model_state)[0]
        each = lambda key: objective(params, batch, key, model_state)[0]  # noqa: E731
        return jnp.mean(jax.lax.map(each, jax.random.split(keys.step, KEYS)))

    if is_loader(data):
        return CurvatureBound(np.nan, "Data from a loader are not read again for their curvature.")
    is_init = callable(start) and jax.tree_util.all_leaves([start])
    plain = not (objective.takes_key or objective.has_aux or objective.has_state)
    try:
        curvature = sharpness(
            # Programs are compiled for a function: the user's own is there again next time.
            loss if plain else loss_alone,
            start(keys.init) if is_init else start,
            _examples(data, batch_size),
            batch_size=batch_size,
        )
        limit, of_larger_gradients = (
            stable_range(tx, curvature, hyperparameter, gradient_rms=rms)[1] for rms in (1.0, 2.0)
        )
    except (ImportError, RuntimeError, TypeError, ValueError) as error:
        return CurvatureBound(np.nan, f"The curvature at the start predicts nothing: {error}.")
    if not np.isclose(limit, of_larger_gradients):
        return CurvatureBound(
            np.nan,
            f"The sharpness at the start, {curvature:.3g}, bounds no rate of a method that divides "
            "by the size of gradients.",
        )
    return CurvatureBound(
        limit,
        f"The sharpness at the start, {curvature:.3g}, predicts the end of stability at "
        f"{limit:.3g}.",
    )


def _examples(data: Any, batch_size: int | None) -> Any:
    """As many examples as some batches have, evenly from all of them."""
    if data is None or batch_size is None:
        return data
    size = len(jax.tree.leaves(data)[0])
    rows = np.linspace(0, size - 1, min(size, BATCHES * batch_size)).astype(int)
    return jax.tree.map(lambda array: array[rows], data)
