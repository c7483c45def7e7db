"""Results in netCDF files, a standard format of labelled arrays."""

import hashlib
import io
import json
import os
import urllib.parse
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.structure import dotted
from gdlab.files import written_whole
from gdlab.sweeps.results import labelled
from gdlab.sweeps.results.recorded import RecordedOptimizer, form_of
from gdlab.training.models import open_model

if TYPE_CHECKING:
    from gdlab.sweeps.results.result import SweepResult

MARK = "gdlab_sweep_result"
"""The attribute that marks a file of gdlab; it holds the version of the format."""
VERSION = 3
"""The version of the format."""
ATTRIBUTES = (
    "axes", "contents", "dims", "forms", "optimizers", "params_dims", "provenance", "settings",
)  # fmt: skip
"""The attributes that :func:`save` writes, each of them JSON; "contents" names the arrays."""
CHECKSUM = "sha256"
"""The attribute with the checksum of all that :func:`save` writes."""
ENGINE = "h5netcdf"
"""The library by which xarray reads and writes files."""
NARROW = "V"
"""The kind of the dtypes that netCDF does not have: bfloat16 and its narrower relatives."""


def save(result: "SweepResult", path: str | os.PathLike[str]) -> None:
    """Write a result to a file, which is there as a whole or not at all."""
    dataset = labelled.dataset(result)
    dataset = dataset.assign(_param_variables(result, dataset))
    dataset = dataset.assign({name: _storable(array) for name, array in dataset.items()})
    dataset.attrs |= {
        MARK: VERSION,
        "contents": json.dumps([str(name) for name in dataset.variables]),
        "dims": json.dumps(result.dims),
        "forms": json.dumps([form_of(tx) for tx in result.optimizers]),
        "params_dims": json.dumps(result.params_dims),
    }
    dataset.attrs[CHECKSUM] = _checksum(dataset)
    names = {name: _quoted(name) for name in _names(dataset)}
    # In memory first: HDF5 crashes the interpreter if it fails to write to a file.
    content = io.BytesIO()
    dataset.rename(names).to_netcdf(content, engine=ENGINE)
    with written_whole(path) as beside:
        beside.write_bytes(content.getbuffer())


def load(path: str | os.PathLike[str], like: Any = None) -> dict[str, Any]:
    """The fields of a result that :func:`save` wrote, by name.

    Attributes and arrays that others have added to the file are ignored.

    Args:
        path: the file.
        like: a model or a tree with the structure of the parameters.

    Raises:
        ValueError: if the file holds anything else, is damaged, or holds other parameters.
    """
    dataset = _opened(path)
    try:
        if _checksum(dataset) != dataset.attrs[CHECKSUM]:
            raise ValueError("it differs from its checksum")
        fields = _fields(dataset)
    except Exception as error:
        raise ValueError(
            f"{os.fspath(path)} is damaged, or its arrays have been changed: "
            f"{type(error).__name__}: {error}"
        ) from error
    if like is not None:
        fields["kept"] = _in_structure_of_like(fields["kept"], like, len(fields["params_dims"]))
    return fields


def _fields(dataset: Any) -> dict[str, Any]:
    """The fields of a result, with the parameters as a dictionary by their paths."""
    attributes = {name: json.loads(dataset.attrs[name]) for name in ATTRIBUTES}
    arrays: dict[str, dict[str, Any]] = {"coords": {}}
    for name in attributes["contents"]:
        variable = dataset[name]
        role = "coords" if name in dataset.coords else variable.attrs["role"]
        own_name = name if role == "coords" else variable.attrs.get("name", name)
        arrays.setdefault(role, {})[own_name] = _restored(variable)
    params = arrays.get("params")
    return dict(
        dims=tuple(attributes["dims"]),
        coords=arrays["coords"],
        axes=attributes["axes"],
        **{role: arrays[role][role] for role in ("loss", "status", "stopped_at", "evaluations")},
        aux=arrays.get("aux", {}),
        metrics=arrays.get("metric", {}),
        curves=arrays.get("curve", {}),
        history=arrays.get("history", {}),
        optimizers=tuple(
            RecordedOptimizer(source, form)
            for source, form in zip(attributes["optimizers"], attributes["forms"], strict=True)
        ),
        settings=attributes["settings"],
        provenance=attributes["provenance"],
        kept=params,
        params_dims=tuple(attributes["params_dims"]) if params else (),
    )


