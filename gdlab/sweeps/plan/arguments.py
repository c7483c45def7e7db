"""The arguments of a sweep, checked and put into the form in which they are run."""

import contextlib
import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from gdlab.core.ranges import require_count
from gdlab.core.structure import leaves_with_paths
from gdlab.core.transformation import GradientTransformation, as_transformation
from gdlab.sweeps.execute.engine import Keys, Plan, Swept, first_model, keys_of
from gdlab.sweeps.execute.lanes import NUMBER, Lanes, Setup
from gdlab.sweeps.persist.fingerprint import impl_of
from gdlab.sweeps.plan.grid import Grid, at_point, drawn, grid_of, slot_names, slots
from gdlab.sweeps.plan.naming import DIMENSIONS, FIELDS, require_own_names
from gdlab.training.loader import Stream, is_loader
from gdlab.training.models import Form, OpenedModel, open_model
from gdlab.training.objective import ByIdentity, Objective
from gdlab.training.start import differentiable
from gdlab.training.step import sampler_of

NUMBER_OF_SEEDS = 2**32
"""The number of keys that JAX folds out of one: numbers count only modulo it."""


class Problem(NamedTuple):
    """A problem to train on, whatever the optimizer."""

    loss: Callable[..., Any]
    params: Any
    data: Any
    """The arrays, or the :class:`Stream`, that batches come from."""


def problems_of(loss: Any, params: Any, data: Any) -> dict[str, Problem]:
    """The problems by name; one without a name if there are not several.

    Raises:
        ValueError: if the dictionaries do not have the same names.
    """
    if not isinstance(loss, Mapping):
        return {"": Problem(loss, params, Stream(data) if is_loader(data) else data)}
    for what, given in (("params", params), ("data", data)):
        missing = isinstance(given, Mapping) and set(given) == set(loss)
        if not missing and not (what == "data" and given is None):
            names = list(given) if isinstance(given, Mapping) else type(given).__name__
            raise ValueError(
                f"loss is a dictionary of the problems {list(loss)}, so {what} must be one of the "
                f"same names, not {names}; one for all of them is dict.fromkeys(loss, {what})"
            )
    if not loss:
        raise ValueError("loss is an empty dictionary: there is nothing to sweep")
    # One after the other reads a loader, which may have a single set of worker processes.
    data = {} if data is None else data
    streams = {id(one): Stream(one) for one in data.values() if is_loader(one)}
    return {
        name: Problem(one, params[name], streams.get(id(data.get(name)), data.get(name)))
        for name, one in loss.items()
    }


@contextlib.contextmanager
def closing(problems: Mapping[str, Problem]) -> Iterator[None]:
    """A context at whose end the loaders of the problems are closed."""
    try:
        yield
    finally:
        for problem in problems.values():
            if isinstance(problem.data, Stream):
                problem.data.close()


def opened(loss: Any, params: Any) -> Any:
    """The parameters with models as the arrays that they are, which can be mapped over."""
    if isinstance(loss, Mapping) and isinstance(params, Mapping):
        return {name: open_model(one).unless_plain() for name, one in params.items()}
    return open_model(params).unless_plain()


def optimizers_of(tx: Any) -> dict[str, GradientTransformation]:
    """The optimizers by name; one without a name if there are not several."""
    optimizers = dict(tx) if isinstance(tx, Mapping) else {"": tx}
    if not optimizers:
        raise ValueError("tx is an empty dictionary: there is nothing to sweep")
    return {name: as_transformation(one) for name, one in optimizers.items()}


def require_readable(problems: Mapping[str, Problem], optimizers: Mapping[str, Any]) -> None:
    """Refuse an iterator of batches that more than one run would have to read.

    Raises:
        ValueError: if there is one.
    """
    for _, _, data in problems.values():
        runs = len(optimizers) * sum(problem.data is data for problem in problems.values())
        if isinstance(data, Stream) and data.read_once and runs > 1:
            raise ValueError(
                f"data is an iterator ({type(data.loader).__name__}), which can be read once, but "
                f"{runs} runs need it, one for each optimizer on each problem: give a loader that "
                "can be iterated over again, an object whose __iter__ returns a new iterator"
            )


def row_of_devices(mesh: Mesh | None) -> Mesh | None:
    """The devices of a mesh that belong to this process, in a row; None for a single one."""
    devices = [] if mesh is None else mesh.local_mesh.devices.reshape(-1)
    return Mesh(devices, ("lanes",)) if len(devices) > 1 else None


def seeds_of(seeds: int | Sequence[int]) -> np.ndarray:
    """The seeds themselves."""
    if isinstance(seeds, int | np.integer) and not isinstance(seeds, bool):
        numbers = np.arange(int(seeds))
    else:
        numbers = np.asarray(seeds)
    if numbers.ndim != 1 or numbers.size == 0 or not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(f"seeds must be a positive number or a list of integers, not {seeds}")
    if outside := [int(n) for n in numbers if not 0 <= n < NUMBER_OF_SEEDS]:
        raise ValueError(
            f"seeds must be at least 0 and below 2**32, of which each is other randomness, not "
            f"{outside[0]}"
        )
    if len(np.unique(numbers)) < len(numbers):
        raise ValueError(f"seeds must differ from each other, unlike {seeds}")
    return numbers


def bounds_of(targets: Mapping[str, Any]) -> dict[str, float]:
    """The targets as numbers.

    Raises:
        ValueError: if one of them is not a number.
    """
    for name, bound in targets.items():
        if not isinstance(bound, int | float | np.number) or np.isnan(bound):
            raise ValueError(f"targets: {name!r} must have a number to come down to, not {bound!r}")
    return {name: float(bound) for name, bound in targets.items()}


