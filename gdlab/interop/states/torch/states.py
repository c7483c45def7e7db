"""Conversion of the states of torch's optimizers, in both directions."""

import copy
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Size
from gdlab.checks.values import real_numbers
from gdlab.core.state import State
from gdlab.core.structure import Params, Value
from gdlab.core.transformation import GradientTransformation
from gdlab.interop.states.by_parameter.entering import entered
from gdlab.interop.states.by_parameter.layouts import Layout, permuted, restored
from gdlab.interop.states.by_parameter.leaving import left
from gdlab.interop.states.by_parameter.pairs import (
    averaged_points,
    centred,
    factored,
    optional,
    product_of_momenta,
    same,
    signs,
    velocity,
)
from gdlab.interop.states.by_parameter.records import (
    Kept,
    Method,
    Names,
    Record,
    empty_record,
    paths_of,
    shapes_by_path,
)
from gdlab.interop.states.by_parameter.scopes import calls_for
from gdlab.interop.states.by_parameter.tensors import as_array, as_tensor
from gdlab.interop.states.storage import in_formats_of, plain, within_storage
from gdlab.interop.states.torch import lbfgs
from gdlab.interop.states.torch.dictionaries import (
    Key,
    Parsed,
    StateDict,
    parsed,
    paths_by_key,
    settings_by_key,
)

OF_ADAM = (
    same("mu", "exp_avg"),
    same("nu", "exp_avg_sq"),
    optional(same("nu_max", "max_exp_avg_sq")),
)
OF_RMSPROP = optional(velocity("trace", "momentum_buffer"))
METHODS = (
    Method(("SGD",), (velocity("trace", "momentum_buffer", is_dampened=True),)),
    Method(("Muon",), (velocity("mu", "momentum_buffer", is_average=True),), part="orthogonalize"),
    Method(("SGD",), (velocity("mu", "momentum_buffer", is_dampened=True),)),
    Method(("Adam", "RAdam", "SparseAdam"), OF_ADAM),
    Method(("NAdam",), (*OF_ADAM, product_of_momenta("mu_product"))),
    Method(("Adamax",), (same("mu", "exp_avg"), same("infinity_norm", "exp_inf"))),
    Method(("RMSprop",), (same("nu", "square_avg"), OF_RMSPROP)),
    Method(("RMSprop",), (centred("grad_avg", "square_avg"), OF_RMSPROP)),
    Method(("Adagrad",), (same("sum_of_squares", "sum"),)),
    Method(
        ("Adadelta",),
        (same("mean_square_gradient", "square_avg"), same("mean_square_step", "acc_delta")),
    ),
    Method(("ASGD",), averaged_points("ax", "eta", "mu")),
    Method(("Rprop",), (same("step_sizes", "step_size"), signs("previous_sign", "prev"))),
    Method(("Adafactor",), (factored("row_var", "col_var", "variance"),)),
    lbfgs.METHOD,
)
"""The methods of both torch and gdlab, and the corresponding entries of their states."""
SYNONYMS = {"AdamW": "Adam"}
"""Optimizers of torch with the same state and settings as another."""
WITHOUT_COUNT = ("SGD", "Muon")
"""The optimizers of torch that do not count their updates."""


@checked
def from_torch(
    state_dict: StateDict | Sequence[StateDict],
    names: Names | Sequence[Names],
    layout: Layout = None,
    *,
    tx: GradientTransformation,
    params: Params,
    count: Size | None = None,
) -> State:
    """The state with which ``tx`` continues the run of a torch optimizer.

    Args:
        state_dict: ``optimizer.state_dict()``, of tensors or arrays, or the same as a flat
            dictionary with keys such as ``state.0.exp_avg``, as files hold it. If several
            optimizers train the parameters, pass a list of their dictionaries. An optimizer before
            its first step has no state, and ``tx`` starts from the initial one.
        names: the dotted paths of gdlab's parameters in the order of the optimizer's parameters,
            group after group; or a dictionary from torch's names, such as those of
            ``model.named_parameters()``, to these paths. For several optimizers, a list of these.
        layout: pairs of a regular expression for paths and the permutation that brings the axes of
            torch's array into gdlab's order, or its name: ``[("kernel", "linear")]``; the names are
            "linear", "conv1d", "conv2d" and "conv3d". Without it, axes are not permuted.
        tx: the transformation that continues.
        params: the parameters at this point, in gdlab's layout.
        count: the number of updates so far, such as ``scheduler.state_dict()["last_epoch"]``. It is
            needed if ``tx`` depends on the step number and torch does not count, as in SGD.

    Returns:
        The state, in the dtypes of the state of ``tx``. Entries without a counterpart in torch
        start from their initial values: gradient accumulation, guards, averages of the parameters
        (from ``params``).

    Raises:
        ValueError: if the names or the layout do not fit, if an array of either optimizer has no
            counterpart in the other, or if a count is needed.

    >>> import jax.numpy as jnp
    >>> from gdlab import sgd
    >>> from gdlab.interop import from_torch
    >>> theirs = {"state": {0: {"momentum_buffer": [[1.0, 2.0, 3.0]]}}, "param_groups": []}
    >>> params = {"kernel": jnp.zeros((3, 1))}
    >>> layout = {"kernel": "linear"}
    >>> from_torch(theirs, ["kernel"], layout, tx=sgd(0.1, momentum=0.9), params=params)
    State(trace={'kernel': Array([[1.],
           [2.],
           [3.]], dtype=float32)})
    """
    method = within_storage(tx)
    if method is not tx:
        made = from_torch(state_dict, names, layout, tx=method, params=params, count=count)
        return in_formats_of(tx, made, params)
    pairs = _each(state_dict, names)
    record = empty_record("torch", _all_paths(pairs), layout, params)
    for one, own in pairs:
        _enter(record, parsed(one), own, params)
    made = record.steps()
    if None not in (count, made) and count != made:
        raise ValueError(f"count={count}, but torch's optimizer has made {made} updates")
    updates = made if count is None else count
    calls = None if updates is None else calls_for(tx, updates)
    return entered(record, METHODS, tx, params, calls)


