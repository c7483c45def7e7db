"""Results in netCDF files, which any tool for labelled arrays reads."""

import json
import os
import urllib.parse
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.structure import dotted
from gdlab.files import written_whole
from gdlab.sweeps import labelled
from gdlab.sweeps.recorded import RecordedOptimizer, form_of
from gdlab.sweeps.result import SweepResult
from gdlab.training.models import open_model

MARK = "gdlab_sweep_result"
"""The attribute that tells a file of ours; it holds the version of the format."""
VERSION = 2
ENGINE = "h5netcdf"
NARROW = "V"
"""The kind of the dtypes that netCDF does not have: bfloat16 and its narrower relatives."""


def save(result: SweepResult, path: str | os.PathLike[str]) -> None:
    """Write a result to a file, which is there as a whole or not at all."""
    dataset = labelled.dataset(result).assign(_param_variables(result))
    dataset = dataset.assign({name: _storable(array) for name, array in dataset.items()})
    dataset.attrs |= {
        MARK: VERSION,
        "dims": json.dumps(result.dims),
        "forms": json.dumps([form_of(tx) for tx in result.optimizers]),
        "params_dims": json.dumps(result.params_dims),
    }
    names = {name: _quoted(name) for name in _names(dataset)}
    with written_whole(path) as beside:
        dataset.rename(names).to_netcdf(beside, engine=ENGINE)


def load(path: str | os.PathLike[str], like: Any = None) -> SweepResult:
    """Read a result that :func:`save` wrote, with parameters of the structure of ``like``.

    Raises:
        ValueError: if the file holds anything else, or other parameters.
    """
    dataset = _opened(path)
    attributes = {name: json.loads(text) for name, text in dataset.attrs.items() if name != MARK}
    arrays: dict[str, dict[str, Any]] = {}
    for name, variable in dataset.data_vars.items():
        role = variable.attrs["role"]
        arrays.setdefault(role, {})[variable.attrs.get("name", name)] = _restored(variable)
    params, params_dims = arrays.get("params"), tuple(attributes["params_dims"])
    return SweepResult(
        dims=tuple(attributes["dims"]),
        coords={str(name): _restored(values) for name, values in dataset.coords.items()},
        axes=attributes["axes"],
        **{role: arrays[role][role] for role in ("loss", "status", "stopped_at", "evaluations")},
        aux=arrays.get("aux", {}),
        metrics=arrays.get("metric", {}),
        history=arrays.get("history", {}),
        optimizers=tuple(
            RecordedOptimizer(source, form)
            for source, form in zip(attributes["optimizers"], attributes["forms"], strict=True)
        ),
        settings=attributes["settings"],
        provenance=attributes["provenance"],
        kept=params if like is None else _structured(params, like, len(params_dims)),
        params_dims=params_dims if params else (),
    )


def _structured(arrays: dict[str, np.ndarray] | None, like: Any, leading: int) -> Any:
    """Arrays by path as a tree of the structure of a model or of parameters.

    Args:
        arrays: those of the file.
        like: the model or the parameters.
        leading: the number of dimensions that the arrays have in front.

    Raises:
        ValueError: if there are none, or they are not of the same paths and shapes.
    """
    if arrays is None:
        raise ValueError(
            "like is given, but the result was saved without parameters: the sweep keeps them with "
            "keep_params='all' or 'best'"
        )
    tree = open_model(like).unless_plain()
    leaves = {dotted(path): leaf for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]}
    ours = {name: array.shape[leading:] for name, array in arrays.items()}
    theirs = {name: jnp.shape(leaf) for name, leaf in leaves.items()}
    for name in ours | theirs:
        if ours.get(name) != theirs.get(name):
            raise ValueError(
                f"like does not have the structure of the saved parameters: {name!r} is "
                f"{_of_shape(ours.get(name))} in the file and {_of_shape(theirs.get(name))} in like"
            )
    dtypes = {name: jnp.result_type(leaf) for name, leaf in leaves.items()}
    return jax.tree.unflatten(
        jax.tree.structure(tree),
        [
            arrays[name].astype(dtype) if dtype.kind == NARROW else arrays[name]
            for name, dtype in dtypes.items()
        ],
    )


def _of_shape(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else f"of shape {shape}"


def _opened(path: str | os.PathLike[str]) -> Any:
    import xarray

    try:
        dataset = xarray.load_dataset(path, engine=ENGINE)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except (OSError, ValueError) as error:
        raise ValueError(f"{os.fspath(path)} is no netCDF file: {error}") from None
    version = dataset.attrs.get(MARK)
    if version is None:
        raise ValueError(f"{os.fspath(path)} holds no result that SweepResult.save wrote")
    if version != VERSION:
        advice = "it takes a newer gdlab" if version > VERSION else "run the sweep again"
        raise ValueError(
            f"{os.fspath(path)} has version {version} of the format and this gdlab reads "
            f"{VERSION}: {advice}"
        )
    return dataset.rename({name: urllib.parse.unquote(str(name)) for name in _names(dataset)})


def _names(dataset: Any) -> list[Any]:
    return [*dict.fromkeys([*dataset.variables, *dataset.dims])]


def _quoted(name: Any) -> str:
    """A name without slashes, which netCDF takes for groups."""
    return str(name).replace("%", "%25").replace("/", "%2F")


def _param_variables(result: SweepResult) -> dict[str, Any]:
    """A variable for each array of the parameters, called by its path."""
    variables = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(result.kept)[0]:
        name, values = dotted(path), np.asarray(leaf)
        own = range(values.ndim - len(result.params_dims))
        dims = (*result.params_dims, *(f"params:{name}:{i}" for i in own))
        variables[f"params:{name}"] = (dims, values, {"role": "params", "name": name})
    return variables


def _storable(array: Any) -> Any:
    """The same in a dtype that netCDF has."""
    if array.dtype.kind == "c":
        parts = np.stack([array.values.real, array.values.imag], axis=-1)
        return ((*array.dims, "real_imag"), parts, array.attrs | {"complex": 1})
    if array.dtype.kind == NARROW:
        return array.astype(np.float32, keep_attrs=True)
    return array


def _restored(array: Any) -> np.ndarray:
    values = array.values
    if array.attrs.get("complex"):
        return values[..., 0] + 1j * values[..., 1]
    return values.astype(str) if values.dtype.kind == "O" else values
