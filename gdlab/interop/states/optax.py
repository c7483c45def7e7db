"""States of optax's optimizers, made states of gdlab's, and the other way round."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.numerics import common_dtype, is_array
from gdlab.core.representation import described
from gdlab.core.state import State, flatten_state
from gdlab.core.structure import Leaf, Params, Tree, dotted
from gdlab.core.transformation import GradientTransformation
from gdlab.interop.states.correspondence import Array, Fixed, joined
from gdlab.interop.states.plan import Injected, Level, Move, Plan, entry
from gdlab.interop.states.step_entries import count_of, entries_after

Flat = dict[str, Leaf]
"""A state as a flat dictionary: dotted path → array."""


def from_optax(theirs: Tree, *, tx: GradientTransformation, params: Params) -> State:
    """The state from which ``tx`` goes on where an optimizer of optax has stopped.

    Args:
        theirs: the state of the same expression in optax: as optax made it; as Orbax or Flax
            restored it, with dictionaries and lists for named tuples; or as a flat dictionary
            from dotted paths, such as ``0.mu.kernel``, to arrays. optax need not be installed.
        tx: gdlab's optimizer, made by the same calls as optax's. ``inject_hyperparams`` around
            optax's needs no counterpart.
        params: the parameters that go on. For ``lookahead`` it is optax's pair of fast and slow
            ones.

    Raises:
        ValueError: if ``theirs`` is of another method or of other parameters, lacks something or
            has something left over, or holds what cannot be carried over, with all the paths.

    >>> import jax.numpy as jnp
    >>> import optax
    >>> import gdlab
    >>> params = {"w": jnp.array([1.0, -2.0])}
    >>> theirs = optax.adam(0.1)
    >>> _, state = theirs.update(params, theirs.init(params))
    >>> carried = gdlab.interop.from_optax(state, tx=gdlab.adam(0.1), params=params)
    >>> carried.mu["w"], carried.mu_weight.round(2)
    (Array([ 0.1, -0.2], dtype=float32), Array([0.1, 0.9, 1. ], dtype=float32))
    """
    fast, slow = _fast_and_slow(params)
    like = tx.init(fast)
    return _Import(tx, _flat(theirs), like, _flat(fast), slow and _flat(slow)).state()


def to_optax(
    state: State, like: Tree | None, *, tx: GradientTransformation, count: int | None = None
) -> Tree:
    """The state from which an optimizer of optax goes on where ``tx`` has stopped.

    Args:
        state: the state of ``tx``.
        like: ``init(params)`` of optax's optimizer of the same expression, whose structure and
            dtypes the result has; or None for a flat dictionary from the dotted paths of optax's
            state to NumPy arrays, for which optax need not be installed.
        tx: gdlab's optimizer.
        count: the number of updates applied, where ``state`` does not tell it.

    Raises:
        ValueError: if ``like`` is of another method or of other parameters, or something cannot be
            carried over, with all the paths.

    >>> import jax.numpy as jnp
    >>> import optax
    >>> import gdlab
    >>> params = {"w": jnp.array([1.0, -2.0])}
    >>> tx = gdlab.adam(0.1)
    >>> _, state = tx.update(params, tx.init(params))
    >>> gdlab.interop.to_optax(state, optax.adam(0.1).init(params), tx=tx)[0].count
    Array(1, dtype=int32)
    >>> list(gdlab.interop.to_optax(state, None, tx=tx))
    ['0.count', '0.mu.w', '0.nu.w']
    """
    wanted = None if like is None else _flat(like, shapes=True)
    made = _Export(tx, state, wanted, count).arrays()
    if like is None:
        return made
    pairs, treedef = jax.tree_util.tree_flatten_with_path(like)
    leaves = [
        _as_leaf(made[dotted(path)], leaf) if dotted(path) in made else leaf for path, leaf in pairs
    ]
    return treedef.unflatten(leaves)


class _Import:
    """One move from optax to gdlab."""

    def __init__(
        self,
        tx: GradientTransformation,
        theirs: Flat,
        like: State,
        params: Flat,
        slow: Flat | None,
    ):
        self.tx, self.theirs, self.like, self.params, self.slow = tx, theirs, like, params, slow
        self.wanted = flatten_state(like)
        self.plan = Plan(tx, theirs)
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
            raise ValueError(_report(f"this state of optax is not one for {self.tx!r}", self))
        pairs, treedef = jax.tree_util.tree_flatten_with_path(self.like)
        return treedef.unflatten([jnp.asarray(self.made[dotted(path)]) for path, _ in pairs])

    def _move_all(self) -> None:
        for move in self.plan.moves:
            self._move(move)
        for path in self.plan.fresh:
            own = [joined(path, suffix) for suffix in _suffixes(self.wanted, [path])]
            self.made |= {path: np.asarray(self.wanted[path]) for path in own}
        for fixed in self.plan.fixed:
            self._take(fixed.theirs)
        for injected in self.plan.injected:
            self._compare(injected)
        for level in self.plan.levels:
            self._count(level)
        for path in self.theirs:
            if path not in self.used:
                self.problems.setdefault(
                    path, f"{described(self.tx)} keeps nothing that it could be"
                )
        for path in self.wanted:
            if path not in self.made and not self.problems:
                self.problems[path] = "this entry of gdlab's state does not follow from optax's"

    def _move(self, move: Move) -> None:
        ours = [move.level.path(entry(move.place, path)) for path in move.what.ours]
        theirs = [joined(move.at, path) for path in move.what.theirs]
        suffixes = _suffixes(self.wanted, ours) | _suffixes(self.theirs, theirs)
        for suffix in sorted(suffixes):
            like = [self.wanted.get(joined(path, suffix)) for path in ours]
            found = [self._take(joined(path, suffix)) for path in theirs]
            if any(x is None for x in found) or all(x is None for x in like):
                continue
            made = move.what.forward(found, like, _Around(self, move, suffix))
            for path, array, wanted in zip(ours, made, like, strict=True):
                self._keep(
                    joined(path, suffix),
                    joined(theirs[0] if theirs else path, suffix),
                    array,
                    wanted,
                )

    def _keep(self, path: str, source: str, array: Array | None, like: Leaf | None) -> None:
        """Take an array for an entry of gdlab's, if shape and dtype fit."""
        if array is None or like is None:
            if (array is None) != (like is None):
                self.problems[source] = "the parameters that it is kept for are other ones"
            return
        if array.shape != like.shape:
            self.problems[source] = f"its shape is {array.shape}, not {like.shape}"
        elif np.result_type(array.dtype, like.dtype) != like.dtype:
            self.problems[source] = (
                f"its dtype is {array.dtype}, where {path} is kept in {like.dtype}"
            )
        else:
            self.made[path] = array.astype(like.dtype)

    def _take(self, path: str) -> Array | None:
        if path not in self.theirs:
            self.problems[path] = "it is missing"
            return None
        self.used.add(path)
        return self.theirs[path]

    def _said(self, level: Level) -> dict[str, int]:
        """The number of updates that each count of a level says."""
        found = {count: self._take(count.theirs) for count in level.counts}
        return {
            count.theirs: int(value) - count.ahead
            for count, value in found.items()
            if value is not None
        }

    def _count(self, level: Level) -> None:
        """Agree upon the number of updates of a level, and make what follows from it."""
        said = self._said(level)
        if len(set(said.values())) > 1:
            listed = ", ".join(f"{path} {value}" for path, value in said.items())
            self.problems[next(iter(said))] = f"gdlab keeps one count, where there are {listed}"
        found = [
            value for item in level.from_count if (value := self._take(item.theirs)) is not None
        ]
        numbers = [self._said(other) for other in level.together()]
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
        """Refuse a number that was changed in optax's state and not in ``tx``."""
        theirs, own = self._take(injected.theirs), _number(injected, 0)
        if theirs is None or own is None or _is_scheduled(injected):
            return
        if not np.allclose(np.asarray(theirs, float), np.asarray(own, float), rtol=1e-6, atol=0):
            number = f"{float(theirs):.7g}" if np.ndim(theirs) == 0 else "…"
            self.problems[injected.theirs] = (
                f"it is {number}, but tx has {own}: go on with set_hyperparameters(tx, "
                f"{{{injected.name!r}: {number}}})"
            )


