"""The largest stable learning rate, predicted from the curvature at the initial parameters."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.analysis.curvature.sharpness import sharpness
from gdlab.analysis.linear.stability import stable_range
from gdlab.analysis.runs.preconditioned import preconditioned_sharpness
from gdlab.analysis.runs.preconditioner import anatomy_on
from gdlab.core.access import set_hyperparameters
from gdlab.core.transformation import GradientTransformation
from gdlab.training.loader import batches_of, is_loader, is_read_once
from gdlab.training.minimize import minimize
from gdlab.training.models import PLAIN, ModelState, open_model
from gdlab.training.objective import ByIdentity, Objective
from gdlab.training.problem import Problem
from gdlab.training.seed_keys import seed_keys

BATCHES = 16
"""The largest number of batches on which the curvature is measured."""
KEYS = 8
"""The number of PRNG keys over which a random loss is averaged."""
STEPS = 100
"""The number of gradients from which the scales of an adaptive method are computed."""


class CurvatureBound(NamedTuple):
    """The predicted largest stable learning rate."""

    value: float
    """The learning rate, NaN if there is no prediction."""
    why: str
    """The reason for the bound, or for its absence, in a sentence."""


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
    """The learning rate at which ``tx`` becomes unstable on the sharpness at a seed's start.

    It is 2/sharpness for gradient descent. For an adaptive method the preconditioned sharpness
    counts, with scales from the gradients at the start. If the bound cannot be computed, ``why``
    gives the reason.
    """
    loss, start, data = problem
    keys = jax.tree.map(lambda keys: keys[0], seed_keys(key, np.asarray([seed])))
    if is_loader(data) and is_read_once(data):
        return CurvatureBound(np.nan, "An iterator cannot be read again for the curvature.")
    model = open_model(start)
    if model.is_init:
        model = open_model(start(keys.init))
    start, state = model.params, ModelState(model.held, model_state)
    objective = Objective(
        ByIdentity(loss), data is not None, has_aux, model_state is not None, model.form
    )

    def loss_alone(params: Any, batch: Any = None) -> Any:
        if not objective.is_random(keys.step):
            return objective(params, batch, None, state)[0]
        each = lambda key: objective(params, batch, key, state)[0]  # noqa: E731
        return jnp.mean(jax.lax.map(each, jax.random.split(keys.step, KEYS)))

    plain = objective.has_no_side_results and model.form == PLAIN and not objective.takes_key
    # Compiled programs are cached by function, so the user's own function is reused if possible.
    loss = loss if plain else loss_alone
    try:
        examples = _examples(data, batch_size)
        adaptive = anatomy_on(tx, start).adaptive
        if adaptive:
            # With a learning rate of 0 the parameters stay while the scales settle.
            resting = set_hyperparameters(tx, {hyperparameter: 0.0})
            run = minimize(
                loss, start, resting, STEPS, data=examples, batch_size=batch_size, key=keys.step,
                keep_path=False,
            )  # fmt: skip
            curvature = preconditioned_sharpness(
                loss, start, tx, run.state, examples, batch_size=batch_size
            )
        else:
            curvature = sharpness(loss, start, examples, batch_size=batch_size)
        limit = stable_range(tx, curvature, hyperparameter)[1]
    except (ImportError, RuntimeError, TypeError, ValueError) as error:
        return CurvatureBound(np.nan, f"The curvature at the start predicts nothing: {error}.")
    name = "preconditioned sharpness" if adaptive else "sharpness"
    return CurvatureBound(
        limit,
        f"The {name} at the start, {curvature:.3g}, predicts the end of stability at {limit:.3g}.",
    )


def _examples(data: Any, batch_size: int | None) -> Any:
    """Select the examples of a few batches: evenly spaced rows of arrays, or a loader's first."""
    if is_loader(data):
        return _FirstBatches(data)
    if data is None or batch_size is None:
        return data
    size = len(jax.tree.leaves(data)[0])
    rows = np.linspace(0, size - 1, min(size, BATCHES * batch_size)).astype(int)
    return jax.tree.map(lambda array: array[rows], data)


class _FirstBatches:
    """The first batches of a loader, kept so that they can be iterated over again."""

    def __init__(self, loader: Iterable[Any]):
        self._batches = list(itertools.islice(batches_of(loader), BATCHES))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._batches)
