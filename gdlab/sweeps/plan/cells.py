"""Cells of a sweep: one value for each axis that needs a program of its own per value.

An axis changes programs where its values are shapes or structure: those of ``steps`` and of
``batch_size``, whole numbers that are handed to ``init`` or to a function that makes the optimizer,
and whatever :meth:`gdlab.Axis.choices` chooses between. All other axes are data of one program.
"""

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from gdlab.axes.grid import axes_with_paths, product_of, replace_axes
from gdlab.core.axis import Axis, ChoiceAxis, is_axis
from gdlab.core.transformation import GradientTransformation
from gdlab.training.models import open_model
from gdlab.training.objective import ByIdentity
from gdlab.training.problem import Problem


class CellArguments(NamedTuple):
    """The arguments of a sweep that may differ from cell to cell."""

    problems: Mapping[str, Problem]
    optimizers: Mapping[str, Any]
    """Optimizers, or functions of hyperparameters that make them."""
    hyperparameters: Mapping[str, Any]
    sizes: Mapping[str, Any]
    """The numbers of steps, of epochs and of examples in a batch, by their names."""


class Cell(NamedTuple):
    """One value of each axis that changes programs."""

    place: dict[str, Any]
    """Dimension → label."""
    labels: dict[str, Any]
    """Name of an axis → label of its value."""
    along: dict[str, str]
    """Name of an axis → the dimension along which it lies."""
    values: dict[str, Any]
    """Name of an axis → its value."""
    fixed: dict[str, Any]
    """The hyperparameters that are constants of the programs, by name."""

    def filled(self, tree: Any) -> Any:
        """A tree in which this cell's values replace the axes that change programs."""
        return replace_axes(lambda axis: self.values.get(axis.name, axis), tree)

    def resolved(self, given: Any) -> Any:
        """An argument with its values filled in; a function of hyperparameters is called first."""
        if is_maker(given):
            given = given(**accepted(given, self.fixed))
        return self.filled(given)

    def bound(self, function: Callable[..., Any]) -> ByIdentity:
        """A user's function with the fixed hyperparameters for which it has a parameter."""
        return ByIdentity(function, accepted(function, self.fixed))

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The given settings that do not differ from cell to cell."""
        return {name: v for name, v in given.items() if not (is_axis(v) or is_maker(v))}

    def hyperparameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The given hyperparameters that are data, in which other axes may stand."""
        return {name: self.filled(v) for name, v in given.items() if name not in self.fixed}


def cells_of(arguments: CellArguments) -> list[Cell]:
    """The cells, the last axis fastest; one without labels if no axis changes programs.

    Raises:
        ValueError: if axes clash, or a function needs a hyperparameter that is data or not given.
    """
    takers = list(_takers(arguments))
    names = _names_of_program_axes(arguments, takers)
    grid = product_of([(path, axis) for path, axis in _all_axes(arguments) if axis.name in names])
    given = arguments.hyperparameters
    constants = {name: given[name] for name in _names_of_constants(given, takers)}
    cells = []
    for index in np.ndindex(*grid.sizes.values()):
        position = dict(zip(grid.sizes, index, strict=True))
        positions = {name: position[axis.along] for name, axis in grid.axes.items()}
        labels = {name: axis.labels[positions[name]].item() for name, axis in grid.axes.items()}
        values = {name: axis.value_of(positions[name]) for name, axis in grid.axes.items()}
        swept = {
            name: values[axis.name]
            for name, axis in given.items()
            if is_axis(axis) and axis.name in values
        }
        cells.append(
            Cell(
                place={name: labels.get(name, i) for name, i in position.items()},
                labels=labels,
                along={name: axis.along for name, axis in grid.axes.items()},
                values=values,
                fixed=constants | swept,
            )
        )
    for argument, function in _makers(arguments):
        _require_parameters(argument, function, cells[0].fixed)
    return cells


