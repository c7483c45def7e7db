"""The conversion of a state from optax to gdlab."""

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.numerics import common_dtype
from gdlab.core.representation import described
from gdlab.core.restoring import flatten_state
from gdlab.core.state import State
from gdlab.core.structure import Leaf, dotted
from gdlab.core.transformation import GradientTransformation
from gdlab.interop.states.optax.correspondence import Array, Fixed, joined
from gdlab.interop.states.optax.flat import Flat, report, suffixes
from gdlab.interop.states.optax.plan import Injected, Level, Move, Plan
from gdlab.interop.states.step_entries import entries_after

MISSING = "it is missing"
FOR_SCHEDULE = "it is missing: a hyperparameter of tx follows a schedule, and optax's does not"


class Import:
    """One conversion from optax to gdlab."""

    def __init__(
        self,
        tx: GradientTransformation,
        theirs: Flat,
        like: State,
        params: Flat,
        slow: Flat | None,
    ):
        self.tx: GradientTransformation = tx
        self.theirs: Flat = theirs
        self.like: State = like
        self.params: Flat = params
        self.slow: Flat | None = slow
        self.wanted: Flat = flatten_state(like)
        self.plan: Plan = Plan(tx, theirs, held=theirs)
        self.used: set[str] = set()
        self.made: Flat = {}
        self.problems: dict[str, str] = {}

    def state(self) -> State:
        """The state of gdlab."""
        for refused in self.plan.refused:
            self.problems[refused.theirs or "the state"] = refused.reason
        if not self.problems:
            self._move_all()
        if self.problems:
            expected = f"this state of optax is not one for {self.tx!r}"
            raise report(
                f"{expected}, which is to be made by the calls that made optax's", self.problems
            )
        pairs, treedef = jax.tree_util.tree_flatten_with_path(self.like)
        return treedef.unflatten([jnp.asarray(self.made[dotted(path)]) for path, _ in pairs])

    def _move_all(self) -> None:
        for move in self.plan.moves:
            self._move(move)
        for path in self.plan.fresh:
            own = [joined(path, suffix) for suffix in suffixes(self.wanted, [path])]
            self.made |= {path: np.asarray(self.wanted[path]) for path in own}
        for fixed in self.plan.fixed:
            self._check(fixed)
        for injected in self.plan.injected:
            self._compare(injected)
        for level in self.plan.levels:
            self._count(level)
        self._complain_of_the_rest()

    def _complain_of_the_rest(self) -> None:
        reason = f"{described(self.tx)} has no entry for it"
        for path in self.theirs:
            if path not in self.used:
                self.problems.setdefault(path, reason)
        for path in self.wanted:
            if path not in self.made and not self.problems:
                self.problems[path] = "this entry of gdlab's state does not follow from optax's"

    def _check(self, fixed: Fixed) -> None:
        """Check a constant against ``tx`` if necessary."""
        theirs = self._take(fixed.theirs)
        if theirs is None or not fixed.check:
            return
        try:
            own = fixed.value()
        except ValueError as error:
            self.problems[fixed.theirs] = str(error)
            return
        if not np.allclose(theirs, own, rtol=1e-6, atol=0):
            numbers = float(theirs), float(own)
            self.problems[fixed.theirs] = "it is {:.7g}, but tx has {:.7g}".format(*numbers)

    def _move(self, move: Move) -> None:
        theirs, ours = move.paths()
        for suffix in sorted(suffixes(self.wanted, ours) | suffixes(self.theirs, theirs)):
            like = [self.wanted.get(joined(path, suffix)) for path in ours]
            found = [self._take(joined(path, suffix)) for path in theirs]
            source = joined(theirs[0] if theirs else ours[0], suffix)
            if any(x is None for x in found):
                continue
            if all(x is None for x in like):
                if any(x is not None and x.size for x in found):
                    self.problems[source] = (
                        f"{described(move.place.tx)} keeps nothing of it for this parameter"
                    )
                continue
            try:
                made = move.what.forward(found, like, _Around(self, move, suffix))
            except ValueError as error:
                self.problems[source] = str(error)
                continue
            for path, array, wanted in zip(ours, made, like, strict=True):
                self._keep(joined(path, suffix), source, array, wanted)

    def _keep(self, path: str, source: str, array: Array | None, like: Leaf | None) -> None:
        """Take an array for an entry of gdlab's, if shape and dtype fit."""
        if array is None or like is None:
            if (array is None) != (like is None):
                self.problems[source] = "the parameters that it is kept for are other ones"
            return
        array = _real_as(array, like)
        if array.shape != like.shape:
            self.problems[source] = f"its shape is {array.shape}, not {like.shape}"
        elif np.result_type(array.dtype, like.dtype) != like.dtype:
            self.problems[source] = (
                f"its dtype is {array.dtype}, where {path} is kept in {like.dtype}"
            )
        else:
            self.made[path] = array.astype(like.dtype)

    def _take(self, path: str, reason: str = MISSING) -> Array | None:
        if path not in self.theirs:
            self.problems[path] = reason
            return None
        self.used.add(path)
        return self.theirs[path]

    def said(self, level: Level) -> dict[str, int]:
        """The number of updates according to each count of a level."""
        found = {
            count: self._take(count.theirs, FOR_SCHEDULE if count.of_schedule else MISSING)
            for count in level.counts
        }
        said = {}
        for count, value in found.items():
            if value is not None and value.size != 1:
                self.problems[count.theirs] = (
                    f"it holds {value.size} counts: move one state at a time, as in "
                    "jax.tree.map(lambda x: x[0], state)"
                )
            elif value is not None:
                said[count.theirs] = int(value.item()) - count.ahead
        return said

    def _count(self, level: Level) -> None:
        """Determine the number of updates of a level, and the entries that follow from it."""
        said = self.said(level)
        if len(set(said.values())) > 1:
            listed = ", ".join(f"{path} {value}" for path, value in said.items())
            self.problems[next(iter(said))] = f"gdlab keeps one count, where there are {listed}"
        found = [
            value for item in level.from_count if (value := self._take(item.theirs)) is not None
        ]
        numbers = [self.said(other) for other in level.together()]
        known = [number for said in numbers for number in said.values()]
        least = [item.least(x) for item, x in zip(level.from_count, found, strict=False)]
        self._determine(level, known[0] if known else max(least, default=None))

    def _determine(self, level: Level, number: int | None) -> None:
        dtype = common_dtype(self.params.values())
        kept = flatten_state(State(entries_after(level.tx, number or 0, dtype)))
        for path, array in kept.items():
            at = level.path(path)
            if number is not None:
                self.made[at] = np.asarray(array).astype(self.wanted[at].dtype)
            elif at not in self.made:
                self.problems[at] = "optax's state has no count that tells it"

    def _compare(self, injected: Injected) -> None:
        """Raise if a number was changed in optax's state but not in ``tx``."""
        theirs, own = self._take(injected.theirs), injected.number(0)
        if theirs is None or injected.follows():
            return
        number = f"{float(theirs):.7g}" if np.ndim(theirs) == 0 else "…"
        if own is None and not injected.is_scheduled:
            # Hyperparameters that are None in gdlab are often zero in optax, such as eps_root.
            if np.any(theirs) and not any(_is_same(theirs, x) for x in injected.numbers()):
                self.problems[injected.theirs] = (
                    f"it is {number}, which no hyperparameter of tx is: make tx with it, or hand "
                    "over the inner_state alone"
                )
        elif own is not None and injected.is_scheduled:
            self.problems[injected.theirs] = (
                f"it follows a schedule, but tx has {own}: make tx with the schedule"
            )
        elif own is not None and not _is_same(theirs, own):
            self.problems[injected.theirs] = (
                f"it is {number}, but tx has {own}: go on with set_hyperparameters(tx, "
                f"{{{injected.name!r}: {number}}})"
            )


