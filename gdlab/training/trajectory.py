"""The record of one run."""

from typing import Any, NamedTuple

import jax


class Trajectory(NamedTuple):
    """The path of a run and its losses."""

    params: Any
    """The parameters after the last step."""
    path: Any
    """The parameters at steps 0, 1, …, with a leading axis of ``steps + 1``; None if not kept."""
    values: jax.Array
    """The losses at those parameters, each on the batch of its step, of shape ``(steps + 1,)``."""
    aux: Any
    """The auxiliary values beside them, with a leading axis of ``steps + 1``; None if none."""
    state: Any
    """The state of the optimizer after the last step."""
    model_state: Any
    """The model state after the last step; None if there is none."""
    steps: jax.Array
    """The number of steps taken, those before ``state`` was handed back among them."""
    evaluation_params: Any
    """The parameters to evaluate after the last step: the averaged ones, if ``tx`` averages."""
    evaluation_values: jax.Array | None
    """The losses at the parameters to evaluate, like ``values``; None unless ``tx`` averages."""
    outcome: jax.Array | None = None
    """The reason for which the run ended, an :class:`Outcome`; None without a ``tol``."""
    evaluations: jax.Array | None = None
    """The number of evaluations of the loss, with or without its gradient: of the run itself and
    of the parts of ``tx`` that count theirs, as line searches do; None without a ``tol``."""
