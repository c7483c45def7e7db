"""Results that are put together to one."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

if TYPE_CHECKING:
    from gdlab.sweeps.result import SweepResult


def stacked(dimension: str, results: "Mapping[str, SweepResult]") -> "SweepResult | None":
    """One result with a new first dimension, on which each of ``results`` stands under its name.

    Returns:
        ``None`` if they differ in their dimensions, and so cannot stand beside each other.
    """
    first, *others = results.values()
    if any(not _same_lanes(first, other) for other in others):
        return None

    def stack(get: "Callable[[SweepResult], Any]", axis: int = 0) -> Any:
        trees = [get(result) for result in results.values()]
        return jax.tree.map(lambda *leaves: np.stack(leaves, axis), *trees)

    return dataclasses.replace(
        first,
        dims=(dimension, *first.dims),
        coords={dimension: np.asarray(list(results))} | first.coords,
        loss=stack(lambda r: r.loss),
        aux=stack(lambda r: r.aux),
        metrics=stack(lambda r: r.metrics),
        status=stack(lambda r: r.status),
        stopped_at=stack(lambda r: r.stopped_at),
        evaluations=stack(lambda r: r.evaluations),
        history=stack(lambda r: r.history, axis=1),  # rungs stay in front
        optimizers=tuple(tx for result in results.values() for tx in result.optimizers),
        params=stack(lambda r: r.params),
        params_dims=(dimension, *first.params_dims) if first.params_dims else (),
    )


def _same_lanes(one: "SweepResult", other: "SweepResult") -> bool:
    return one.dims == other.dims and all(
        np.array_equal(values, other.coords[name]) for name, values in one.coords.items()
    )
