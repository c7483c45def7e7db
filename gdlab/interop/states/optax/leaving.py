"""The conversion of a state from gdlab to optax."""

from typing import Any

import numpy as np

from gdlab.core.numerics import is_array
from gdlab.core.representation import described
from gdlab.core.state import State
from gdlab.core.transformation import COUNT, GradientTransformation
from gdlab.interop.states.optax.correspondence import Array, Fixed, joined
from gdlab.interop.states.optax.flat import Flat, flat_arrays, report, suffixes
from gdlab.interop.states.optax.plan import Level, Move, Plan, entry
from gdlab.interop.states.places import place_of
from gdlab.interop.states.step_entries import count_of, determined_by_count


class Export:
    """One conversion from gdlab to optax."""

    def __init__(
        self, tx: GradientTransformation, state: State, wanted: Flat | None, count: int | None
    ):
        own = {*place_of(tx).entries.values(), *determined_by_count(tx)}
        if set(state) != own:
            raise ValueError(
                f"the state is not one of {tx!r}: it holds {sorted(state)}, where this "
                f"transformation keeps {sorted(own)}"
            )
        self.tx: GradientTransformation = tx
        self.state: State = state
        self.wanted: Flat | None = wanted
        self.count: int | None = count
        self.ours: Flat = flat_arrays(state)
        self.plan: Plan = Plan(tx, wanted)
        self.used: set[str] = set()
        self.made: Flat = {}
        self.problems: dict[str, str] = {}

    def arrays(self) -> Flat:
        """The arrays of optax's state by their paths."""
        for refused in self.plan.refused:
            self.problems[refused.theirs or "the state"] = refused.reason
        if not self.problems:
            self._move_all()
        if self.problems:
            raise report("this state cannot be carried over to optax", self.problems)
        return self.made

    def _move_all(self) -> None:
        for path, reason in self.plan.fresh.items():
            if reason is not None and np.any(self.ours[path]):
                self.problems[path] = reason
        for level in self.plan.levels:
            self._count(level)
        for move in self.plan.moves:
            self._move(move)
        for fixed in self.plan.fixed:
            self._fix(fixed)
        if self.wanted is not None:
            self._compare(self.wanted)
        for path in self.ours:
            if path not in self.used:
                self.problems.setdefault(path, "optax has no entry for it")

    def _use(self, prefixes: list[str]) -> None:
        for prefix in prefixes:
            self.used |= {joined(prefix, suffix) for suffix in suffixes(self.ours, [prefix])}

    def number(self, level: Level) -> int | None:
        """The number of updates of a level, from what its state and those in step with it tell."""
        levels = list(level.together())
        # Counts are certain; the number that weights imply has to be searched for.
        counted = [other for other in levels if COUNT in _state_of(other, self.state)]
        for other in (*counted, *levels):
            number = count_of(other.tx, _state_of(other, self.state))
            if number is not None:
                return number
        return self.count

    def _count(self, level: Level) -> None:
        own = map(level.path, determined_by_count(level.tx))
        self._use([*own, *self.plan.fresh])
        if not (level.counts or level.from_count):
            return
        number = self.number(level)
        if number is None:
            path = (level.counts or level.from_count)[0].theirs
            self.problems[path] = (
                "the state does not tell after how many updates it is: give count="
            )
            return
        for count in level.counts:
            self.made[count.theirs] = np.asarray(number + count.ahead, np.int32)
        for item in level.from_count:
            self.made[item.theirs] = item.value(number)
        for injected in self.plan.injected:
            if injected.level is level:
                own = injected.number(max(number - 1, 0))
                self.made |= {} if own is None else {injected.theirs: np.asarray(own)}

    def _move(self, move: Move) -> None:
        theirs, ours = move.paths()
        self._use(ours)
        for suffix in sorted(suffixes(self.ours, ours)):
            kept = [self.ours.get(joined(path, suffix)) for path in ours]
            try:
                made = move.what.backward(kept, _Around(self, move))
            except ValueError as error:
                self.problems[joined(theirs[0], suffix)] = str(error)
                continue
            self.made |= {
                joined(path, suffix): array
                for path, array in zip(theirs, made, strict=True)
                if array is not None
            }

    def _fix(self, fixed: Fixed) -> None:
        like: Any = None if self.wanted is None else self.wanted.get(fixed.theirs)
        if is_array(like) and not fixed.check:
            return
        try:
            own = fixed.value()
        except ValueError as error:
            self.problems[fixed.theirs] = str(error)
            return
        if not is_array(like):
            self.made[fixed.theirs] = own
        elif not np.allclose(like, own, rtol=1e-6, atol=0):
            self.problems[fixed.theirs] = f"it is {float(like):.7g}, but tx has {float(own):.7g}"

    def _compare(self, wanted: Flat) -> None:
        known = {fixed.theirs for fixed in self.plan.fixed}
        known |= {injected.theirs for injected in self.plan.injected}
        for path, like in wanted.items():
            if path not in self.made and not like.size:
                self.made[path] = np.zeros(like.shape, like.dtype)
            elif path not in self.made and path not in known:
                reason = f"{described(self.tx)} has no entry for it"
                self.problems.setdefault(path, reason)
            elif path in self.made and self.made[path].size != like.size:
                self.problems[path] = f"its shape is {like.shape}, not {self.made[path].shape}"
            elif path in self.made:
                self.made[path] = self.made[path].reshape(like.shape)
        for path in self.made:
            if path not in wanted:
                self.problems[path] = "like has no such entry"


class _Around:
    """The information that a conversion may use besides the arrays at its leaf."""

    def __init__(self, run: Export, move: Move):
        self.run, self.move = run, move

    def ours(self, path: str) -> Array:
        """An array of gdlab's state, by its path within the method."""
        return self.run.ours[self.move.level.path(entry(self.move.place, path))]

    def updates(self) -> int:
        """The number of updates that the state is after."""
        number = self.run.number(self.move.level)
        return 0 if number is None else number


def _state_of(level: Level, state: State) -> State:
    for key in level.keys:
        state = state[key]
    return State(state)