@checked
def to_torch(
    state: State,
    names: Names | Sequence[Names],
    layout: Layout = None,
    *,
    tx: GradientTransformation,
    params: Params,
    like: StateDict | str | Sequence[StateDict | str],
    count: Size | None = None,
) -> dict[str, Value] | list[dict[str, Value]]:
    """The state for ``optimizer.load_state_dict``, with which torch continues the run of ``tx``.

    Args:
        state: a state of ``tx``.
        names: as for :func:`from_torch`.
        layout: as for :func:`from_torch`.
        tx: the transformation whose state it is.
        params: the parameters at this point.
        like: ``optimizer.state_dict()`` of the torch optimizer, fresh or not, whose groups are
            kept; or the name of its class, such as "AdamW", for a flat dictionary of NumPy arrays
            with keys such as ``state.0.exp_avg``. For several optimizers, a list of these.
        count: the number of updates so far, if torch counts them and the state does not determine
            it.

    Returns:
        A state dictionary with torch's tensors, or the flat dictionary; a list for several
        optimizers.

    Raises:
        ValueError: if the names or the layout do not fit, if an entry of the state has no
            counterpart in the optimizer, or if a count is needed.

    >>> import jax.numpy as jnp
    >>> from gdlab import sgd
    >>> from gdlab.interop import to_torch
    >>> tx, params = sgd(0.1, momentum=0.9), {"kernel": jnp.zeros((3, 1))}
    >>> layout = {"kernel": "linear"}
    >>> to_torch(tx.init(params), ["kernel"], layout, tx=tx, params=params, like="SGD")
    {'state.0.momentum_buffer': array([[0., 0., 0.]], dtype=float32)}
    """
    tx, state = plain(tx, state)
    pairs = _each(like, names)
    record = empty_record("torch", _all_paths(pairs), layout, params)
    described = [(_described(one), own) for one, own in pairs]
    for theirs, own in described:
        _settle(record, theirs, own)
    left(record, METHODS, state, tx, params, count)
    made = [_left(record, theirs, own, params) for theirs, own in described]
    return made[0] if isinstance(like, Mapping | str) else made


def _each(theirs: Value, names: Value) -> list[tuple[Value, Names]]:
    """The argument for each of several optimizers, with the names of its parameters."""
    if isinstance(theirs, Mapping | str):
        return [(theirs, names)]
    if len(theirs) != len(names):
        raise ValueError(f"there are {len(theirs)} optimizers, but names of {len(names)}")
    return list(zip(theirs, names, strict=True))


def _all_paths(pairs: list[tuple[Value, Names]]) -> list[str]:
    return [path for _, names in pairs for path in paths_of(names)]


def _described(like: StateDict | str) -> Parsed:
    """The groups and the name of the torch optimizer."""
    if isinstance(like, str):
        known = {name for method in METHODS for name in method.names} | set(SYNONYMS)
        if like not in known:
            raise ValueError(f"like: {like!r} is not one of {', '.join(sorted(known))}")
        return Parsed({}, [], SYNONYMS.get(like, like), is_flat=True)
    theirs = parsed(like)
    if theirs.optimizer is None:
        raise ValueError(
            "like: its param_groups do not tell the optimizer; give optimizer.state_dict(), or the "
            "name of the class"
        )
    return theirs


