"""The robust choice of a hyperparameter: good at the value itself and at its neighbours."""

import numpy as np

from gdlab.core.decays import is_decay

NEIGHBOURHOOD = 0.21
"""The distance, in decades, of neighbouring values: two on each side at ten values per decade."""
LAST_PART = 0.5
"""The fraction of a run, at its end, over which the loss is averaged."""
NEGLIGIBLE = 1e-12
"""The fraction of the initial loss above the floor below which losses count as equal."""


def robust_order(name: str, values: np.ndarray, loss: np.ndarray, floor: float) -> np.ndarray:
    """Indices of the values of a hyperparameter, the most robust first.

    The score of a value is the largest mean loss over the last half of the run among the value and
    its neighbours, since a run that ends low between runs that do not is an accident of its start
    and its number of steps. Ties are broken by the value's own mean over the last half, and then by
    its mean over the whole run.

    Args:
        name: the name of the hyperparameter.
        values: the values that were tried, of shape ``(values,)``.
        loss: the loss at each step, of shape ``(values, steps + 1)``.
        floor: the lowest loss that counts.

    Returns:
        The indices of the values whose loss is finite to the end.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        lowest = floor + NEGLIGIBLE * np.abs(loss[:, :1] - floor)
        counted = np.maximum(loss, lowest)
        last = max(1, int(np.ceil(LAST_PART * (loss.shape[1] - 1))))
        end, whole = np.mean(counted[:, -last:], axis=1), np.mean(counted, axis=1)
    arrives = np.isfinite(whole)
    end, whole = np.where(arrives, end, np.inf), np.where(arrives, whole, np.inf)
    worst = np.max(np.where(_neighbours(name, values), end, -np.inf), axis=1)
    return np.lexsort([whole, end, worst, ~arrives])[: np.count_nonzero(arrives)]


def _neighbours(name: str, values: np.ndarray) -> np.ndarray:
    """A mask of the pairs of neighbouring values, of shape ``(values, values)``.

    The distance between decays is the ratio of 1 − β, that between other values their ratio.
    """
    decays = all(is_decay(name, value) for value in values)
    with np.errstate(divide="ignore", invalid="ignore"):
        decades = np.log10(np.abs(1 - values if decays else values))
        near = np.abs(decades[:, None] - decades) <= NEIGHBOURHOOD
    return near | np.eye(len(values), dtype=bool)
