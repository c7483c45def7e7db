"""Conversion of the states of Keras's optimizers, in both directions."""

from collections.abc import Iterator, Mapping

import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import Size
from gdlab.core.state import State
from gdlab.core.structure import Leaf, Params, Value, leaves_with_paths
from gdlab.core.transformation import COUNT, GradientTransformation
from gdlab.interop.states.by_parameter.entering import entered
from gdlab.interop.states.by_parameter.layouts import Axes, Layout, permuted, restored
from gdlab.interop.states.by_parameter.leaving import left
from gdlab.interop.states.by_parameter.pairs import (
    Shared,
    accumulated,
    average_of_parameters,
    centred,
    factored,
    optional,
    product_of_momenta,
    same,
    schedule_free,
    velocity,
)
from gdlab.interop.states.by_parameter.records import (
    Kept,
    Method,
    Names,
    Record,
    empty_record,
    kept_entries,
    paths_of,
    shapes_by_path,
)
from gdlab.interop.states.by_parameter.scopes import (
    Scope,
    accumulation_in,
    calls_for,
    period_of,
    with_each_scope,
)
from gdlab.interop.states.keras.variables import Variable, by_order, by_path, variables_of
from gdlab.interop.states.storage import in_formats_of, plain, within_storage

OF_ADAM = (
    same("mu", "momentum"),
    same("nu", "velocity"),
    optional(same("nu_max", "velocity_hat")),
)
OF_RMSPROP = optional(velocity("trace", "momentum", step_sign=1))
OF_SCHEDULE_FREE = schedule_free("momentum")
METHODS = (
    Method(("SGD",), (velocity("trace", "momentum", step_sign=-1),)),
    Method(("Muon",), (velocity("mu", "momentum"),), part="orthogonalize"),
    Method(("Lion",), (velocity("mu", "momentum", is_average=True),), part="scale_by_sign"),
    Method(("SGD",), (velocity("mu", "momentum", step_sign=-1),)),
    Method(("Adam", "AdamW", "Lamb", "Muon"), OF_ADAM),
    Method(("Nadam",), (*OF_ADAM, product_of_momenta("u_product"))),
    Method(("Adamax",), (same("mu", "momentum"), same("infinity_norm", "norm"))),
    Method(("RMSprop",), (same("nu", "velocity"), OF_RMSPROP)),
    Method(("RMSprop",), (centred("average_gradient", "velocity"), OF_RMSPROP)),
    Method(("Adagrad",), (same("sum_of_squares", "accumulator"),)),
    Method(
        ("Adadelta",),
        (
            same("mean_square_gradient", "accumulated_grad"),
            same("mean_square_step", "accumulated_delta_var"),
        ),
    ),
    Method(("Ftrl",), (same("nu", "accumulator"), same("linear", "linear"))),
    Method(("Adafactor",), (factored("r", "c", "velocity"),)),
    # A wrapper that keeps the iterates, and what it wraps.
    Method(("ScheduleFreeAdamW",), (*OF_SCHEDULE_FREE, optional(same("nu", "velocity")))),
    Method(("ScheduleFreeAdamW",), (same("nu", "velocity"), optional(OF_SCHEDULE_FREE[0]))),
)
"""The methods of both Keras and gdlab, and the corresponding entries of their states."""
OF_MEANS = {"r": -1, "c": -2}
"""The axis over which Adafactor has averaged."""
MICRO_STEP = "micro_step"
BESIDE = (
    Method((), accumulated("gradient_accumulator", MICRO_STEP)),
    Method((), (average_of_parameters("average"),)),
)
"""The entries that every optimizer of Keras may have besides those of its method."""