class _Export:
    """One move from gdlab to optax."""

    def __init__(
        self, tx: GradientTransformation, state: State, wanted: Flat | None, count: int | None
    ):
        self.tx, self.state, self.wanted, self.count = tx, state, wanted, count
        self.ours = _flat(state)
        self.plan = Plan(tx, wanted)
        self.made: Flat = {}
        self.problems: dict[str, str] = {}

    def arrays(self) -> Flat:
        """The arrays of optax's state by their paths."""
        for refused in self.plan.refused:
            self.problems[refused.theirs or "the state"] = refused.reason
        if not self.problems:
            self._move_all()
        if self.problems:
            raise ValueError(_report("this state cannot be carried over to optax", self))
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

    def _number(self, level: Level) -> int | None:
        """The number of updates of a level, from what its state and those in step with it tell."""
        for other in level.together():
            number = _number_of_updates(other, self.state)
            if number is not None:
                return number
        return self.count

    def _count(self, level: Level) -> None:
        if not (level.counts or level.from_count):
            return
        number = self._number(level)
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
                own = _number(injected, max(number - 1, 0))
                self.made |= {} if own is None else {injected.theirs: np.asarray(own)}

    def _move(self, move: Move) -> None:
        ours = [move.level.path(entry(move.place, path)) for path in move.what.ours]
        theirs = [joined(move.at, path) for path in move.what.theirs]
        for suffix in sorted(_suffixes(self.ours, ours)):
            kept = [self.ours.get(joined(path, suffix)) for path in ours]
            try:
                made = move.what.backward(kept, _Around(self, move, suffix))
            except ValueError as error:
                self.problems[joined(theirs[0], suffix)] = str(error)
                continue
            self.made |= {
                joined(path, suffix): array
                for path, array in zip(theirs, made, strict=True)
                if array is not None
            }

    def _fix(self, fixed: Fixed) -> None:
        if self.wanted is None or fixed.theirs not in self.wanted:
            try:
                self.made[fixed.theirs] = fixed.value()
            except ValueError as error:
                self.problems[fixed.theirs] = str(error)

    def _compare(self, wanted: Flat) -> None:
        known = {fixed.theirs for fixed in self.plan.fixed}
        known |= {injected.theirs for injected in self.plan.injected}
        for path, like in wanted.items():
            if path not in self.made and not like.size:
                self.made[path] = np.zeros(like.shape, like.dtype)
            elif path not in self.made and path not in known:
                reason = f"{described(self.tx)} keeps nothing that it could be"
                self.problems.setdefault(path, reason)
            elif path in self.made and self.made[path].shape != like.shape:
                if self.made[path].size != like.size:
                    self.problems[path] = f"its shape is {like.shape}, not {self.made[path].shape}"
                self.made[path] = self.made[path].reshape(like.shape)
        for path in self.made:
            if path not in wanted:
                self.problems[path] = "like has no such entry"


