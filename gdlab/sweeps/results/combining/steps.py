"""The alignment of results with different numbers of steps to the union of recorded steps."""

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

import jax
import numpy as np

from gdlab.axes.naming import EVALUATION_STEP

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult


def with_steps_of_all(results: "Iterable[SweepResult]") -> "list[SweepResult]":
    """The results, each over the union of the recorded steps of all.

    A shorter run keeps its last loss from its end on, like a lane that has converged. A step before
    its end that a run did not record is NaN.
    """
    results = list(results)
    for dimension, arrays in (("step", ("loss", "aux")), (EVALUATION_STEP, ("curves",))):
        steps = [result.coords.get(dimension, np.zeros(0, int)) for result in results]
        all_steps = np.unique(np.concatenate(steps))
        if not all(np.array_equal(own, all_steps) for own in steps):
            results = [_over(result, all_steps, dimension, arrays) for result in results]
    return results


def _over(
    result: "SweepResult", steps: np.ndarray, dimension: str, arrays: tuple[str, ...]
) -> "SweepResult":
    """The result with some of its arrays over other steps along a dimension."""
    places = np.searchsorted(steps, result.coords[dimension])

    def over_steps(values: np.ndarray) -> np.ndarray:
        found = np.full((*values.shape[:-1], len(steps)), np.nan, values.dtype)
        found[..., places] = values
        found[..., places[-1] :] = values[..., -1:]
        return found

    changed = {name: jax.tree.map(over_steps, getattr(result, name)) for name in arrays}
    return dataclasses.replace(result, coords=result.coords | {dimension: steps}, **changed)
