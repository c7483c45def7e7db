"""Times of contenders that take turns, and their ratios.

Absolute times drift with the load of the machine. Within one round the load is the same for all
contenders, so ratios are computed round by round, and their median and quartiles are kept.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import numpy as np

from .figures import Figure


class Effort(NamedTuple):
    """How much is measured."""

    quick: bool

    def choose(self, full: int, quick: int) -> int:
        """Choose a size or a number of repetitions."""
        return quick if self.quick else full


class Sample(NamedTuple):
    """The seconds of one turn.

    Attributes:
        cpu: the processor time of all threads of the process.
        wall: the time that passes on a clock.
    """

    cpu: float
    wall: float


Turn = Callable[[], Sample]
Samples = dict[str, list[Sample]]


def timed(call: Callable[[], Any], calls: int = 1) -> Turn:
    """A turn that makes ``calls`` calls, each until all that it returns has been computed."""

    def turn() -> Sample:
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(calls):
            jax.block_until_ready(call())
        return Sample((time.process_time() - cpu) / calls, (time.perf_counter() - wall) / calls)

    return turn


def stepping(program: Any, params: Any, state: Any, grads: Any) -> Turn:
    """A turn that takes a step of a compiled program, starting from the result of the last turn."""
    carry = [params, state]

    def step() -> Any:
        carry[:] = program(*carry, grads)
        return carry

    return timed(step)


def in_turns(turns: dict[str, Turn], rounds: int, warm_up: int = 2) -> Samples:
    """Samples of all contenders, which take turns; another one begins each round."""
    names = list(turns)
    for name in names:
        for _ in range(warm_up):  # the first call compiles, and touches fresh memory
            turns[name]()
    samples: Samples = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            samples[name].append(turns[name]())
    return samples


def judged_measure() -> str:
    """The measure to which a target for time applies.

    CPU time does not count what other processes do, but an accelerator's work is not in it.
    """
    return "cpu" if jax.default_backend() == "cpu" else "wall"


def times(part: str, samples: Samples) -> Iterable[Figure]:
    """The seconds of every contender."""
    for name, taken in samples.items():
        for measure in Sample._fields:
            yield _summary(part, name, measure, [getattr(each, measure) for each in taken])


def ratios(
    part: str,
    samples: Samples,
    contender: str,
    peer: str,
    target: float | None = None,
    judged: str | None = None,
) -> Iterable[Figure]:
    """The time of a contender over that of a peer in the same round.

    The target is of the measure ``judged``, by default of `judged_measure`.
    """
    for measure in Sample._fields:
        paired = [
            getattr(ours, measure) / max(getattr(theirs, measure), 1e-9)
            for ours, theirs in zip(samples[contender], samples[peer], strict=True)
        ]
        limit = target if measure == (judged or judged_measure()) else None
        yield _summary(part, contender, measure, paired, peer, limit)


def _summary(
    part: str,
    contender: str,
    measure: str,
    values: list[float],
    against: str | None = None,
    target: float | None = None,
) -> Figure:
    lower, median, upper = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    return Figure(part, contender, measure, median, against, (lower, upper), target)
