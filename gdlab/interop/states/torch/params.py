"""Conversion of the parameters of torch's models, in both directions."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from gdlab.checks.checked import checked
from gdlab.core.structure import Params, Value, flatten, leaves_with_paths
from gdlab.interop.states.by_parameter.layouts import Layout, axes_by_path, permuted, restored
from gdlab.interop.states.by_parameter.records import require_paths, shapes_by_path
from gdlab.interop.states.by_parameter.tensors import as_array, as_tensor


@checked
def params_from_torch(
    state_dict: Mapping[str, Value],
    names: Mapping[str, str],
    layout: Layout = None,
    *,
    params: Params,
) -> Params:
    """Parameters with the values of a torch model.

    Args:
        state_dict: ``model.state_dict()``, of tensors or arrays. Entries that are not in ``names``,
            such as buffers, are ignored.
        names: torch's name of each parameter → its dotted path in ``params``.
        layout: the permutations of axes by path, as for :func:`from_torch`.
        params: parameters with the wanted structure, shapes and dtypes. Parameters that are not in
            ``names`` keep their values.

    Raises:
        ValueError: if a name, a path or a pattern is unknown, or a shape does not fit.

    >>> import jax.numpy as jnp, numpy as np
    >>> from gdlab.interop import params_from_torch
    >>> theirs = {"0.weight": np.array([[1.0, 2.0, 3.0]])}
    >>> params = {"kernel": jnp.zeros((3, 1))}
    >>> params_from_torch(theirs, {"0.weight": "kernel"}, {"kernel": "linear"}, params=params)
    {'kernel': Array([[1.],
           [2.],
           [3.]], dtype=float32)}
    """
    shapes = shapes_by_path(params)
    require_paths(list(names.values()), shapes)
    axes, values = axes_by_path(layout, shapes), {}
    for name, path in names.items():
        if name not in state_dict:
            raise ValueError(f"names: state_dict has no {name!r}; it has {list(state_dict)}")
        value = permuted(as_array(state_dict[name]), axes.get(path))
        if value.shape != shapes[path]:
            raise ValueError(
                f"{name!r} has the shape {value.shape} where {path!r} has {shapes[path]}; layout "
                'says how axes are permuted, as in layout=[("kernel", "linear")]'
            )
        values[path] = value
    pairs, (_, treedef) = leaves_with_paths(params), flatten(params)
    return treedef.unflatten(
        [jnp.asarray(values[p], w.dtype) if p in values else w for p, w in pairs]
    )


@checked
def params_to_torch(
    params: Params,
    names: Mapping[str, str],
    layout: Layout = None,
    *,
    like: Mapping[str, Value] | None = None,
) -> dict[str, Value]:
    """The parameters under torch's names, for ``model.load_state_dict``.

    Args:
        params: the parameters.
        names: torch's name of each parameter → its dotted path in ``params``.
        layout: the permutations of axes by path, as for :func:`from_torch`.
        like: ``model.state_dict()``, whose other entries, such as buffers, are kept. Without it,
            the result has only the parameters, as NumPy arrays.

    Raises:
        ValueError: if a path or a pattern is unknown.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import params_to_torch
    >>> params = {"kernel": jnp.array([[1.0], [2.0], [3.0]])}
    >>> params_to_torch(params, {"0.weight": "kernel"}, {"kernel": "linear"})
    {'0.weight': array([[1., 2., 3.]], dtype=float32)}
    """
    shapes = shapes_by_path(params)
    require_paths(list(names.values()), shapes)
    axes, leaves = axes_by_path(layout, shapes), dict(leaves_with_paths(params))
    made = {
        name: restored(np.asarray(leaves[path]), axes.get(path)) for name, path in names.items()
    }
    if like is None:
        return made
    return dict(like) | {name: as_tensor(array) for name, array in made.items()}
