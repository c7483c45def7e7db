"""The evaluation of a run by a user's function, at the start, on the way and at the end."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.checks.user_functions import called_as
from gdlab.checks.values import is_tree_of_arrays
from gdlab.core.state import evaluation_params
from gdlab.training.models import Form, ModelState
from gdlab.training.objective import ByIdentity
from gdlab.training.step import Progress


class Evaluation(NamedTuple):
    """The settings and operations of the evaluation of one run."""

    evaluate: ByIdentity
    form: Form
    """The structure of the model that is evaluated."""
    every: int
    """The number of steps from one evaluation to the next."""

    def steps(self, steps: int) -> list[int]:
        """The steps before which a run is evaluated, including the one after the last."""
        return [*range(0, steps, self.every), steps]

    def of(self, progress: Progress) -> Any:
        """The values at the parameters to evaluate, a tree of arrays.

        Raises:
            TypeError: if ``evaluate`` returns anything else.
        """
        params = evaluation_params(progress.state, progress.params)
        values = evaluation_of(self.evaluate, self.form, params, progress.model_state)
        return jax.tree.map(jnp.asarray, values)

    def blank(self, steps: int, progress: Progress) -> Any:
        """Zeros for all values of a run of ``steps`` steps."""
        rows = len(self.steps(steps))
        shapes = jax.eval_shape(self.of, progress)
        return jax.tree.map(lambda leaf: jnp.zeros((rows, *leaf.shape), leaf.dtype), shapes)

    def noted(self, values: Any, progress: Progress, taken: Any) -> Any:
        """Add the values after ``taken`` steps, if the run is evaluated there."""

        def evaluated() -> Any:
            row = taken // self.every
            return jax.tree.map(lambda all_, new: all_.at[row].set(new), values, self.of(progress))

        return jax.lax.cond(taken % self.every == 0, evaluated, lambda: values)

    def ended(self, values: Any, progress: Progress) -> Any:
        """Add the values at the end of the run."""
        return jax.tree.map(lambda all_, new: all_.at[-1].set(new), values, self.of(progress))


def evaluation_of(
    evaluate: ByIdentity, form: Form, params: Any, model_state: ModelState, **hyperparameters: Any
) -> Any:
    """Call ``evaluate(model, **hyperparameters)``, with the caller's model state if any."""
    model = form.close(params, model_state.held)
    given = () if model_state.given is None else (model_state.given,)
    form_of_call = f"evaluate(params{', model_state' * len(given)})"
    values = called_as(
        form_of_call, evaluate.function, model, *given, **evaluate.keywords, **hyperparameters
    )
    if not is_tree_of_arrays(values):
        raise TypeError(f"evaluate must return a tree of arrays, not {values!r}")
    return values


@functools.partial(jax.jit, static_argnums=0)
def evaluated_at(evaluation: Evaluation, progress: Progress) -> Any:
    """Do what :meth:`Evaluation.of` does in a compiled program."""
    return evaluation.of(progress)
