"""Conversion of the closures that authors write into rules."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from gdlab.checks.checked import checked_class
from gdlab.checks.values import require_key, require_real_scalar
from gdlab.core.by_leaf import ByLeaf, NumberByLeaf
from gdlab.core.forms import is_marking, is_stored_form, marked
from gdlab.core.numerics import cast, cast_like, is_inexact, squarable, strong, widen
from gdlab.core.opening import (
    AtLeaf,
    Declaration,
    Opening,
    Rule,
    by_leaf_values_in,
    open_rule,
)
from gdlab.core.parametrized import Factory, Parametrized
from gdlab.core.returned import require_arrays
from gdlab.core.rules import (
    EVERYTHING,
    ArrayRule,
    Reasons,
    TreeRule,
    require,
)
from gdlab.core.state import is_state, needs_wide_updates
from gdlab.core.storage import kept, read, read_slots, written
from gdlab.core.structure import (
    Function,
    Leaf,
    Params,
    Tree,
    Updates,
    Value,
    check_shapes,
    dotted,
    flatten,
    flatten_like,
    is_argument,
    leaves_with_paths,
)


@checked_class
@dataclass(frozen=True)
class Shared:
    """Scalars that the rule of all arrays shares, computed once per step.

    An author returns an instance as the third of ``init, update, shared``, declares its name, as in
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
"""The return value of an author's function for one array: ``update``, or ``init, update``, or
``init, update, shared``."""
TreeFunctions: TypeAlias = Function | tuple[Function, Function]
"""The return value of an author's function for a tree: ``update``, or ``init, update``."""


# --- Rules for one array


def open_array_rule(tx: Parametrized, declared: Declaration, opening: Opening) -> Rule:
    """The rule of a ``@leafwise`` closure: ``update``, or ``init, update[, shared]``."""
    factory, own = tx.factory, by_leaf_values_in(tx)
    at = AtLeaf(tx, own, opening)
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
        slots = _as_slots(factory, names, strong(made))
        # A slot that starts at the parameter is a position, not an average, so it keeps the
        # precision of the parameter and is not marked for narrow storage.
        if not is_marking() or reading.param is None or "param" in declared.init_reads:
            return slots
        signs = [declared.has_nonnegative(name, reading.is_nonnegative) for name in names]
        return tuple(marked(slot, like, sign) for slot, sign in zip(slots, signs, strict=True))

    def update_leaf(u, slots, context, reading):
        update = author_functions(factory, at(reading))[1]
        known = given(for_update, reading, context) if for_update else {}
        if init is None:
            return update(u, **known), ()
        arrays = read_slots(slots)
        state = arrays[0] if declared.slots is None else arrays
        u, after = _pair(factory, update(u, state, **known))
        try:
            return kept(u, _as_slots(factory, names, after), slots)
        except ValueError as error:
            raise ValueError(f"{factory.name}: {error}") from None

    rule = ArrayRule(
        slots=names,
        init=init_leaf,
        update=update_leaf,
        reads=_reads_of_arrays(factory, declared),
        by_leaf=(*own, PATHS) if "path" in declared.reads + declared.init_reads else tuple(own),
        keeps_sign=declared.gives_nonnegative,
        squares=declared.squares,
    )
    return rule if shared is None else _with_shared(rule, declared, shared, at)


class _Paths(ByLeaf):
    """The dotted path of each leaf, as a value by leaf."""

    def at_leaves(self, params: Params) -> list[Leaf]:
        return [path for path, _ in leaves_with_paths(params)]


PATHS = _Paths(None)


def _given(declared: Declaration, opening: Opening) -> Callable[..., dict[str, Value]]:
    """Return ``given(names, reading, context)``, the keyword arguments of an author's function."""
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


def _with_shared(rule: ArrayRule, declared: Declaration, shared: Shared, at: AtLeaf) -> ArrayRule:
    if declared.shared is None:
        name = at.made.factory.name
        raise TypeError(
            f'{name} returns Shared scalars: name them, as in @leafwise(shared="weight")'
        )

    def functions() -> Shared:
        if not at.own:
            return shared
        try:
            scalars = author_functions(at.made.factory, at.called(at.made))[2]
        except TypeError as error:
            raise _needs_one_value(at.made, error) from None
        assert scalars is not None
        return scalars

    def start(dtype):
        def as_scalar(x):
            x = jnp.asarray(x)
            return cast(x, dtype if jnp.issubdtype(x.dtype, jnp.floating) else x.dtype)

        return (jax.tree.map(as_scalar, functions().init()),)

    def advance(values):
        try:
            scalars = cast_like(functions().update(values[0]), values[0])
        except TypeError as error:
            raise (_needs_one_value(at.made, error) if at.own else error) from None
        return (scalars,), scalars

    if at.own:
        # Traced now, so that shared scalars that need a value by leaf are refused when the
        # transformation is made, and not at its first update.
        jax.eval_shape(lambda: advance(start(at.dtype)))
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
    # "step" and "path" are left out: the core knows them, so the caller need not supply them.
    return {name: reason_of(factory) for name in declared.reads if name not in ("step", "path")}