def _is_same(theirs: Array, own: Leaf) -> bool:
    one, other = (np.asarray(x, float) for x in (theirs, own))
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-6, atol=0)


def _real_as(array: Array, like: Leaf) -> Array:
    """The array without its imaginary part, if that is zero and gdlab keeps none."""
    # optax keeps squares of moduli as complex numbers.
    is_real = not np.iscomplexobj(like) and not np.any(np.imag(array))
    return np.real(array) if is_real else array


class _Around:
    """The information that a conversion may use besides the arrays at its leaf."""

    def __init__(self, run: Import, move: Move, suffix: str):
        self.run, self.move, self.suffix = run, move, suffix

    def param(self) -> Array:
        """The parameter of the leaf."""
        return self.run.params[self.suffix]

    def slow_param(self) -> Array:
        """The slow parameter of the leaf."""
        if self.run.slow is None:
            raise ValueError(
                "the slow parameters are in optax's pair: hand over params=LookaheadParams(fast, "
                "slow)"
            )
        return self.run.slow[self.suffix]

    def theirs(self, path: str) -> Array:
        """An array of optax's state, by its path within the method."""
        return self.run.theirs[joined(self.move.at, path)]

    def updates(self) -> int:
        """The number of updates that the state is after."""
        return next(iter(self.run.said(self.move.level).values()))