def require_positive(**numbers: Any) -> None:
    """Refuse what is not a positive integer."""
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
            raise ValueError(f"{name} must be positive and an integer, not {number!r}")
        require_count(name, number)


def accepted(function: Callable[..., Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters for which a function has a parameter."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return dict(names)
    keyword = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    taken = {parameter.name for parameter in parameters if parameter.kind in keyword}
    return {name: value for name, value in names.items() if name in taken}


def assembled(
    problem: Problem,
    tx: GradientTransformation,
    hyperparameters: Mapping[str, Any],
    *,
    samples: int | None,
    sampling: Any,
    key: jax.Array,
    evaluate: Callable[..., Any] | None,
    has_aux: bool,
    model_state: Any,
    batch_size: int | None,
    seeds: np.ndarray,
    **of_plan: Any,
) -> tuple[Setup, Grid, GradientTransformation]:
    """The setup of one optimizer on one problem, its grid, and the optimizer with drawn axes.

    Raises:
        ValueError: if sizes do not fit, axes clash or nothing takes a hyperparameter.
    """
    loss, params, data = problem
    _require_numbers(hyperparameters)
    model = open_model(params)
    init = ByIdentity(model.params) if model.is_init else None
    first = None if init else model
    swept, first = drawn(
        (Swept(tx, dict(hyperparameters)), first), samples, sampling, _entropy(key)
    )
    grid = grid_of(Places(swept.tx, swept.hyperparameters, first and first.params))
    template, first = slots((swept, first))

    fixed = None
    if first is not None:
        point = {name: values[0] for name, values in grid.points.items()}
        differentiable(at_point(first.params, point), "params")
        first, fixed = _parted(first)
    of_loss = accepted(loss, template.hyperparameters)
    of_init = accepted(init.function, template.hyperparameters) if init else {}
    of_evaluate = accepted(evaluate, template.hyperparameters) if evaluate else {}
    for name in hyperparameters:
        if name in ("key", "model_state"):
            raise ValueError(f"hyperparameters: the sweep itself passes {name!r} to the loss")
        if name not in of_loss | of_init | of_evaluate:
            raise ValueError(
                f"hyperparameters: neither the loss nor init nor evaluate has a parameter {name!r}"
            )
    plan = Plan(
        objective=Objective(
            ByIdentity(loss),
            data is not None,
            has_aux,
            model_state is not None,
            _form_of(init, of_init, grid, keys_of(key, seeds)) if init else model.form,
        ),
        sampler=sampler_of(data, batch_size),
        streamed=isinstance(data, Stream),
        **of_plan,
    )
    setup = Setup(
        plan=plan,
        template=Swept(template.tx, of_loss, fixed),
        init=init,
        first=first,
        init_hyperparameters=of_init,
        evaluate=ByIdentity(evaluate) if evaluate else None,
        evaluate_hyperparameters=of_evaluate,
        data=data,
        model_state=model_state,
        points=grid.points | {NUMBER: np.arange(grid.size)},
        seeds=seeds,
        key=key,
    )
    return setup, grid, swept.tx


def require_free_names(lanes: Lanes, grid: Grid) -> None:
    """Refuse names of metrics and auxiliary values that mean something else in the result.

    Raises:
        ValueError: naming the first.
    """
    taken = {*FIELDS, *DIMENSIONS, *grid.sizes, *grid.axes}
    require_own_names(lanes.metrics, taken, "a metric that evaluate returns")
    # A target of this name is the norm itself.
    require_own_names(lanes.aux, taken | {"gradient_norm"}, "an auxiliary value of the loss")


def _parted(model: OpenedModel) -> tuple[OpenedModel, Any]:
    """The model without the arrays that never change, and those."""
    held = model.held._replace(fixed=None)
    return dataclasses.replace(model, held=held), model.held.fixed


def _form_of(init: ByIdentity, hyperparameters: dict[str, Any], grid: Grid, keys: Keys) -> Form:
    """The structure of the model that a function makes."""
    names = slot_names(hyperparameters)
    points = {name: values for name, values in grid.points.items() if name in names}
    make = functools.partial(first_model, init, None, hyperparameters)
    return jax.eval_shape(make, points, keys.init).form


def _require_numbers(hyperparameters: Mapping[str, Any]) -> None:
    """Refuse hyperparameters that are neither numbers nor arrays nor axes.

    Raises:
        TypeError: naming the first.
    """
    # Axes are trees of numbers.
    for path, leaf in leaves_with_paths(dict(hyperparameters)):
        try:
            jax.eval_shape(lambda leaf: leaf, leaf)
        except TypeError:
            raise TypeError(
                f"hyperparameters: {path!r} is {leaf!r}, and not a number, an array or an axis: "
                "fix it in the loss, by functools.partial, or give a dictionary of problems with "
                "a loss for each"
            ) from None


class Places(NamedTuple):
    """The arguments in which axes may stand, by their names."""

    tx: Any
    hyperparameters: Any
    params: Any


def name_of_key(key: jax.Array) -> str:
    """The generator and the numbers of a key, which tell whether two sweeps have the same seeds."""
    return " ".join([impl_of(key) or "raw", *map(str, _entropy(key))])


def _entropy(key: jax.Array) -> list[int]:
    return np.asarray(jax.random.key_data(key)).ravel().tolist()
