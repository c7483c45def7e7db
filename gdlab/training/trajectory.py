"""The record of one run."""

from typing import Any, NamedTuple

import jax

from gdlab.training.models import Form


class Trajectory(NamedTuple):
    """The path of a run and its losses."""

    params: Any
    """The parameters after the last step; a model, if one was given."""
    path: Any
    """The parameters at steps 0, 1, …, with a leading axis of ``steps + 1``; None if not kept. In a
    model only the trained arrays have this axis; the rest is that of the last step."""
    values: jax.Array
    """The losses at steps 0, 1, …, each on the batch of its step, of shape ``(steps + 1,)``."""
    aux: Any
    """The auxiliary values of the loss, with a leading axis of ``steps + 1``; None without any."""
    state: Any
    """The state of the optimizer after the last step."""
    model_state: Any
    """The model state after the last step; None if there is none."""
    steps: jax.Array
    """The number of steps taken, including those of earlier calls that this one continued."""
    evaluation_params: Any
    """The parameters to evaluate after the last step: the averaged ones, if ``tx`` averages."""
    evaluation_values: jax.Array | None
    """The losses at the parameters to evaluate, like ``values``; None unless ``tx`` averages."""
    outcome: jax.Array | None = None
    """The reason why the run ended, an :class:`Outcome`; None without a ``tol``."""
    evaluations: jax.Array | None = None
    """The number of evaluations of the loss, with or without gradient, including those that line
    searches in ``tx`` count; None without a ``tol``."""
    metrics: Any = None
    """The values of ``evaluate``, with a leading axis of its calls; None without one."""
    evaluated_steps: jax.Array | None = None
    """The numbers of steps after which ``evaluate`` was called, of shape ``(calls,)``."""

    def plot(self, *, minimum: float | None = None, ax: Any = None) -> Any:
        """Draw the loss at each step, as :func:`gdlab.plots.losses`; needs the extra ``lab``.

        Args:
            minimum: the smallest possible loss; the height of losses above it is then drawn.
            ax: the matplotlib axes to draw on; new ones unless given.

        Returns:
            The matplotlib axes.
        """
        from gdlab import plots

        return plots.losses(self, minimum=minimum, ax=ax)

    def closed(self, form: Form) -> "Trajectory":
        """The trajectory with models rebuilt from their arrays."""
        held, given = self.model_state
        return self._replace(
            params=form.close(self.params, held),
            path=None if self.path is None else form.close(self.path, held),
            model_state=given,
            evaluation_params=form.close(self.evaluation_params, held),
        )