def open_leaf_wrapper(tx: Parametrized, declared: Declaration, opening: Opening) -> Rule:
    """The rule of a ``@leaf_wrapper`` closure, around the rule of the wrapped transformation."""
    factory, own = tx.factory, by_leaf_values_in(tx)
    inner = [node for node in jax.tree.leaves(tx.children, is_leaf=is_argument) if _opens(node)]
    if len(inner) != 1:
        raise TypeError(f"{factory.name} wraps one transformation, not {len(inner)}")
    rule = open_rule(inner[0], opening)
    if not isinstance(rule, ArrayRule):
        raise TypeError(f"{factory.name} wraps a rule for one array, which {inner[0]!r} is not")
    at = AtLeaf(tx, own, opening)
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
        known = reading if declared.nonnegative else reading._replace(is_nonnegative=False)
        return strong(flat(init(like, lambda like: rule.init(like, known))))

    def update_leaf(u, values, context, reading):
        _, update, _ = author_functions(factory, at(reading))
        # The inner rule gets the slots as arrays too, because the wrapper may change them first;
        # they are put into their stored form once, after both.
        arrays = read_slots(values)
        state = (arrays[:count], *arrays[count:]) if slots else arrays
        inner_update = lambda u, state: rule.update(u, state, context, reading)  # noqa: E731
        known = given(declared.reads, reading, None)
        u, state = _pair(factory, update(u, state, inner_update, **known))
        return u, written(flat(state), values)

    return rule._replace(
        slots=(*rule.slots, *slots),
        init=init_leaf,
        update=update_leaf,
        reads=dict(rule.reads) | dict(_reads_of_arrays(factory, declared)),
        by_leaf=(*rule.by_leaf, *own),
        keeps_sign=rule.keeps_sign if declared.nonnegative else lambda _: False,
        squares=rule.squares or declared.squares,
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
        if init is None:
            return ()
        # A wrapper passes the parameters on unwidened, since a wrapped rule may need their dtypes.
        return _as_slots(factory, names, strong(init(params if reads_all else widen(params))))

    def update_tree(updates, values, params, extra):
        updates, params = widen(updates), widen(params)
        if declared.squares:
            updates = jax.tree.map(lambda u: squarable(u) if is_inexact(u) else u, updates)
        known = extra if reads_all else {n: extra[n] for n in declared.reads if n in extra}
        known = dict(known)
        for name in reads:
            if name != EVERYTHING:
                require(reads, name, params if name == "params" else known.get(name))
        if "value" in reads:
            require_real_scalar("value", known["value"])
        if "grad" in reads:
            grads = flatten_like("grad", known["grad"], "updates", updates)
            check_shapes("grad", known["grad"], grads, "updates", flatten(updates)[0])
        if known.get("key") is not None:
            require_key("key", known["key"])
            known["key"] = jax.random.fold_in(known["key"], link)
        if reads_all or "params" in reads:
            known["params"] = params
        if "step" in declared.reads:
            known["step"] = count
        if init is None:
            return _like_input(factory, update(updates, **known), updates), ()
        arrays = read(values, until=is_state)
        state = arrays[0] if declared.slots is None else arrays
        try:
            new, after = _pair(factory, update(updates, state, **known))
        except (TypeError, ValueError) as error:
            if needs_wide_updates(values):
                raise  # without the dtypes of the parameters the expected state is unknown
            expected = jax.eval_shape(init_tree, updates if params is None else params)
            wanted, found = (dict(zip(names, tree, strict=True)) for tree in (expected, arrays))
            _check_state(factory, wanted, found, error)
            raise
        after = _checked(factory, _as_slots(factory, names, after), values)
        return _like_input(factory, new, updates), after

    return TreeRule(names, init_tree, update_tree, reads)


def _like_input(factory: Factory, new: Updates, updates: Updates) -> Updates:
    """The updates that a rule for a tree returned, checked to have arrays where its input had them.

    The shapes may differ from those of the input: DP-SGD takes the gradients of single examples.
    """
    return require_arrays(
        f"the updates that {factory.name} makes", new, "those it is given", updates
    )


def _check_state(
    factory: Factory, expected: dict[str, Tree], state: dict[str, Tree], error: Exception
) -> None:
    """Raise an error about the state if the update failed because it is of other parameters."""
    if "the state" in str(error) or "updates" in str(error):
        return  # an inner transformation has already raised this error
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
    ours, theirs = (jax.tree.structure(tree, is_leaf=is_stored_form) for tree in (new, old))
    if ours != theirs:
        raise TypeError(
            f"{factory.name}: update changed the state's structure from {theirs} to {ours}"
        )
    for (path, after), (_, before) in zip(_paths_in(new), _paths_in(old), strict=True):
        if after is not None and _shape(after) != _shape(before):
            raise ValueError(
                f"{factory.name}: the state's entry {path!r} has the shape {_shape(before)}, "
                f"but these updates make one of {_shape(after)}: it is of other parameters"
            )
    return written(new, old)


def _shape(node: Any) -> tuple[int, ...]:
    return node.shape if is_stored_form(node) else jnp.shape(node)


def _paths_in(tree: Tree) -> list[tuple[str, Leaf]]:
    is_leaf = lambda node: node is None or is_stored_form(node)  # noqa: E731
    pairs, _ = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_leaf)
    return [(dotted(path), leaf) for path, leaf in pairs]


# --- What all authors share


def reason_of(factory: Factory) -> str:
    """The reason why a transformation reads an input: its name and the summary of its docstring."""
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
