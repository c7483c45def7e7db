"""From what an author writes to a rule: the closure is called, and its functions are fitted in.

A transformation is opened once in a trace: its schedules become numbers, its compositions are
opened in turn, and the closures of its parts are called with numbers of one dtype.
"""

import inspect
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.by_leaf import ByLeaf, NumberByLeaf
from gdlab.core.numerics import as_before, cast, numbers_as, strong, widen
from gdlab.core.parametrized import Factory, Parametrized, at_step, has_schedules, own_arguments
from gdlab.core.rules import (
    EVERYTHING,
    READ_BY_INIT,
    ArrayRule,
    Part,
    Reading,
    Reasons,
    TreeRule,
    require,
)
from gdlab.core.structure import (
    Function,
    Leaf,
    Params,
    Signal,
    Tree,
    Value,
    is_argument,
    leaves_with_paths,
)

Rule = ArrayRule | TreeRule
FLOAT32 = np.dtype(np.float32)


class Opening:
    """What is known while a transformation is opened, and what has been found out."""

    __slots__ = ("count", "counted", "dtype", "links")

    def __init__(self, count: Leaf = 0, dtype: np.dtype = FLOAT32, links: int = 0):
        self.count: Leaf = count
        """The number of updates applied so far."""
        self.dtype: np.dtype = dtype
        """The real dtype of all numbers."""
        self.links: int = links
        """How many parts that read a key there are before."""
        self.counted: bool = False
        """Whether anything depends on the count."""

    def next_link(self) -> int:
        """The number of a part, by which its random numbers differ from those of other parts."""
        self.links += 1
        return self.links - 1


class Shared(NamedTuple):
    """Scalars that all arrays share; they are computed once a step.

    An author returns it as the third of ``init, update, shared``, declares its name, as in
    ``@leafwise(shared="weight")``, and receives the new scalars under that name in ``update``.
    Integers stay integers; floating-point numbers get the dtype in which the tree is computed.
    """

    init: Callable[[], Tree]
    """``init()`` → the scalars before the first step."""
    update: Callable[[Tree], Tree]
    """``update(scalars)`` → the scalars of this step."""


LeafFunctions: TypeAlias = (
    Function | tuple[Function, Function] | tuple[Function | None, Function, Shared]
)
"""What the closure of a rule for one array returns: ``update``, or ``init, update[, shared]``."""
TreeFunctions: TypeAlias = Function | tuple[Function, Function]
"""What the closure of a rule for a tree returns: ``update``, or ``init, update``."""


class Declaration(NamedTuple):
    """What a decorator was told of an author's function."""

    open: Callable[[Parametrized, "Declaration", Opening], Rule]
    reads: tuple[str, ...] = ()
    slots: tuple[str, ...] | None = None
    shared: str | None = None
    init_reads: tuple[str, ...] = ()


def declaration(
    function: Function,
    open_: Callable[[Parametrized, Declaration, Opening], Rule],
    known: tuple[str, ...],
    reads: str | tuple[str, ...],
    slots: str | tuple[str, ...] | None,
    shared: str | None = None,
    init_reads: str | tuple[str, ...] = (),
) -> Declaration:
    """What is declared of ``function``, checked.

    Raises:
        ValueError: if it reads what there is not.
    """
    for names, there_are in ((_names(reads), known), (_names(init_reads), READ_BY_INIT)):
        for name in names:
            if name not in there_are:
                raise ValueError(
                    f"{function.__name__}: there is no {name!r} to read; there are "
                    f"{', '.join(there_are)}"
                )
    slots = None if slots is None else _names(slots)
    return Declaration(open_, _names(reads), slots, shared, _names(init_reads))