@contextlib.contextmanager
def explaining_traced_sizes() -> Iterator[None]:
    """A context that adds to JAX's errors about traced sizes how to sweep a size."""
    try:
        yield
    except TypeError as error:
        if isinstance(error, jax.errors.JAXTypeError) or "Tracer" in str(error):
            error.add_note(
                "A hyperparameter is data of one program, which cannot be a size or decide what is "
                "computed. Axis.choices(name, values) makes a program for each of its values, and "
                "so does an Axis of whole numbers that init takes."
            )
        raise


def is_maker(given: Any) -> bool:
    """Tell whether an argument is a function of hyperparameters that makes the argument proper."""
    return inspect.isroutine(given) or (
        callable(given) and not isinstance(given, GradientTransformation | Axis | tuple)
    )


def accepted(function: Callable[..., Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters for which a function has a parameter."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return dict(names)
    keyword = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    taken = {parameter.name for parameter in parameters if parameter.kind in keyword}
    return {name: value for name, value in names.items() if name in taken}


def _makers(arguments: CellArguments) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Pairs of an argument's name and the function of hyperparameters that makes it."""
    for tx in arguments.optimizers.values():
        if is_maker(tx):
            yield "tx", tx
    for name, given in arguments.sizes.items():
        if is_maker(given):
            yield name, given


def _takers(arguments: CellArguments) -> Iterator[Callable[..., Any]]:
    """The functions that are given whole numbers as constants: each init and each maker."""
    for problem in arguments.problems.values():
        start = problem.params
        starts = start.options.choices if isinstance(start, ChoiceAxis) else (start,)
        for model in map(open_model, starts):
            if model.is_init:
                yield model.params
    for _, function in _makers(arguments):
        yield function


def _all_axes(arguments: CellArguments) -> list[tuple[str, Axis]]:
    starts = {name: problem.params for name, problem in arguments.problems.items()}
    makers = {name: tx for name, tx in arguments.optimizers.items() if not is_maker(tx)}
    # One by one, since a tree would sort the names in a dictionary.
    given = [{f"hyperparameters.{name}": v} for name, v in arguments.hyperparameters.items()]
    sizes = [{name: given} for name, given in arguments.sizes.items()]
    places = [{"params": starts}, {"tx": makers}, *given, *sizes]
    return [pair for place in places for pair in axes_with_paths(place)]


def _names_of_program_axes(arguments: CellArguments, takers: list[Callable[..., Any]]) -> set[str]:
    choices = {axis.name for _, axis in _all_axes(arguments) if isinstance(axis, ChoiceAxis)}
    sizes = {axis.name for axis in arguments.sizes.values() if is_axis(axis)}
    whole = {
        name: axis
        for name, axis in arguments.hyperparameters.items()
        if is_axis(axis) and axis.kind == "int"
    }
    handed = {axis.name for taker in takers for axis in accepted(taker, whole).values()}
    return choices | sizes | handed


def _names_of_constants(
    hyperparameters: Mapping[str, Any], takers: list[Callable[..., Any]]
) -> set[str]:
    """The names of the whole numbers and texts that a taker is given as constants."""
    plain = {
        name: value
        for name, value in hyperparameters.items()
        if isinstance(value, int | str) and not isinstance(value, bool)
    }
    return {name for taker in takers for name in accepted(taker, plain)}


def _require_parameters(
    argument: str, function: Callable[..., Any], fixed: Mapping[str, Any]
) -> None:
    """Refuse a function with a parameter whose value is not known at compile time.

    Raises:
        ValueError: naming the first such parameter.
    """
    for name, parameter in inspect.signature(function).parameters.items():
        needed = parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        )
        if needed and name not in fixed:
            raise ValueError(
                f"{argument} is a function of {name!r}, which must be a whole number, an axis of "
                f"whole numbers or an Axis.choices among the hyperparameters; there are "
                f"{list(fixed)}"
            )
