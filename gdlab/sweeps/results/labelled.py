"""Conversion of results to xarray datasets and pandas tables."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from gdlab.axes.naming import EVALUATION_STEP

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult


def dataset(result: "SweepResult") -> Any:
    """An ``xarray.Dataset`` whose variables have the attributes ``role`` and ``name``.

    A metric or an auxiliary value whose name is taken has its role in front of the name.
    """
    import xarray

    steps = (*result.dims, "step")
    variables = {
        "loss": (steps, result.loss, {"role": "loss"}),
        "final_loss": (result.dims, result.final_loss, {"role": "final_loss"}),
        "status": (result.dims, result.status, {"role": "status"}),
        "stopped_at": (result.dims, result.stopped_at, {"role": "stopped_at"}),
        "evaluations": (result.dims, result.evaluations, {"role": "evaluations"}),
    }
    coords = {
        name: ((), values) if values.ndim == 0 else ((result.axes.get(name, name),), values)
        for name, values in result.coords.items()
    }
    groups = {
        "aux": (result.aux, steps),
        "metric": (result.metrics, result.dims),
        "curve": (result.curves, (*result.dims, EVALUATION_STEP)),
        "history": (result.history, ("rung", *result.dims[:-1])),
    }
    for role, (arrays, dims) in groups.items():
        for name, values in arrays.items():
            prefixed = f"{role}_{name}" if role in ("history", "curve") else name
            variable = _untaken(prefixed, role, variables | coords)
            variables[variable] = (dims, values, {"role": role, "name": name})
    return xarray.Dataset(variables, coords, attributes(result))


def attributes(result: "SweepResult") -> dict[str, str]:
    """The fields of a result that are not arrays, as JSON."""
    return {
        "optimizers": json.dumps([repr(tx) for tx in result.optimizers]),
        "axes": json.dumps(result.axes),
        "settings": json.dumps(result.settings, default=np.generic.item),
        "provenance": json.dumps(result.provenance),
    }


def frame(result: "SweepResult") -> Any:
    """A ``pandas.DataFrame`` with a row for each lane."""
    import pandas

    labels = lane_labels(result)
    ends = {name: getattr(result, name) for name in ("status", "stopped_at", "evaluations")}
    metrics: dict[str, np.ndarray] = {"final_loss": result.final_loss}
    for name, values in result.metrics.items():
        metrics[_untaken(name, "metric", labels | metrics | ends)] = values
    columns = labels | metrics | ends
    return pandas.DataFrame({name: values.reshape(-1) for name, values in columns.items()})


def _untaken(name: str, role: str, taken: dict[str, Any]) -> str:
    """The name, prefixed with its role until it differs from all taken names."""
    while name in taken:
        name = f"{role}_{name}"
    return name


def lane_labels(result: "SweepResult") -> dict[str, np.ndarray]:
    """The label of each lane on every dimension, and its value on every axis."""
    shape = result.status.shape

    def label_of_each(name: str) -> np.ndarray:
        position = result.dims.index(result.axes.get(name, name))
        following = (1,) * (len(shape) - position - 1)
        return np.broadcast_to(result.coords[name].reshape(-1, *following), shape)

    return {name: label_of_each(name) for name in dict.fromkeys([*result.dims, *result.axes])}