def _settle(record: Record, theirs: Parsed, names: Names) -> dict[Key, str]:
    """Record the optimizer and the settings of each parameter, and return paths by torch's keys."""
    by_key = paths_by_key(theirs, names)
    record.settings.update({by_key[key]: s for key, s in settings_by_key(theirs).items()})
    if theirs.optimizer is not None:
        record.optimizers.update(dict.fromkeys(by_key.values(), theirs.optimizer))
    return by_key


def _enter(record: Record, theirs: Parsed, names: Names, params: Params) -> None:
    by_key = _settle(record, theirs, names)
    if any("n_iter" in state for state in theirs.states.values()):
        state = next(iter(theirs.states.values()))
        record.kept.update(lbfgs.split(state, _pieces(record, by_key.values(), params)))
        return
    own = dict(names) if isinstance(names, Mapping) else {}
    for key, state in theirs.states.items():
        path = by_key.get(key, own.get(str(key)))
        if path is None:
            raise ValueError(f"names has {len(by_key)} parameters, and none for {key!r} of torch")
        arrays = {name: as_array(value) for name, value in state.items() if value is not None}
        step = arrays.pop("step", None)
        if step is not None and not arrays:
            raise ValueError(f"state_dict: the state of {key!r} has a step, and nothing else")
        if arrays:
            axes = record.axes.get(path)
            permutation = {name: permuted(array, axes) for name, array in arrays.items()}
            record.kept[path] = Kept(permutation, None if step is None else _step(key, step))
    for path in by_key.values():
        _require_dampened(path, record)


def _step(key: Key, step: Value) -> int:
    number = real_numbers(f"state_dict: the step of {key!r}", step, least=0)
    if number.size != 1 or number.item() % 1:
        raise ValueError(f"state_dict: the step of {key!r} must be a whole number, not {step}")
    return int(number.item())


def _pieces(record: Record, paths: Iterable[str], params: Params) -> lbfgs.Pieces:
    """The parameters in torch's order, in which a vector of all of them is split."""
    shapes = shapes_by_path(params)
    return [(path, shapes[path], record.axes.get(path)) for path in paths]


def _require_dampened(path: str, record: Record) -> None:
    settings = record.settings.get(path, {})
    if settings.get("momentum") and settings.get("dampening") and path not in record.kept:
        raise ValueError(
            f"{path!r} has no momentum yet, and torch does not dampen the first step: "
            "take it in torch"
        )


def _left(record: Record, theirs: Parsed, names: Names, params: Params) -> dict[str, Value]:
    by_key = paths_by_key(theirs, names)
    if theirs.optimizer == "LBFGS":
        return _left_in_vectors(record, theirs, by_key, params)
    states = {key: _state_of(record, path) for key, path in by_key.items() if path in record.kept}
    if theirs.is_flat:
        return {
            f"state.{key}.{name}": array
            for key, state in states.items()
            for name, array in state.items()
        }
    if theirs.optimizer == "SparseAdam":  # its steps are integers, not tensors
        integers = {key: {"step": int(state["step"])} for key, state in states.items()}
    else:
        integers = {}
    tensors = {
        key: {name: as_tensor(array) for name, array in state.items()} | integers.get(key, {})
        for key, state in states.items()
    }
    return {"state": tensors, "param_groups": copy.deepcopy(theirs.groups)}


def _left_in_vectors(
    record: Record, theirs: Parsed, by_key: Mapping[Key, str], params: Params
) -> dict[str, Value]:
    if theirs.is_flat:
        raise ValueError("like: the state of LBFGS has lists; give optimizer.state_dict()")
    state = lbfgs.joined(record.kept, _pieces(record, by_key.values(), params))
    tensors = {name: _as_tensors(value) for name, value in state.items()}
    return {"state": {next(iter(by_key)): tensors}, "param_groups": copy.deepcopy(theirs.groups)}


def _as_tensors(value: Value) -> Value:
    if isinstance(value, list):
        return [as_tensor(one) for one in value]
    return as_tensor(value) if isinstance(value, np.ndarray) else value


def _state_of(record: Record, path: str) -> dict[str, np.ndarray]:
    """The arrays that torch stores for one parameter, with torch's order of axes."""
    kept, optimizer, axes = record.kept[path], record.optimizers[path], record.axes.get(path)
    arrays = {name: restored(array, axes) for name, array in kept.arrays.items()}
    if optimizer in WITHOUT_COUNT:
        return arrays
    if kept.steps is None:
        raise ValueError(
            f"torch's {optimizer} counts its updates, and the state does not tell their number: "
            "give it by count="
        )
    return {"step": np.asarray(kept.steps, np.float32), **arrays}
