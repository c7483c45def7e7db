"""The arguments of a sweep, checked."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from gdlab.devices.transfer import key_implementation
from gdlab.training.loader import Stream, is_loader
from gdlab.training.models import open_model
from gdlab.training.problem import Problem

NUMBER_OF_SEEDS = 2**32
"""The number of different seeds, since ``jax.random.fold_in`` takes numbers modulo 2³²."""


def problems_of(loss: Any, params: Any, data: Any) -> dict[str, Problem]:
    """The problems by name; a single one has the empty string as its name.

    Raises:
        ValueError: if the dictionaries do not have the same names, or are empty.
    """
    if not isinstance(loss, Mapping):
        return {"": Problem(loss, params, Stream(data) if is_loader(data) else data)}
    for argument, given in (("params", params), ("data", data)):
        has_names = isinstance(given, Mapping) and set(given) == set(loss)
        if not has_names and not (argument == "data" and given is None):
            names = list(given) if isinstance(given, Mapping) else type(given).__name__
            raise ValueError(
                f"loss is a dictionary of the problems {list(loss)}, so {argument} must be one of "
                f"the same names, not {names}; one for all of them is "
                f"dict.fromkeys(loss, {argument})"
            )
    if not loss:
        raise ValueError("loss is an empty dictionary: there is nothing to sweep")
    data = {} if data is None else data
    # Problems with the same loader share one stream, since a loader may have worker processes.
    streams = {id(loader): Stream(loader) for loader in data.values() if is_loader(loader)}
    return {
        name: Problem(function, params[name], streams.get(id(data.get(name)), data.get(name)))
        for name, function in loss.items()
    }


def pairs_of(
    problems: Mapping[str, Problem], optimizers: Mapping[str, Any]
) -> Iterator[tuple[dict[str, Any], Problem, Any]]:
    """Each optimizer on each problem, with the labels of the pair.

    The labels are ``problem`` and ``optimizer``, each only if there are several to tell apart.
    """
    for problem_name, problem in problems.items():
        for name, tx in optimizers.items():
            place = {"problem": problem_name, "optimizer": name}
            yield {kind: label for kind, label in place.items() if label}, problem, tx


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
    """The parameters, in which each model is opened into a tree of its arrays."""
    if isinstance(loss, Mapping) and isinstance(params, Mapping):
        return {name: open_model(one).unless_plain() for name, one in params.items()}
    return open_model(params).unless_plain()


def optimizers_of(tx: Any) -> dict[str, Any]:
    """The optimizers, or the functions that make them, by name; a single one has no name.

    Raises:
        ValueError: if the dictionary is empty.
    """
    optimizers = dict(tx) if isinstance(tx, Mapping) else {"": tx}
    if not optimizers:
        raise ValueError("tx is an empty dictionary: there is nothing to sweep")
    if isinstance(tx, Mapping) and "" in tx:
        raise ValueError("tx: an optimizer needs a name, and '' is none")
    return optimizers


def require_readable(problems: Mapping[str, Problem], runs_of_each: int) -> None:
    """Refuse an iterator of batches that more than one run would have to read.

    Args:
        problems: the problems.
        runs_of_each: the number of optimizers and cells that are run on each problem.

    Raises:
        ValueError: naming the type of the iterator.
    """
    for _, _, data in problems.values():
        runs = runs_of_each * sum(problem.data is data for problem in problems.values())
        if isinstance(data, Stream) and data.read_once and runs > 1:
            raise ValueError(
                f"data is an iterator ({type(data.loader).__name__}), which can be read once, but "
                f"{runs} runs need it, one for each optimizer and program on each problem: give a "
                "loader that can be iterated over again, an object whose __iter__ returns a new "
                "iterator"
            )


def seeds_of(seeds: int | Sequence[int]) -> np.ndarray:
    """The given seeds as an array, or 0, 1, …, n − 1 for a number n.

    Raises:
        ValueError: if there is none, one is out of range, or two are the same.
    """
    numbers = np.arange(seeds) if isinstance(seeds, int | np.integer) else np.asarray(seeds)
    if numbers.ndim != 1 or numbers.size == 0 or not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(f"seeds must be a positive number or a list of integers, not {seeds}")
    outside = numbers[(numbers < 0) | (numbers >= NUMBER_OF_SEEDS)]
    if outside.size:
        raise ValueError(
            f"seeds must be at least 0 and below 2**32, of which each is other randomness, not "
            f"{outside[0]}"
        )
    if len(np.unique(numbers)) < len(numbers):
        raise ValueError(f"seeds must differ from each other, unlike {seeds}")
    return numbers


def name_of_key(key: jax.Array) -> str:
    """A text that identifies a key: its implementation and its numbers."""
    return " ".join([key_implementation(key) or "raw", *map(str, entropy_of(key))])


def entropy_of(key: jax.Array) -> list[int]:
    """The numbers of a key, as entropy for a generator of NumPy."""
    return np.asarray(jax.random.key_data(key)).ravel().tolist()
