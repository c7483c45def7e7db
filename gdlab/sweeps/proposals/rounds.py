"""Sweeps in rounds, with a batch of points in each round and one result for all."""

import contextlib
import dataclasses
import operator
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from gdlab.core.axis import SAMPLE
from gdlab.sweeps.direction import is_maximized
from gdlab.sweeps.plan.arguments import problems_of
from gdlab.sweeps.plan.axis_arguments import AxisArguments
from gdlab.sweeps.plan.shared_arguments import SharedArguments
from gdlab.sweeps.plan.sweep_call import SweepCall
from gdlab.sweeps.proposals.proposer import Measured, Proposer
from gdlab.sweeps.proposals.space import Space
from gdlab.sweeps.results.result import SweepResult
from gdlab.sweeps.results.scoring import scores
from gdlab.sweeps.results.selecting import LANE_ARRAYS
from gdlab.sweeps.settings import Checkpointing
from gdlab.training.loader import is_loader, is_read_once


class Round(NamedTuple):
    """The result of a batch of points, which may be followed by padding."""

    result: SweepResult
    labels: list[int]
    """The indices of the points among all points of the sweep."""


def sweep_in_rounds(call: SweepCall, proposer: Proposer) -> SweepResult:
    """Sweep one batch of points after the other, each chosen by a proposer.

    All rounds have the same shape, since the last one is padded, so that only the first compiles.
    With a checkpoint each round has a folder within that of the call.

    Args:
        call: the call of the sweep.
        proposer: the policy that chooses the points.

    Returns:
        All points in one result, over the dimension ``sample``.

    Raises:
        ValueError: if there are several optimizers or problems, no number of samples, or nothing
            to choose.
        BaseException: whatever ends a round, with the result so far in its ``result``.
    """
    arguments = call.arguments
    _require_fitting(arguments, proposer)
    samples = arguments["samples"]
    width = min(proposer.batch, samples)
    places = call.axis_arguments
    space = Space.of(places)
    key = jax.random.key(0) if arguments["key"] is None else arguments["key"]
    rounds: list[Round] = []
    for number, begin in enumerate(range(0, samples, width)):
        labels = list(range(begin, min(begin + width, samples)))
        with keeping_results(rounds, labels, places, SAMPLE):
            measured = _measured(rounds, space, proposer, samples, jax.random.fold_in(key, begin))
            points = proposer.propose(measured, width)
            result = call.changed(
                **places.with_values(points, SAMPLE)._asdict(),
                policy=proposer.policy,
                samples=None,
                checkpoint=_within(arguments["checkpoint"], number),
            ).run()
        rounds.append(Round(result, labels))
    whole = joined(rounds, places, SAMPLE)
    recipe = whole.recipe.changed(policy=proposer.policy, samples=None)
    settings = whole.settings | {"policy": repr(proposer)}
    return dataclasses.replace(whole, recipe=recipe, settings=settings)


@contextlib.contextmanager
def keeping_results(
    rounds: list[Round], labels: list[int], places: AxisArguments, along: str
) -> Iterator[None]:
    """A context of one round: an exception leaves it with the result so far as its ``result``.

    Args:
        rounds: the rounds that have ended.
        labels: the indices of the points of this round.
        places: the arguments in which axes stand.
        along: the dimension along which the points lie.
    """
    try:
        yield
    except BaseException as error:
        if (part := getattr(error, "result", None)) is not None:
            rounds.append(Round(part, labels))
        if rounds:
            error.result = joined(rounds, places, along)  # type: ignore[attr-defined]
        raise