@checked
def from_keras(
    optimizer: Value,
    names: Names,
    layout: Layout = None,
    *,
    tx: GradientTransformation,
    params: Params,
) -> State:
    """The state with which ``tx`` continues the run of a Keras optimizer.

    Args:
        optimizer: the optimizer, its ``variables``, or a dictionary of their values by path, or by
            number as in ``save_own_variables`` and weights files.
        names: the dotted paths of gdlab's parameters in the order of the variables that the
            optimizer trains, or a dictionary from their paths in Keras to these.
        layout: the permutations of axes by path, as for :func:`from_torch`; Keras and Flax have the
            same axes in dense and convolutional kernels.
        tx: the transformation that continues.
        params: the parameters at this point.

    Returns:
        The state, in the dtypes of the state of ``tx``. Accumulated gradients and the average of
        the parameters (``use_ema``) are converted too; if Keras has none, they start from zero and
        from ``params``.

    Raises:
        ValueError: if the names do not fit, if an array of either optimizer has no counterpart in
            the other, or if the loss is scaled.

    >>> import jax.numpy as jnp, numpy as np
    >>> from gdlab import sgd
    >>> from gdlab.interop import from_keras
    >>> theirs = {"sgd/iteration": np.array(7), "sgd/dense_kernel_momentum": np.ones((1, 2))}
    >>> tx = sgd(0.1, momentum=0.9, learning_rate_in_momentum=True)
    >>> from_keras(theirs, ["kernel"], tx=tx, params={"kernel": jnp.zeros((1, 2))})
    State(trace={'kernel': Array([[1., 1.]], dtype=float32)})
    """
    method = within_storage(tx)
    if method is not tx:
        made = from_keras(optimizer, names, layout, tx=method, params=params)
        return in_formats_of(tx, made, params)
    record = empty_record("Keras", paths_of(names), layout, params)
    variables = _read(optimizer, names, record, tx, params)
    _settle(record, optimizer)
    iterations = [int(one.array) for one in variables if one.slot == "iteration"]
    if len(iterations) != 1:
        raise ValueError("optimizer: among its variables there has to be one iteration")
    iteration = iterations[0]
    accumulation = accumulation_in(tx)
    is_accumulating = any(one.slot == "gradient_accumulator" for one in variables)
    calls = iteration if is_accumulating else calls_for(tx, iteration)
    for path in record.paths:
        arrays = _kept(path, variables, record)
        if is_accumulating and accumulation is not None:
            arrays[MICRO_STEP] = np.asarray(iteration % period_of(accumulation))
        if arrays:
            record.kept[path] = Kept(arrays)
    return entered(record, METHODS, tx, params, calls, BESIDE)


@checked
def to_keras(
    state: State,
    names: Names,
    layout: Layout = None,
    *,
    tx: GradientTransformation,
    params: Params,
    like: Value,
    count: Size | None = None,
) -> dict[str, np.ndarray]:
    """The values of the variables with which a Keras optimizer continues the run of ``tx``.

    Args:
        state: a state of ``tx``.
        names: as for :func:`from_keras`.
        layout: as for :func:`from_keras`.
        tx: the transformation whose state it is.
        params: the parameters at this point.
        like: the Keras optimizer, already built, or its variables in a form that :func:`from_keras`
            accepts.
        count: the number of updates so far, if the state does not determine it.

    Returns:
        A dictionary for ``optimizer.load_own_variables``; its keys are those of ``like`` if that is
        a dictionary. Variables without a counterpart, such as the learning rate, are those of
        ``like``.

    Raises:
        ValueError: if the names do not fit, if an array of either optimizer has no counterpart in
            the other, or if a count is needed.

    >>> import jax.numpy as jnp, numpy as np
    >>> from gdlab import sgd
    >>> from gdlab.interop import to_keras
    >>> like = {"sgd/iteration": np.array(0), "sgd/dense_kernel_momentum": np.zeros((1, 2))}
    >>> tx = sgd(0.1, momentum=0.9, learning_rate_in_momentum=True)
    >>> params = {"kernel": jnp.zeros((1, 2))}
    >>> to_keras(tx.init(params), ["kernel"], tx=tx, params=params, like=like, count=7)
    {'sgd/iteration': array(7), 'sgd/dense_kernel_momentum': array([[0., 0.]])}
    """
    tx, state = plain(tx, state)
    record = empty_record("Keras", paths_of(names), layout, params)
    variables = _read(like, names, record, tx, params)
    _settle(record, like)
    slots = {one.slot for one in variables}
    beside = [m for m in BESIDE if slots.issuperset({*_theirs(m)} - {MICRO_STEP})]
    left(record, METHODS, state, tx, params, count, beside)
    _require_places(record, variables)
    iteration = _iteration(record, tx, state.get(COUNT, count))
    leaves = dict(leaves_with_paths(params))
    return {one.key: _left(one, record, iteration, leaves) for one in variables}


def _read(
    optimizer: Value, names: Names, record: Record, tx: GradientTransformation, params: Params
) -> list[Variable]:
    variables = variables_of(optimizer)
    if not all(path.isdigit() for _, path, _ in variables):
        return by_path(variables, names)
    methods: dict[str, set[str]] = {}
    beside: set[str] = set()

    def visit(scope: Scope) -> State:
        roles, entries = set(kept_entries(scope)), scope.entries
        for method in METHODS:
            pairs = method.pairs_of(roles) or []
            shared = [one for one in method.pairs if isinstance(one, Shared)] if pairs else []
            slots = {name for pair in (*pairs, *shared) for name in pair.theirs}
            methods[method.names[0]] = methods.get(method.names[0], set()) | slots
        beside.update(name for m in BESIDE if m.roles() <= set(entries) for name in _theirs(m))
        return scope.state

    with_each_scope(Scope(tx, tx.init(params), params, None), visit)
    ours = shapes_by_path(params)
    shapes = [(path, _their_shape(ours[path], record.axes.get(path))) for path in record.paths]
    order = [slot for slot in ("average", "gradient_accumulator") if slot in beside]
    return by_order(variables, shapes, methods, order)


