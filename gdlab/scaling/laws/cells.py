"""The cells of a sweep: a curve over the learning rate for each combination of sizes."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gdlab.sweeps.results.result import SweepResult


class Cell(NamedTuple):
    """The losses of one combination of sizes."""

    sizes: dict[str, float]
    rates: np.ndarray
    """The learning rates, of shape ``(n,)``."""
    losses: np.ndarray
    """The losses of shape ``(n, seeds)``, NaN where a run did not finish."""


def cells_of(
    results: SweepResult | Mapping[Any, SweepResult],
    sizes: Sequence[str] | None,
    axis: str,
    metric: str,
) -> list[Cell]:
    """The cells of one result whose dimensions are sizes, or of one result for each size.

    Raises:
        ValueError: if a dimension is neither the axis, nor a size, nor the seeds.
    """
    if isinstance(results, SweepResult):
        own = sizes or [name for name in results.dims if name not in (axis, "seed")]
        return list(_within(results, own, axis, metric, {}))
    if not results:
        raise ValueError("results holds no sweep")
    if not sizes:
        raise ValueError('sizes must name what the keys of results are, such as sizes=["width"]')
    cells: list[Cell] = []
    for key, result in results.items():
        at = key if isinstance(key, tuple) else (key,)
        if len(at) != len(sizes):
            raise ValueError(f"sizes names {list(sizes)}, but a key of results is {key!r}")
        named = {name: _as_size(name, value) for name, value in zip(sizes, at, strict=True)}
        cells.extend(_within(result, [], axis, metric, named))
    return cells


def _within(
    result: SweepResult, sizes: Sequence[str], axis: str, metric: str, outside: dict[str, float]
) -> Iterator[Cell]:
    along = result.axes.get(axis)
    if along is None:
        raise ValueError(f"the result has no axis {axis!r}; it has {list(result.axes)}")
    left = [name for name in result.dims if name not in (along, "seed", *sizes)]
    unknown = [name for name in sizes if name not in result.dims]
    if left or unknown:
        raise ValueError(
            f"the result has the dimensions {list(result.dims)}: beside {along!r} and 'seed' they "
            f"must be the sizes, {list(sizes)}; select one value of each other"
        )
    order = [result.dims.index(name) for name in (*sizes, along, "seed")]
    values = np.transpose(result.values(metric), order)
    labels = [[_as_size(name, value) for value in result.coords[name]] for name in sizes]
    for index in itertools.product(*map(range, values.shape[: len(sizes)])):
        at = {name: labels[i][index[i]] for i, name in enumerate(sizes)}
        yield Cell(outside | at, np.asarray(result.coords[axis], float), values[index])


def _as_size(name: str, value: Any) -> float:
    try:
        size = float(value)
    except (TypeError, ValueError):
        size = math.nan
    if size > 0:
        return size
    raise ValueError(f"the label {value!r} of {name!r} is not a size: it has to be above 0")