def _require_fitting(arguments: Mapping[str, Any], proposer: Proposer) -> None:
    """Refuse a call whose points cannot be chosen in rounds.

    Raises:
        ValueError: naming the argument.
    """
    for name in ("loss", "tx"):
        if isinstance(given := arguments[name], Mapping):
            raise ValueError(
                f"{name} is a dictionary of {list(given)}, but points are chosen for one alone: "
                f"call sweep for each of them, or without {proposer!r}"
            )
    problems = problems_of(arguments["loss"], arguments["params"], None)
    shared = SharedArguments.of({**arguments, "policy": proposer.policy})
    cells = shared.cells(problems, {"": arguments["tx"]})
    if names := ", ".join(cells[0].labels):
        raise ValueError(
            f"{names} changes shapes or structure, which takes a program for each value, but "
            f"points are chosen within one program: call sweep for each value, or without "
            f"{proposer!r}"
        )
    samples = arguments["samples"]
    if samples is None:
        raise ValueError(
            f"say how many points {proposer!r} is to choose in all, such as samples=64"
        )
    require_rereadable(arguments["data"], samples, proposer.batch, "points")


def require_rereadable(data: Any, count: int, batch: int, noun: str) -> None:
    """Refuse an iterator of batches that several rounds would have to read.

    Args:
        data: the data of the sweeps.
        count: the number of points in all.
        batch: the number of points in a round.
        noun: the word for the points, in the plural.

    Raises:
        ValueError: if there is more than one round, and the data can be read once.
    """
    if is_loader(data) and is_read_once(data) and batch < count:
        raise ValueError(
            f"data is an iterator, which can be read once, but {count} {noun} in batches of "
            f"{batch} are several sweeps: give a loader that can be iterated over again"
        )


def _measured(
    rounds: list[Round], space: Space, proposer: Proposer, samples: int, key: jax.Array
) -> Measured:
    """The points and scores of all rounds so far."""
    maximize = is_maximized(proposer.metric, proposer.maximize)

    def together(get: Callable[[SweepResult], np.ndarray]) -> np.ndarray:
        parts = [get(result)[: len(labels)] for result, labels in rounds]
        return np.concatenate(parts).astype(np.float64) if parts else np.zeros(0)

    found = together(lambda result: scores(result, proposer.metric, maximize=maximize))
    points = {name: together(lambda result: result.coords[name]) for name in space.sides}  # noqa: B023
    return Measured(space, points, -found if maximize else found, samples, key)


def _within(checkpoint: Any, number: int) -> Checkpointing | None:
    """The checkpoint of one round, in a folder within that of the call."""
    saving = Checkpointing.of(checkpoint)
    if saving is None:
        return None
    return dataclasses.replace(saving, folder=Path(saving.folder) / f"round{number}")


def joined(rounds: list[Round], places: AxisArguments, along: str) -> SweepResult:
    """The results of all rounds joined along one dimension, without padding.

    Args:
        rounds: the rounds, at least one.
        places: the arguments in which axes stand.
        along: the dimension along which the points lie.
    """
    first = rounds[0].result

    def whole(get: Callable[[SweepResult], Any]) -> Any:
        trees = [get(result) for result, _ in rounds]
        counts = [len(labels) for _, labels in rounds]

        def together(*leaves: np.ndarray) -> np.ndarray:
            return np.concatenate([leaf[:n] for leaf, n in zip(leaves, counts, strict=True)])

        return jax.tree.map(together, *trees)

    values = whole(lambda r: {name: r.coords[name] for name in r.axes})
    labels = np.concatenate([labels for _, labels in rounds])
    everything = places.with_values(values, along)
    kept, params_dims = None, ()
    if all(result.kept is not None for result, _ in rounds):
        params_dims = first.params_dims
        if params_dims == first.dims:
            kept = whole(lambda r: r.kept)
        else:
            kept = min(rounds, key=lambda r: np.min(scores(r.result))).result.kept
    return SweepResult(
        dims=first.dims,
        coords=first.coords | {along: labels} | values,
        axes=first.axes,
        **{name: whole(operator.attrgetter(name)) for name in LANE_ARRAYS},
        optimizers=(everything.tx,),
        settings=first.settings,
        provenance=first.provenance,
        kept=kept,
        params_dims=params_dims,
        recipe=first.recipe.changed(**everything._asdict()),
    )