def _checksum(dataset: Any) -> str:
    """The SHA-256 of the attributes and the arrays that :func:`save` writes."""
    digest = hashlib.sha256(json.dumps([dataset.attrs[name] for name in ATTRIBUTES]).encode())
    for name in json.loads(dataset.attrs["contents"]):
        variable = dataset[name]
        attrs = [str(variable.attrs.get(key, "")) for key in ("role", "name", "complex")]
        digest.update(json.dumps([name, *attrs, *variable.dims, *variable.shape]).encode())
        digest.update(_as_bytes(variable.values))
    return digest.hexdigest()


def _as_bytes(values: np.ndarray) -> bytes:
    """The bytes of an array in a form that saving and loading do not change."""
    if values.dtype.kind in "OU":
        return json.dumps(values.tolist()).encode()
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.asarray(np.nan, values.dtype), values)
    return values.dtype.str.encode() + np.ascontiguousarray(values).tobytes()


def _in_structure_of_like(arrays: dict[str, np.ndarray] | None, like: Any, leading: int) -> Any:
    """A tree of the arrays of a file, in the structure of a model or of parameters.

    Args:
        arrays: the arrays of the file by their paths.
        like: the model or the parameters.
        leading: the number of leading dimensions of lanes.

    Raises:
        ValueError: if there are no arrays, or their paths or shapes differ from those of ``like``.
    """
    if arrays is None:
        raise ValueError(
            "like is given, but the result was saved without parameters: the sweep keeps them with "
            "keep_params='all' or 'best'"
        )
    tree = open_model(like).unless_plain()
    leaves = _by_path(tree)
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
    """The dataset in a file.

    Raises:
        ValueError: if the file holds no result, or one in another version of the format.
    """
    import xarray

    try:
        dataset = xarray.load_dataset(
            path, engine=ENGINE, decode_times=False, decode_timedelta=False
        )
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:
        raise ValueError(
            f"{os.fspath(path)} is no netCDF file, or a damaged one: "
            f"{type(error).__name__}: {error}"
        ) from error
    version = dataset.attrs.get(MARK)
    if version is None:
        raise ValueError(f"{os.fspath(path)} holds no result that SweepResult.save wrote")
    if version != VERSION:
        older = str(version).isdigit() and int(version) < VERSION
        advice = "run the sweep again" if older else "it takes a newer gdlab"
        raise ValueError(
            f"{os.fspath(path)} has version {version} of the format and this gdlab reads "
            f"{VERSION}: {advice}"
        )
    return dataset.rename({name: urllib.parse.unquote(str(name)) for name in _names(dataset)})


def _names(dataset: Any) -> list[Any]:
    """The names of the variables and the dimensions."""
    return [*dict.fromkeys([*dataset.variables, *dataset.dims])]


def _quoted(name: Any) -> str:
    """A name with its slashes quoted, since netCDF reads them as groups."""
    return str(name).replace("%", "%25").replace("/", "%2F")


def _param_variables(result: "SweepResult", taken: Any) -> dict[str, Any]:
    """A variable for each array of the parameters, named by its path."""
    variables = {}
    for name, leaf in _by_path(result.kept).items():
        values, variable = np.asarray(leaf), f"params:{name}"
        while variable in taken:
            variable = f"params:{variable}"
        own = range(values.ndim - len(result.params_dims))
        dims = (*result.params_dims, *(f"{variable}:{i}" for i in own))
        variables[variable] = (dims, values, {"role": "params", "name": name})
    return variables


def _by_path(tree: Any) -> dict[str, Any]:
    """The arrays of a tree by their dotted paths, or by JAX's if two dotted ones are equal."""
    pairs = jax.tree_util.tree_flatten_with_path(tree)[0]
    by_path = {dotted(path): leaf for path, leaf in pairs}
    if len(by_path) == len(pairs):
        return by_path
    return {jax.tree_util.keystr(path): leaf for path, leaf in pairs}


def _storable(array: Any) -> Any:
    """The array in a dtype that netCDF has."""
    if array.dtype.kind == "c":
        parts = np.stack([array.values.real, array.values.imag], axis=-1)
        return ((*array.dims, "real_imag"), parts, array.attrs | {"complex": 1})
    if array.dtype.kind == NARROW:
        return array.astype(np.float32, keep_attrs=True)
    return array


def _restored(array: Any) -> np.ndarray:
    """The inverse of :func:`_storable`, except that narrow dtypes stay float32."""
    values = array.values
    if array.attrs.get("complex"):
        return values[..., 0] + 1j * values[..., 1]
    return values.astype(str) if values.dtype.kind == "O" else values
