"""Results whose runs have different numbers of steps, over the steps of all."""

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult


def with_steps_of_all(results: "Iterable[SweepResult]") -> "list[SweepResult]":
    """The results over the recorded steps of all of them together.

    The last losses of a shorter run stay from its end on, as those of a lane that has converged do.
    A step that a run did not record is NaN in it.
    """
    results = list(results)
    steps = [result.coords["step"] for result in results]
    everything = np.unique(np.concatenate(steps))
    if all(np.array_equal(own, everything) for own in steps):
        return results
    return [_over(result, everything) for result in results]


def _over(result: "SweepResult", steps: np.ndarray) -> "SweepResult":
    own = result.coords["step"]
    places = np.searchsorted(steps, own)

    def spread(values: np.ndarray) -> np.ndarray:
        spread = np.full((*values.shape[:-1], len(steps)), np.nan, values.dtype)
        spread[..., places] = values
        spread[..., places[-1] :] = values[..., -1:]
        return spread

    return dataclasses.replace(
        result,
        coords=result.coords | {"step": steps},
        loss=spread(result.loss),
        aux={name: spread(values) for name, values in result.aux.items()},
    )