def _theirs(method: Method) -> Iterator[str]:
    return (name for pair in method.pairs for name in pair.theirs)


def _their_shape(shape: tuple[int, ...], axes: Axes | None) -> tuple[int, ...]:
    return shape if axes is None else tuple(shape[axes.index(i)] for i in range(len(shape)))


def _settle(record: Record, optimizer: Value) -> None:
    """Note the optimizer, where it is given itself.

    Raises:
        ValueError: if it is of a class that is not known.
    """
    if not hasattr(optimizer, "variables"):
        return
    known = {name for method in METHODS for name in method.names}
    names = [one.__name__ for one in type(optimizer).__mro__ if one.__name__ in known]
    if not names:
        raise ValueError(
            f"{type(optimizer).__name__} of Keras cannot be carried over; there are "
            f"{', '.join(sorted(known))}"
        )
    record.optimizers.update(dict.fromkeys(record.paths, names[0]))


def _entering(one: Variable, record: Record) -> np.ndarray:
    """An array as gdlab keeps it; means get back the axis that was averaged."""
    array = one.array
    if one.slot in OF_MEANS and array.ndim:
        array = np.expand_dims(array, OF_MEANS[one.slot])
    return permuted(array, record.axes.get(one.path or ""))


def _kept(path: str, variables: list[Variable], record: Record) -> dict[str, np.ndarray]:
    own = {one.slot: _entering(one, record) for one in variables if one.path == path}
    shared = {one.slot: one.array for one in variables if one.slot == "u_product"}
    # For an array that is not factored, Keras has scalars in place of the means.
    own = {slot: array for slot, array in own.items() if slot not in OF_MEANS or array.ndim}
    return own | shared if own else {}


def _require_places(record: Record, variables: list[Variable]) -> None:
    """Raise if an array has no variable in Keras's optimizer."""
    for path, kept in record.kept.items():
        places = {one.slot for one in variables if one.path in (path, None)} | {MICRO_STEP}
        missing = [slot for slot in kept.arrays if slot not in places]
        if missing:
            raise ValueError(
                f"the state keeps something for {path!r} that belongs into {', '.join(missing)}, "
                "and Keras's optimizer has no such variable"
            )


def _iteration(record: Record, tx: GradientTransformation, count: Leaf | None) -> int:
    """Keras's count, which is one of micro-batches where it accumulates their gradients."""
    updates = record.steps() if record.kept else count
    if updates is None:
        raise ValueError(
            "Keras's optimizer counts its updates, and the state does not tell their number: give "
            "it by count="
        )
    taken = [int(k.arrays[MICRO_STEP]) for k in record.kept.values() if MICRO_STEP in k.arrays]
    return calls_for(tx, updates) + taken[0] if taken else int(updates)


def _left(one: Variable, record: Record, iteration: int, params: Mapping[str, Leaf]) -> np.ndarray:
    """The value of a variable, in its own dtype."""
    if one.slot == "iteration":
        return np.asarray(iteration, one.array.dtype)
    if one.path is None:
        there = [k.arrays[one.slot] for k in record.kept.values() if one.slot in k.arrays]
        return np.asarray(there[0], one.array.dtype) if there else one.array
    kept = record.kept.get(one.path, Kept({})).arrays
    if one.slot not in kept:
        return _anew(one, kept, params)
    array = restored(kept[one.slot], record.axes.get(one.path))
    if one.slot in OF_MEANS:
        array = np.squeeze(array, OF_MEANS[one.slot])
    return array.astype(one.array.dtype)


def _anew(one: Variable, kept: Mapping[str, np.ndarray], params: Mapping[str, Leaf]) -> np.ndarray:
    """The value of a variable of which gdlab's state has no counterpart."""
    if one.slot == "gradient_accumulator":
        return np.zeros_like(one.array)
    if one.slot == "average":
        return np.asarray(params[one.path or ""], one.array.dtype)
    # Adafactor recomputes the product of the means at each step.
    if one.slot in OF_MEANS or (one.slot == "velocity" and "r" in kept):
        return one.array
    raise ValueError(
        f"Keras's optimizer keeps {one.slot} for {one.path!r}, and the state nothing like it"
    )
