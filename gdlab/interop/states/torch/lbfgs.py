"""The state of torch's L-BFGS, which stores all parameters in one vector."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gdlab.core.structure import Value
from gdlab.interop.states.by_parameter.layouts import Axes, permuted, restored
from gdlab.interop.states.by_parameter.pairs import Pair, Parameter, Shared, same
from gdlab.interop.states.by_parameter.records import Kept, Method
from gdlab.interop.states.by_parameter.tensors import as_array

Pieces = Sequence[tuple[str, tuple[int, ...], Axes | None]]
"""The path of each parameter in torch's order, its shape in gdlab, and its axes."""


def _memory(ours: str, theirs: str) -> Pair:
    """Vectors of the last steps, newest first, perhaps fewer than the memory can hold."""
    return Pair(
        (ours,),
        (theirs,),
        lambda parameter, newest: (_filled_up(newest, parameter.kept[0].shape),),
        lambda _, newest: (newest,),
    )


def _filled_up(newest: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if len(newest) > shape[0]:
        raise ValueError(
            f"torch's L-BFGS keeps {len(newest)} steps, and gdlab's memory_size is {shape[0]}: "
            "make it as large as history_size"
        )
    return np.concatenate([newest, np.zeros((shape[0] - len(newest), *shape[1:]), newest.dtype)])


def _before(parameter: Parameter, last_step: np.ndarray) -> tuple[np.ndarray, ...]:
    return (np.asarray(parameter.param(), last_step.dtype) - last_step,)


def _last_step(parameter: Parameter, before: np.ndarray) -> tuple[np.ndarray, ...]:
    return (np.asarray(parameter.param(), before.dtype) - before,)


METHOD = Method(
    ("LBFGS",),
    (
        Pair(("params",), ("last_step",), _before, _last_step),
        same("updates", "prev_flat_grad"),
        _memory("diff_params_memory", "old_stps"),
        _memory("diff_updates_memory", "old_dirs"),
        Shared(
            "diff_params_memory",
            "weights_memory",
            ("ro",),
            lambda _, value, newest: _filled_up(newest, value.shape),
            lambda _, value: (value,),
        ),
    ),
)
"""L-BFGS, whose vectors have been cut into the pieces of the parameters."""


def split(state: Mapping[str, Value], pieces: Pieces) -> dict[str, Kept]:
    """The arrays of each parameter, cut from the vectors that torch keeps for all of them."""
    if state.get("d") is None:
        return {}
    vectors = {
        "last_step": [as_array(state["d"]) * float(state["t"])],
        "prev_flat_grad": [as_array(state["prev_flat_grad"])],
        "old_stps": [as_array(vector) for vector in reversed(state["old_stps"])],
        "old_dirs": [as_array(vector) for vector in reversed(state["old_dirs"])],
    }
    dtype = vectors["last_step"][0].dtype
    ro = np.array([float(weight) for weight in reversed(state["ro"])], dtype)
    kept, end = {}, 0
    for path, shape, axes in pieces:
        start, end = end, end + int(np.prod(shape))
        cut = _cutter(start, end, shape, axes)
        arrays = {
            name: np.array([cut(vector) for vector in several], dtype).reshape(-1, *shape)
            for name, several in vectors.items()
        }
        single = {name: arrays[name][0] for name in ("last_step", "prev_flat_grad")}
        kept[path] = Kept(arrays | single | {"ro": ro}, int(state["n_iter"]))
    return kept


def _cutter(
    start: int, end: int, shape: tuple[int, ...], axes: Axes | None
) -> Callable[[np.ndarray], np.ndarray]:
    theirs = shape if axes is None else tuple(shape[axes.index(i)] for i in range(len(shape)))
    return lambda vector: permuted(vector[start:end].reshape(theirs), axes)


def joined(kept: Mapping[str, Kept], pieces: Pieces) -> dict[str, Value]:
    """The vectors that torch keeps for all parameters, joined from the arrays of each of them."""

    def vector(of_path: Callable[[Kept], np.ndarray]) -> np.ndarray:
        parts = [restored(of_path(kept[path]), axes).ravel() for path, _, axes in pieces]
        return np.concatenate(parts)

    first = kept[pieces[0][0]]
    ro = first.arrays["ro"]
    oldest_first = np.flatnonzero(ro)[::-1]
    dirs, steps = (
        [vector(lambda one, name=name, i=i: one.arrays[name][i]) for i in oldest_first]
        for name in ("old_dirs", "old_stps")
    )
    newest = dirs[-1] if len(dirs) else None
    return {
        "func_evals": first.steps,
        "n_iter": first.steps,
        "d": vector(lambda one: one.arrays["last_step"]),
        "t": 1.0,
        "old_dirs": dirs,
        "old_stps": steps,
        "ro": [np.asarray(ro[i]) for i in oldest_first],
        "H_diag": 1 if newest is None else np.asarray(1 / (ro[0] * (newest @ newest)), ro.dtype),
        "prev_flat_grad": vector(lambda one: one.arrays["prev_flat_grad"]),
        "prev_loss": 0.0,
    }