class _Around:
    """What a conversion may read beside the arrays at its leaf."""

    def __init__(self, run: "_Import | _Export", move: Move, suffix: str):
        self.run, self.move, self.suffix = run, move, suffix

    def param(self) -> Array:
        """The parameter of the leaf."""
        return self.run.params[self.suffix]  # type: ignore[union-attr]

    def slow_param(self) -> Array:
        """The slow parameter of the leaf."""
        slow = self.run.slow  # type: ignore[union-attr]
        return self.param() if slow is None else slow[self.suffix]

    def theirs(self, path: str) -> Array:
        """An array of optax's state, by its path within the method."""
        return self.run.theirs[joined(self.move.at, path)]  # type: ignore[union-attr]

    def ours(self, path: str) -> Array:
        """An array of gdlab's state, by its path within the method."""
        return self.run.ours[self.move.level.path(entry(self.move.place, path))]  # type: ignore[union-attr]


def _fast_and_slow(params: Params) -> tuple[Params, Params | None]:
    """optax's pair of parameters for ``lookahead``, or the parameters and nothing."""
    if type(params).__name__ == "LookaheadParams":
        return params.fast, params.slow
    return params, None


def _flat(tree: Tree, *, shapes: bool = False) -> Flat:
    """The arrays of a tree by their dotted paths; keys that are dotted already stay as they are."""
    pairs, _ = jax.tree_util.tree_flatten_with_path(tree)
    if shapes:
        return {dotted(path): leaf for path, leaf in pairs}
    return {dotted(path): _as_array(dotted(path), leaf) for path, leaf in pairs}


def _as_array(path: str, leaf: Leaf) -> Array:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return np.asarray(jax.random.key_data(leaf))
    if not (is_array(leaf) or isinstance(leaf, int | float)):
        raise ValueError(f"{path}: expected an array, not {leaf!r}")
    return np.asarray(leaf)


def _as_leaf(array: Array, like: Leaf) -> jax.Array:
    return jnp.asarray(array.astype(like.dtype))


def _suffixes(flat: Mapping[str, Leaf], prefixes: list[str]) -> set[str]:
    """What follows any of the prefixes in the paths of a flat dictionary."""
    found = set()
    for prefix in prefixes:
        for path in flat:
            if path == prefix or not prefix or path.startswith(prefix + "."):
                found.add(path.removeprefix(prefix).removeprefix("."))
    return found


def _number_of_updates(level: Level, state: State) -> int | None:
    for key in level.keys:
        state = state[key]
    return count_of(level.tx, State(state))


def _number(injected: Injected, step: int) -> Leaf | None:
    """The number of an injected hyperparameter in ``tx``, at a step."""
    at = {"count": jnp.asarray(step, jnp.int32)}
    own = injected.tx.arguments().get(injected.name)
    if own is None or not (is_array(own) or isinstance(own, float) or callable(own)):
        return None
    return own(at["count"]) if callable(own) else own


def _is_scheduled(injected: Injected) -> bool:
    return callable(injected.tx.arguments().get(injected.name))


def _report(what: str, run: "_Import | _Export") -> str:
    lines = "\n".join(f"  {path}: {reason}" for path, reason in run.problems.items())
    return f"{what}:\n{lines}"