def _names(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def open_rule(tx: Parametrized, opening: Opening) -> Rule:
    """What ``tx`` does."""
    if has_schedules(tx):
        opening.counted = True
        tx = at_step(tx, opening.count)
    declared: Declaration = tx.factory.declared
    outer, _thread.is_opening = is_opening(), True
    try:
        return declared.open(tx, declared, opening)
    finally:
        _thread.is_opening = outer


_thread = threading.local()


def is_opening() -> bool:
    """Whether a transformation is being opened: what is made then is opened, and so checked."""
    return getattr(_thread, "is_opening", False)


# --- A composition is opened in turn; wiring puts the rules of its parts together


def open_wiring(tx: Parametrized, _: Declaration, opening: Opening) -> Rule:
    """The rule that a ``@wiring`` function makes of the rules of its parts."""

    def opened(node: Value) -> Value:
        if isinstance(node, Parametrized) and not node.has_own_clock:
            return OpenJoin(node, opening)
        if isinstance(node, Parametrized):
            links = opening.links
            rule = open_rule(node, opening)
            return Part(node, rule, opening.count, opening.dtype, links)
        return node

    children = [jax.tree.map(opened, child, is_leaf=is_argument) for child in tx.children]
    return tx.called_with(tx.structure.values | dict(zip(tx.factory.data, children, strict=True)))


class OpenJoin:
    """A join whose numbers have their dtype, and are those of the leaf at hand."""

    def __init__(self, join: Parametrized, opening: Opening):
        self.by_leaf = by_leaf_values_in(join)
        self.is_bus = join.factory.name == "bus"
        self._at = _AtLeaf(join, self.by_leaf, opening)

    def __call__(self, reading: Reading, *signals: Signal) -> Signal:
        """The signals of the branches, joined."""
        return self._at(reading)(*signals)


def _is_one(node: object) -> bool:
    return isinstance(node, ByLeaf) or is_argument(node)


def by_leaf_values_in(made: Parametrized) -> list[ByLeaf]:
    """The values by leaf among the own arguments of ``made`` and of its joins."""
    return [value for value in own_arguments(made, _is_one) if isinstance(value, ByLeaf)]


def at_leaf(made: Parametrized, values: Mapping[int, Leaf]) -> Parametrized:
    """``made`` with each value by leaf replaced by that of one leaf, which is known by its id."""

    def here(node: Value) -> Value:
        if isinstance(node, ByLeaf):
            return values[id(node)]
        if isinstance(node, Parametrized) and not node.has_own_clock:
            return at_leaf(node, values)
        return node

    children = [jax.tree.map(here, child, is_leaf=_is_one) for child in made.children]
    return made.build(made.factory, tuple(children), made.structure)


class _AtLeaf:
    """What an author's function returns, for the values by leaf of the leaf at hand."""

    def __init__(self, made: Parametrized, own: list[ByLeaf], opening: Opening):
        self.made = made
        self.own = own
        self.dtype = opening.dtype
        self.plain = None if own else self.called(made)

    def called(self, made: Parametrized) -> Value:
        """What the function returns for the numbers of ``made``."""
        made = numbers_as(made, self.dtype)
        return made.called_with(made.arguments())

    def __call__(self, reading: Reading) -> Value:
        if not self.own:
            return self.plain
        return self.called(at_leaf(self.made, reading.by_leaf))

    def sampled(self) -> Value:
        """What it returns for the values of some leaf."""
        return self(Reading(by_leaf={id(value): value.sample() for value in self.own}))


# --- Rules for one array


def open_array_rule(tx: Parametrized, declared: Declaration, opening: Opening) -> Rule:
    """The rule of a ``@leafwise`` closure: ``update``, or ``init, update[, shared]``."""
    factory, own = tx.factory, by_leaf_values_in(tx)
    at = _AtLeaf(tx, own, opening)
    made = at.sampled()
    if isinstance(made, Parametrized):
        return open_rule(made if not own else tx.called_with(tx.arguments()), opening)
    init, _, shared = author_functions(factory, made)
    names = _slot_names(factory, declared, init)
    given = _given(declared, opening)

    for_update = (*declared.reads, *([declared.shared] if declared.shared else []))

    def init_leaf(like, reading):
        if init is None:
            return ()
        known = given(declared.init_reads, reading, None)
        made = author_functions(factory, at(reading))[0](like, **known)
        return _as_slots(factory, names, strong(made))

    def update_leaf(u, slots, context, reading):
        update = author_functions(factory, at(reading))[1]
        known = given(for_update, reading, context)
        if init is None:
            return update(u, **known), ()
        u, after = _pair(factory, update(u, slots[0] if declared.slots is None else slots, **known))
        return u, _as_slots(factory, names, after)

    rule = ArrayRule(
        slots=names,
        init=init_leaf,
        update=update_leaf,
        reads=_reads_of_arrays(factory, declared),
        by_leaf=(*own, PATHS) if "path" in declared.reads + declared.init_reads else tuple(own),
    )
    return rule if shared is None else _with_shared(rule, declared, shared, at)


class _Paths(ByLeaf):
    """The dotted path of each leaf, as a value by leaf."""

    def at_leaves(self, params: Params) -> list[Leaf]:
        return [path for path, _ in leaves_with_paths(params)]


PATHS = _Paths(None)


def _given(declared: Declaration, opening: Opening) -> Callable[..., dict[str, Value]]:
    """``given(names, reading, context)``: what an author's function is given by keyword."""
    link = opening.next_link() if "key" in declared.reads else 0
    if "step" in declared.reads:
        opening.counted = True
    count = opening.count

    def one(name, reading, context):
        if name == "key":
            return jax.random.fold_in(reading.key, link)
        if name == "path":
            return reading.by_leaf[id(PATHS)]
        if name == "step":
            return count
        return context if name == declared.shared else getattr(reading, name)

    return lambda names, reading, context: {n: one(n, reading, context) for n in names}


def _with_shared(rule: ArrayRule, declared: Declaration, shared: Shared, at: _AtLeaf) -> ArrayRule:
    if declared.shared is None:
        name = at.made.factory.name
        raise TypeError(
            f'{name} returns Shared scalars: name them, as in @leafwise(shared="weight")'
        )

    def functions() -> Shared:
        if not at.own:
            return shared
        try:
            own = author_functions(at.made.factory, at.called(at.made))[2]
        except TypeError as error:
            raise _needs_one_value(at.made, error) from None
        assert own is not None
        return own

    def start(dtype):
        def as_scalar(x):
            x = jnp.asarray(x)
            return cast(x, dtype if jnp.issubdtype(x.dtype, jnp.floating) else x.dtype)

        return (jax.tree.map(as_scalar, functions().init()),)

    def advance(values):
        try:
            scalars = as_before(functions().update(values[0]), values[0])
        except TypeError as error:
            raise (_needs_one_value(at.made, error) if at.own else error) from None
        return (scalars,), scalars

    if at.own:
        # That it needs no value by leaf is seen now, and not at the first update.
        jax.eval_shape(lambda: advance(start(FLOAT32)))
    return rule._replace(shared=(declared.shared,), start=start, advance=advance)


def _needs_one_value(made: Parametrized, error: TypeError) -> TypeError:
    return TypeError(
        f"{made!r}: what all leaves share, such as the weight of a bias correction, needs one "
        f"value where one for each leaf was given ({error})"
    )


def _slot_names(factory: Factory, declared: Declaration, init: object) -> tuple[str, ...]:
    if init is None:
        return ()
    return (factory.name,) if declared.slots is None else declared.slots


def _as_slots(factory: Factory, names: tuple[str, ...], value: Tree) -> tuple[Tree, ...]:
    if factory.declared.slots is None:
        return (value,)
    if not isinstance(value, tuple) or len(value) != len(names):
        raise TypeError(
            f"{factory.name} declares the slots {', '.join(names)}, so init and update must give a "
            f"tuple of {len(names)}, not {value!r}"
        )
    return tuple(value)


def _reads_of_arrays(factory: Factory, declared: Declaration) -> Reasons:
    # The keys and counts of a rule are made by the core; the paths are those of the tree.
    return {name: reason_of(factory) for name in declared.reads if name not in ("step", "path")}


def open_leaf_wrapper(tx: Parametrized, declared: Declaration, opening: Opening) -> Rule:
    """The rule of a ``@leaf_wrapper`` closure around the rule of the transformation it takes."""
    factory, own = tx.factory, by_leaf_values_in(tx)
    inner = [node for node in jax.tree.leaves(tx.children, is_leaf=is_argument) if _opens(node)]
    if len(inner) != 1:
        raise TypeError(f"{factory.name} wraps one transformation, not {len(inner)}")
    rule = open_rule(inner[0], opening)
    if not isinstance(rule, ArrayRule):
        raise TypeError(f"{factory.name} wraps a rule for one array, which {inner[0]!r} is not")
    at = _AtLeaf(tx, own, opening)
    given = _given(declared, opening)
    count, slots = len(rule.slots), declared.slots or ()

    def flat(state):
        wrapped, *more = state if slots else (state,)
        if not isinstance(wrapped, tuple) or (len(wrapped), len(more)) != (count, len(slots)):
            raise TypeError(
                f"{factory.name}: the state must be {_form_of_wrapped(rule, slots)}, not {state!r}"
            )
        return (*wrapped, *more)

    def init_leaf(like, reading):
        init, _, _ = author_functions(factory, at(reading))
        return strong(flat(init(like, lambda like: rule.init(like, reading))))

    def update_leaf(u, values, context, reading):
        _, update, _ = author_functions(factory, at(reading))
        state = (values[:count], *values[count:]) if slots else values
        inner_update = lambda u, state: rule.update(u, state, context, reading)  # noqa: E731
        known = given(declared.reads, reading, None)
        u, state = _pair(factory, update(u, state, inner_update, **known))
        return u, flat(state)

    return rule._replace(
        slots=(*rule.slots, *slots),
        init=init_leaf,
        update=update_leaf,
        reads=dict(rule.reads) | dict(_reads_of_arrays(factory, declared)),
        by_leaf=(*rule.by_leaf, *own),
    )


def _opens(node: object) -> bool:
    return isinstance(node, Parametrized) and isinstance(node.factory.declared, Declaration)


def _form_of_wrapped(rule: ArrayRule, slots: tuple[str, ...]) -> str:
    wrapped = f"the tuple of the {len(rule.slots)} slots of the inner rule"
    return f"the pair of {wrapped} and {', '.join(slots)}" if slots else wrapped


# --- Rules for a tree


def open_tree_rule(tx: Parametrized, declared: Declaration, opening: Opening) -> Rule:
    """The rule of a ``@transformation`` closure: ``update``, or ``init, update``."""
    factory = tx.factory
    made = tx.called_with(tx.arguments())
    if isinstance(made, Parametrized):
        return open_rule(made, opening)
    for name, child in zip(factory.data, tx.children, strict=True):
        if isinstance(child, NumberByLeaf):
            raise TypeError(
                f"{factory.name}: {name!r} is one number for all leaves, since the rule is about "
                f"the whole tree; one for each leaf was given, {child!r}"
            )
    init, update, _ = author_functions(factory, made)
    names = _slot_names(factory, declared, init)
    reads_all = EVERYTHING in declared.reads
    link = opening.next_link()
    count = opening.count
    opening.counted |= "step" in declared.reads
    reads = {name: reason_of(factory) for name in declared.reads if name != "step"}

    def init_tree(params):
        return () if init is None else _as_slots(factory, names, strong(init(widen(params))))

    def update_tree(updates, values, params, extra):
        known = extra if reads_all else {n: extra[n] for n in declared.reads if n in extra}
        known = dict(known)
        for name in reads:
            if name != EVERYTHING:
                require(reads, name, params if name == "params" else known.get(name))
        if known.get("key") is not None:
            known["key"] = jax.random.fold_in(known["key"], link)
        if reads_all or "params" in reads:
            known["params"] = params
        if "step" in declared.reads:
            known["step"] = count
        if init is None:
            return update(updates, **known), ()
        state = values[0] if declared.slots is None else values
        try:
            updates, after = _pair(factory, update(updates, state, **known))
        except (TypeError, ValueError) as error:
            expected = jax.eval_shape(init_tree, updates if params is None else params)
            wanted, found = (dict(zip(names, tree, strict=True)) for tree in (expected, values))
            _check_state(factory, wanted, found, error)
            raise
        return updates, _checked(factory, _as_slots(factory, names, after), values)

    return TreeRule(names, init_tree, update_tree, reads)


def _check_state(
    factory: Factory, expected: dict[str, Tree], state: dict[str, Tree], error: Exception
) -> None:
    """Tell that the state is of other parameters, if that is why an update failed."""
    if "the state" in str(error) or "updates" in str(error):
        return  # an inner transformation has told it already
    wanted, found = (
        dict(leaves_with_paths(jax.tree.map(lambda leaf: str(jnp.shape(leaf)), tree)))
        for tree in (expected, state)
    )
    for path in {**found, **wanted}:
        if found.get(path) != wanted.get(path):
            raise ValueError(
                f"{factory.name}: the state does not fit the updates: at {path!r} it holds "
                f"{found.get(path, 'nothing')}, where these parameters need "
                f"{wanted.get(path, 'nothing')}; make the state by init for them"
            ) from error


def _checked(factory: Factory, new: tuple[Tree, ...], old: tuple[Tree, ...]) -> tuple[Tree, ...]:
    if jax.tree.structure(new) != jax.tree.structure(old):
        raise TypeError(
            f"{factory.name}: update changed the state's structure from "
            f"{jax.tree.structure(old)} to {jax.tree.structure(new)}"
        )
    for (path, after), (_, before) in zip(
        leaves_with_paths(new), leaves_with_paths(old), strict=True
    ):
        if after is not None and jnp.shape(after) != jnp.shape(before):
            raise ValueError(
                f"{factory.name}: the state's entry {path!r} has the shape {jnp.shape(before)}, "
                f"but these updates make one of {jnp.shape(after)}: it is of other parameters"
            )
    return as_before(new, old)


# --- What all authors share


def reason_of(factory: Factory) -> str:
    """Which transformation reads something, and what it does, in a sentence."""
    sentence = (inspect.getdoc(factory.function) or "").split("\n")[0]
    return f"{factory.name}, which is: {sentence}" if sentence else f"{factory.name}."


def author_functions(factory: Factory, made: Value) -> tuple[Any, Any, Shared | None]:
    """``init``, ``update`` and ``shared`` of what an author's function returned."""
    if callable(made):
        return None, made, None
    if isinstance(made, tuple) and len(made) in (2, 3) and callable(made[1]):
        init, update, shared = made if len(made) == 3 else (*made, None)
        if callable(init) or (init is None and shared is not None):
            return init, update, shared
    raise TypeError(
        f"{factory.name} must return init and update (or update alone if there is no state), "
        f"not {made!r}"
    )


def _pair(factory: Factory, out: Value) -> tuple[Value, Value]:
    if isinstance(out, tuple) and len(out) == 2:
        return out
    raise TypeError(f"{factory.name}: update must return the pair (update, state), not {out!r}")
