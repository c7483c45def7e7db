"""The arguments of a sweep that are the same for every optimizer and problem."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from gdlab.axes.sampling import Sampling
from gdlab.sweeps.plan.arguments import name_of_key, seeds_of
from gdlab.sweeps.plan.cells import Cell, CellArguments, cells_of
from gdlab.sweeps.plan.policies import Policy
from gdlab.sweeps.settings import Resources, Stopping
from gdlab.training.length import Interval
from gdlab.training.objective import require_state
from gdlab.training.problem import Problem


@dataclasses.dataclass(frozen=True, kw_only=True)
class SharedArguments:
    """The arguments of a sweep that all its runs share; see :func:`gdlab.sweep` for each.

    The hyperparameters may hold axes, and the sizes may be axes or functions of hyperparameters.
    """

    hyperparameters: Mapping[str, Any]
    steps: Any
    epochs: Any
    batch_size: Any
    seeds: np.ndarray
    key: jax.Array
    samples: int | None
    sampling: Sampling
    evaluate: Callable[..., Any] | None
    evaluate_every: Interval | None
    has_aux: bool
    model_state: Any
    policy: Policy | None
    stopping: Stopping
    record_every: int
    resources: Resources

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> "SharedArguments":
        """The shared arguments of a call, with defaults for those that are None.

        Raises:
            ValueError: if there are no seeds, one is out of range, or two are the same.
        """
        given = {field.name: arguments[field.name] for field in dataclasses.fields(cls)}
        require_state(given["model_state"])
        given["hyperparameters"] = dict(given["hyperparameters"] or {})
        given["seeds"] = seeds_of(given["seeds"])
        given["key"] = jax.random.key(0) if given["key"] is None else given["key"]
        given["stopping"] = given["stopping"] or Stopping()
        given["resources"] = given["resources"] or Resources()
        return cls(**given)

    @property
    def sizes(self) -> dict[str, Any]:
        """The numbers of steps, of epochs and of examples in a batch, by their names."""
        return {"steps": self.steps, "epochs": self.epochs, "batch_size": self.batch_size}

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments that agree in all results of the same sweep, with 0 for None."""
        patience, policy = self.stopping.patience, self.policy
        return {
            **{name: 0 if size is None else size for name, size in self.sizes.items()},
            "evaluate_every": self.evaluate_every or 0,
            "record_every": self.record_every,
            "divergence_factor": self.stopping.divergence_factor,
            "key": name_of_key(self.key),
            **{f"target {name}": bound for name, bound in self.stopping.bounds},
            **({"patience": repr(patience)} if patience else {}),
            **({"policy": repr(policy)} if policy else {}),
        }

    def cells(self, problems: Mapping[str, Problem], optimizers: Mapping[str, Any]) -> list[Cell]:
        """The cells of the optimizers on the problems; see :func:`~.cells.cells_of`."""
        return cells_of(CellArguments(problems, optimizers, self.hyperparameters, self.sizes))
