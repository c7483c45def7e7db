"""The transformation: a pure pair (init, update) that is also a pytree of its hyperparameters."""

import functools
import inspect
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import ParamSpec, overload

import jax
import jax.numpy as jnp
from jax.core import Tracer

from gdlab.checks.checked import checked
from gdlab.checks.kinds import is_what_converts
from gdlab.checks.located import located
from gdlab.checks.user_functions import called_as
from gdlab.core.annotations import is_data
from gdlab.core.authoring import open_array_rule, open_leaf_wrapper, open_tree_rule
from gdlab.core.axis import Axis, is_axis
from gdlab.core.dispatch import tree_rule, update_at_compiled_speed
from gdlab.core.floating_leaves import require_floating, require_no_text, require_some_floating
from gdlab.core.numerics import (
    arrays_and_shapes_only,
    arrays_only,
    cast,
    common_dtype,
    distinct,
    is_array,
    promoting_complex,
    safe_increment,
    widen,
)
from gdlab.core.opening import NonNegative, Opening, declaration, is_opening, open_rule, open_wiring
from gdlab.core.parametrized import Parametrized, at_step, parametrized
from gdlab.core.ranges import require_numbers_fit
from gdlab.core.representation import described
from gdlab.core.rounding import is_narrow
from gdlab.core.rules import EVERYTHING, READ_BY_ARRAYS, READ_BY_TREES, TreeRule
from gdlab.core.state import (
    State,
    make_known_to_flax,
    needs_wide_updates,
    refuse_narrow_within,
)
from gdlab.core.structure import (
    DType,
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
)

P = ParamSpec("P")
FOREIGN = "foreign"
"""The name of a pair ``(init, update)`` from another library, and of its entry in the state."""
COUNT = "count"
"""The entry of a state that counts the updates, if anything depends on their number."""


class GradientTransformation(Parametrized):
    """An optimizer or a part of one: two pure functions, and a pytree of hyperparameters.

    ``init(params)`` makes the state and ``update(updates, state, params)`` turns gradients into
    updates, which :func:`gdlab.apply_updates` *adds* to the parameters. It unpacks as this pair,
    and it can be an argument of functions under ``jax.jit``, ``jax.vmap`` and ``jax.grad``: a new
    learning rate does not recompile, a batch of them is a sweep, a derivative is a hypergradient.
    Its arguments are its attributes, and two made with equal arguments are equal.

    >>> import jax, jax.numpy as jnp, gdlab
    >>> tx = gdlab.adam(1e-3)
    >>> jax.tree.leaves(tx)
    [0.001, 0.9, 0.999, 1e-08]
    >>> tx.b1, tx.replace(b1=0.95)
    (0.9, adam(0.001, b1=0.95))
    >>> init, update = tx
    >>> params = {"w": jnp.ones(2)}
    >>> updates, state = update({"w": jnp.array([1.0, -4.0])}, init(params), params)
    >>> updates["w"]
    Array([-0.001,  0.001], dtype=float32)
    """

    __slots__ = ("_on_device",)

    def init(self, params: Params) -> State:
        """The state for ``params``.

        Args:
            params: a tree of floating-point arrays, or of ``jax.ShapeDtypeStruct``, in which case
                the state is a tree of these too. It may have other leaves, such as functions and
                ``None``, and integers if they get no update.

        Returns:
            The :class:`~gdlab.State`, whose entries have names.

        Raises:
            TypeError: if all arrays are of integers or truth values.
        """
        _refuse_axes(self)
        if "flax.serialization" in sys.modules:
            make_known_to_flax()
        leaves = jax.tree.leaves(params)
        if any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in leaves):
            return jax.eval_shape(self.init, arrays_and_shapes_only(params))
        params = arrays_only(params)
        require_some_floating(params)
        count = jnp.zeros((), jnp.int32)
        opening = Opening(count, common_dtype(leaves))
        require_numbers_fit(self.factory.name, self, opening.dtype)
        rule = tree_rule(self, opening)
        with promoting_complex(jax.tree.leaves(params)):
            values = distinct(rule.init(params), params)
        return _packed(rule, opening, count, values)

    def update(
        self, updates: Updates, state: State, params: Params = None, **extra: Leaf | Function
    ) -> tuple[Updates, State]:
        """Turn gradients into updates.

        Args:
            updates: gradients, or the output of the transformation before this one.
            state: the state that ``init`` or the last ``update`` returned.
            params: the parameters, for transformations that read them.
            **extra: inputs for the transformations that read them: ``value`` and ``grad`` at the
                parameters, the functions ``value_fn(params)`` and ``grad_fn(params)``, a PRNG
                ``key``. Other transformations ignore them.

        Returns:
            The updates, with the structure and shapes of ``updates`` and the wider of the dtypes
            of ``updates`` and ``params`` (float32 for low-precision parameters of which the state
            keeps more than they can hold), and the new state, with the types of ``state``.

        Raises:
            TypeError: if an update is text, or an array of integers or booleans; the message names
                its path.
            ValueError: if the trees do not match (the message names the first path at which they
                differ), if the state does not have the entries of this transformation or belongs to
                other parameters, or if a required input is missing. A state fits all
                transformations with the same entries: a stateless link, such as :func:`gdlab.clip`,
                can be added to a chain in the middle of a run.
        """
        return update_at_compiled_speed(_perform, self, updates, state, arrays_only(params), extra)

    def __iter__(self) -> Iterator[Function]:
        yield self.init
        yield self.update

    def _check(self) -> None:
        """Raise errors that can be detected when the transformation is made."""
        if is_opening():
            return
        # Only structure can be wrong, and it is checked once for all transformations that share it.
        structure = jax.tree.structure(self)
        if structure in _known_to_be_right:
            return
        # Shapes in place of numbers, as `jax.eval_shape` returns them, cannot be opened.
        if any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(self)):
            return
        try:
            _check_openings(jax.tree.map(_first_on_axis, self, is_leaf=is_axis))
        except (TypeError, ValueError) as error:
            if str(error).startswith(tuple(self.factory.name + mark for mark in ":( ")):
                raise
            # The error is about a part, whose arguments have other names.
            raise located(error, described(self)) from None
        if len(_known_to_be_right) >= 4096:
            _known_to_be_right.clear()
        _known_to_be_right.add(structure)


_known_to_be_right: set[Hashable] = set()


def _check_openings(tx: Parametrized) -> None:
    """Open a transformation, so that errors in it are raised.

    Traced values are replaced by those of another trace, which is discarded: the program that makes
    an optimizer must not depend on whether one of the same structure was made before.
    """
    leaves, treedef = jax.tree.flatten(tx)
    traced = [index for index, leaf in enumerate(leaves) if isinstance(leaf, Tracer)]

    def check(values: list[Leaf]) -> None:
        replaced = dict(zip(traced, values, strict=True))
        opened = treedef.unflatten([replaced.get(i, leaf) for i, leaf in enumerate(leaves)])
        rule = open_rule(opened, Opening())
        if isinstance(rule, TreeRule) and not rule.goes_by_array:
            _refuse_buses_within(opened)

    if traced:
        jax.eval_shape(check, [leaves[index] for index in traced])
    else:
        check([])


def _refuse_buses_within(tx: Parametrized) -> None:
    """Raise if a wrapper for whole trees is around a part whose output is a bus."""
    for child in tx.children:
        for node in jax.tree.leaves(child, is_leaf=_is_transformation):
            if _is_transformation(node):
                tree_rule(jax.tree.map(_first_on_axis, node, is_leaf=is_axis), Opening())


def _is_transformation(node: object) -> bool:
    return isinstance(node, GradientTransformation)


def as_transformation(value: object) -> GradientTransformation:
    """A pair ``(init, update)``, such as one of another library, as a transformation."""
    if isinstance(value, GradientTransformation):
        return value
    init, update = getattr(value, "init", None), getattr(value, "update", None)
    if isinstance(value, Parametrized) or not (callable(init) and callable(update)):
        raise TypeError(f"expected a transformation (init, update), not {value!r}")
    return foreign(init, update)


is_data(GradientTransformation, as_transformation)
is_what_converts(GradientTransformation, as_transformation)


def as_state(tx: GradientTransformation, state: Tree) -> Tree:
    """The state of a pair from another library as gdlab stores it; other states unchanged."""
    is_theirs = tx.factory.name == FOREIGN and not isinstance(state, State)
    return State.of((FOREIGN,), (state,)) if is_theirs else state


Closure = Callable[P, Value]


@overload
def transformation(function: Closure[P], /) -> Callable[P, GradientTransformation]: ...
@overload
def transformation(
    *,
    reads: str | tuple[str, ...] = (),
    slots: tuple[str, ...] | None = None,
    squares: bool = False,
) -> Callable[[Closure[P]], Callable[P, GradientTransformation]]: ...
def transformation(
    function: Function | None = None,
    /,
    *,
    reads: str | tuple[str, ...] = (),
    slots: tuple[str, ...] | None = None,
    squares: bool = False,
) -> Function:
    """Make a transformation from an ordinary closure over its hyperparameters.

    Args:
        function: its parameters annotated :data:`~gdlab.Hyperparameter`, and those that hold
            transformations, become the pytree's children under their own names; the others are
            structure. It returns ``init(params)`` and ``update(updates, state, …)`` for whole
            trees, only ``update`` if there is no state, or another transformation, to which it
            gives a name.
        reads: the inputs that ``update`` receives by keyword: ``params``, ``grad``, ``value``,
            ``value_fn``, ``grad_fn``, ``key``, ``step``; or ``everything``, for a wrapper that
            passes on all its inputs. The ``init`` of such a wrapper receives parameters in their
            stored dtypes, and passes them on too.
        slots: the names of the entries of its state, if there are several: then the state is a
            tuple of them. Otherwise the state is one entry with the name of the transformation.
        squares: whether it squares its input. If so, elements whose squares would be infinite are
            first reduced to 2⁵⁰.

    Raises:
        ValueError: if ``reads`` has another name.

    Within ``init`` and ``update`` a hyperparameter is always a number, since schedules have been
    evaluated. Low-precision gradients and parameters arrive as float32.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import Hyperparameter, transformation
    >>> @transformation
    ... def normalise(scale: Hyperparameter = 1.0):
    ...     def update(updates):
    ...         norm = jnp.sqrt(sum(jnp.sum(u**2) for u in jax.tree.leaves(updates)))
    ...         return jax.tree.map(lambda u: scale * u / jnp.where(norm > 0, norm, 1), updates)
    ...
    ...     return update
    >>> tx = normalise(2.0)
    >>> tx
    normalise(scale=2.0)
    >>> tx.update(jnp.array([3.0, 4.0]), tx.init(None))[0]
    Array([1.2, 1.6], dtype=float32)
    """

    def decorate(function):
        known = (*READ_BY_TREES, EVERYTHING)
        declared = declaration(function, open_tree_rule, known, reads, slots, squares=squares)
        return parametrized(GradientTransformation, function, declared)

    return decorate if function is None else decorate(function)


@overload
def leafwise(function: Closure[P], /) -> Callable[P, GradientTransformation]: ...
@overload
def leafwise(
    *,
    reads: str | tuple[str, ...] = (),
    slots: tuple[str, ...] | None = None,
    shared: str | None = None,
    init_reads: str | tuple[str, ...] = (),
    nonnegative: NonNegative = False,
    squares: bool = False,
) -> Callable[[Closure[P]], Callable[P, GradientTransformation]]: ...
def leafwise(
    function: Function | None = None,
    /,
    *,
    reads: str | tuple[str, ...] = (),
    slots: tuple[str, ...] | None = None,
    shared: str | None = None,
    init_reads: str | tuple[str, ...] = (),
    nonnegative: NonNegative = False,
    squares: bool = False,
) -> Function:
    """Make a transformation from a closure for **one array**; gdlab lifts it to trees.

    Args:
        function: as for :func:`transformation`, but it returns ``init(like)`` and
            ``update(update, state)`` for one array, or only ``update(update)`` if there is no
            state; with shared scalars it returns a :class:`~gdlab.Shared` as the third value.
            ``like`` is an array of the shape of the input: after a link that reduces, the reduced
            shape. The state is an array or any small tree, whose structure may differ from leaf to
            leaf.
        reads: the inputs that ``update`` receives by keyword: ``param``, ``grad``, ``value``,
            ``key``, ``step``, ``path``.
        slots: the names of the slots, if there are several: then the state is a tuple of them.
            Otherwise the state is one slot with the name of the transformation.
        shared: the name of the shared scalars, which ``update`` receives by this keyword.
        init_reads: the inputs that ``init`` receives by keyword besides ``like``: ``param``,
            ``path``.
        nonnegative: which arrays have no negative elements, so that they can be stored in less
            memory or more exactly: True for the output and all slots, ``"like input"`` for all of
            these if the input has none, or the names of slots.
        squares: whether it squares its input. If so, elements whose squares would be infinite are
            reduced to 2⁵⁰ at the input of the whole chain or fork, so that all links and branches
            see the same.

    Raises:
        ValueError: if ``reads`` or ``init_reads`` has another name, or ``nonnegative`` names
            something that is not a slot.

    Neighbouring leafwise links of a chain are fused and traced once for each shape.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import Hyperparameter, leafwise
    >>> @leafwise
    ... def velocity(friction: Hyperparameter):
    ...     def update(u, v):
    ...         v = (1 - friction) * v + u
    ...         return v, v
    ...
    ...     return jnp.zeros_like, update
    >>> tx = velocity(0.5)
    >>> state = tx.init({"w": jnp.zeros(2)})
    >>> for _ in range(2):
    ...     updates, state = tx.update({"w": jnp.ones(2)}, state)
    >>> state
    State(velocity={'w': Array([1.5, 1.5], dtype=float32)})
    """

    def decorate(function):
        declared = declaration(
            function, open_array_rule, READ_BY_ARRAYS, reads, slots, shared, init_reads,
            nonnegative, squares,
        )  # fmt: skip
        return parametrized(GradientTransformation, function, declared)

    return decorate if function is None else decorate(function)


@overload
def leaf_wrapper(function: Closure[P], /) -> Callable[P, GradientTransformation]: ...
@overload
def leaf_wrapper(
    *,
    reads: str | tuple[str, ...] = (),
    slots: tuple[str, ...] | None = None,
    nonnegative: NonNegative = False,
    squares: bool = False,
) -> Callable[[Closure[P]], Callable[P, GradientTransformation]]: ...
def leaf_wrapper(
    function: Function | None = None,
    /,
    *,
    reads: str | tuple[str, ...] = (),
    slots: tuple[str, ...] | None = None,
    nonnegative: NonNegative = False,
    squares: bool = False,
) -> Function:
    """Make a transformation from a closure that wraps another's rule for **one array**.

    It sees the inputs, outputs and slots of that rule. Examples are a storage format, a rotated
    basis, a guard for each array.

    Args:
        function: it takes one transformation among its parameters, and returns
            ``init(like, init_inner)`` and ``update(update, state, update_inner)``.
            ``init_inner(like)`` returns the tuple of the inner rule's slots, and
            ``update_inner(update, state)`` the inner update and the new tuple. The state is this
            tuple; with ``slots`` it is ``(this tuple, *values of the slots)``.
        reads: the inputs that ``update`` receives by keyword, as for :func:`leafwise`.
        slots: the names of the wrapper's own slots.
        nonnegative: ``"like input"`` if the input of the inner rule has no negative elements
            whenever the wrapper's input has none.
        squares: whether it squares its input, as for :func:`leafwise`.

    Raises:
        TypeError: if it has no argument that is a transformation, or one for whole trees.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import GradientTransformation, leaf_wrapper, trace
    >>> @leaf_wrapper
    ... def in_half(inner: GradientTransformation):
    ...     def init(like, init_inner):
    ...         return jax.tree.map(lambda slot: slot.astype("float16"), init_inner(like))
    ...
    ...     def update(u, state, update_inner):
    ...         return update_inner(u, state)
    ...
    ...     return init, update
    >>> in_half(trace(0.9)).init(jnp.zeros(2))
    State(trace=Array([0., 0.], dtype=float16))
    """

    def decorate(function):
        declared = declaration(
            function, open_leaf_wrapper, READ_BY_ARRAYS, reads, slots, nonnegative=nonnegative,
            squares=squares,
        )  # fmt: skip
        return parametrized(GradientTransformation, function, declared)

    return decorate if function is None else decorate(function)


def wiring(function: Closure[P]) -> Callable[P, GradientTransformation]:
    """Make a transformation from a function that combines the rules of other transformations.

    Args:
        function: it receives a :class:`~gdlab.core.rules.Part` for each transformation, and
            returns an :class:`~gdlab.core.rules.ArrayRule` or a
            :class:`~gdlab.core.rules.TreeRule`.
    """
    return parametrized(
        GradientTransformation, function, declaration(function, open_wiring, (), (), None)
    )


@transformation(reads=EVERYTHING)
def foreign(init: Function, update: Function) -> Value:
    """A pair ``(init, update)`` from another library, such as optax.

    An ``update`` with ``**kwargs`` receives ``grad_fn`` and ``key`` only if it names them: training
    supplies both, and optax's line searches raise on unknown arguments.
    """

    def init_wide(params):
        refuse_narrow_within(FOREIGN, init, params)
        return called_as("init(params)", init, widen(params))

    return init_wide, with_known_keywords(update)


def with_known_keywords(update: Function) -> Function:
    """The ``update`` of another library, called with only the arguments that it accepts."""
    named = inspect.signature(update).parameters
    kinds = [parameter.kind for parameter in named.values()]
    takes_all = inspect.Parameter.VAR_KEYWORD in kinds
    by_position = [kind for kind in kinds if kind <= inspect.Parameter.VAR_POSITIONAL]
    takes_params = len(by_position) > 2 or inspect.Parameter.VAR_POSITIONAL in kinds

    @functools.wraps(update)
    def update_with_known(updates, state, *, params, **extra):
        unknown = {"grad_fn", "key"}
        if not takes_params:
            extra["params"] = params
        known = {
            name: value
            for name, value in extra.items()
            if name in named or (takes_all and name not in unknown)
        }
        given = [params] if takes_params else []
        form = f"update(updates, state{', params' * takes_params})"
        return called_as(form, update, updates, state, *given, **known)

    return update_with_known


@checked
def expand(tx: GradientTransformation) -> GradientTransformation:
    """Expand a named method into its composition of parts.

    A chain, a fork or a wrapper is expanded link by link; a part is returned unchanged.

    >>> from gdlab import clip, chain, expand, sgd
    >>> expand(chain(clip(1.0), sgd(0.1, momentum=0.9)))
    chain(clip(1.0), chain(trace(0.9), scale_by_learning_rate(0.1)))
    """
    made = composition_of(tx)
    if made is not None:
        return made
    return tx.map_parts(
        lambda part: expand(part) if isinstance(part, GradientTransformation) else part
    )


def composition_of(tx: GradientTransformation) -> GradientTransformation | None:
    """The composition of a named method, or None if ``tx`` is a part or wiring."""
    if is_wiring(tx):
        return None
    made = tx.called_with(tx.arguments())
    return made if isinstance(made, GradientTransformation) else None


def squares_something(tx: GradientTransformation) -> bool:
    """Tell whether any part of ``tx`` declares that it squares its input."""
    if tx.factory.declared.squares:
        return True
    made = composition_of(at_step(tx, 0))
    parts = jax.tree.leaves(tx.children if made is None else [made], is_leaf=_is_transformation)
    return any(squares_something(part) for part in parts if _is_transformation(part))


def is_wiring(tx: GradientTransformation) -> bool:
    """Tell whether ``tx`` only combines others, whose entries are all in one state."""
    return tx.factory.declared.open in (open_wiring, open_leaf_wrapper)


def _perform(
    tx: Parametrized, updates: Updates, state: Tree, params: Params, extra: dict[str, Value]
) -> tuple[Updates, Tree]:
    _refuse_axes(tx)
    moving = arrays_only(updates)
    if moving is not updates:
        require_no_text("updates", updates)
    count = state.get(COUNT, 0) if isinstance(state, dict) else 0
    leaves = jax.tree.leaves(moving)
    require_floating("updates", moving, leaves)
    opening = Opening(count, common_dtype(leaves))
    require_numbers_fit(tx.factory.name, tx, opening.dtype)
    rule = tree_rule(tx, opening)
    values = _unpacked(tx, rule, opening, state)
    with promoting_complex(leaves):
        new, values = rule.update(moving, values, params, extra)
    new = _like_the_arguments(new, updates, params, state)
    if not isinstance(state, dict):
        return new, state
    return new, _packed(
        rule, opening, safe_increment(jnp.asarray(count)) if opening.counted else None, values
    )


def require_state_of(tx: GradientTransformation, state: Tree) -> None:
    """Raise if a state does not have the entries of ``tx``.

    Raises:
        ValueError: if they differ; the message lists the entries of both.
    """
    structure = jax.tree.structure(tx)
    if isinstance(state, dict) and _known_entries.get(structure) == set(state):
        return  # opening a transformation would nearly double the time of a call that only logs
    opening = Opening()
    rule = tree_rule(jax.tree.map(_first_on_axis, tx, is_leaf=is_axis), opening)
    _unpacked(tx, rule, opening, state)
    if len(_known_entries) >= 4096:
        _known_entries.clear()
    _known_entries[structure] = frozenset(state)


_known_entries: dict[Hashable, frozenset[str]] = {}
"""The names of the entries of a transformation's state, by the transformation's structure."""


def _packed(
    rule: TreeRule, opening: Opening, count: Leaf | None, values: tuple[Tree, ...]
) -> State:
    if opening.counted:
        return State.of((COUNT, *rule.names), (count, *values))
    return State.of(rule.names, values)


def _unpacked(tx: object, rule: TreeRule, opening: Opening, state: Tree) -> tuple[Tree, ...]:
    """The values of the rule's entries; the state must have no others."""
    names = (COUNT, *rule.names) if opening.counted else rule.names
    if not isinstance(state, dict):
        if isinstance(state, tuple) and not state and not names:
            return ()
        is_apart = isinstance(state, tuple | list) and any(isinstance(s, dict) for s in state)
        raise ValueError(
            f"the state is not one of {described(tx)}, whose init makes a gdlab.State, but "
            f"{'None' if state is None else 'a ' + type(state).__name__}"
            f"{'; all links share one state, of which replace makes a copy' if is_apart else ''}"
        )
    if set(state) != set(names):
        schedule = ""
        if COUNT in names and COUNT not in state:
            schedule = (
                ": it follows a schedule, but the state counts no steps; make it by init, or start "
                "from a constant_schedule"
            )
        raise ValueError(
            f"the state is not one of {described(tx)}: it holds {_listed(state)}, where this "
            f"transformation keeps {_listed(names)}{schedule or '; make it by init'}"
        )
    return tuple(state[name] for name in rule.names)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"


def _like_the_arguments(new: Updates, updates: Updates, params: Params, state: Tree) -> Updates:
    """Updates in the wider dtype of gradient and parameter; other leaves are unchanged.

    If a part of the state needs wide updates, they stay in the dtype in which they were computed.
    """
    leaves, treedef = flatten(updates)
    made = treedef.flatten_up_to(new)
    if any(map(is_narrow, leaves)) and needs_wide_updates(state):
        pairs = zip(made, leaves, strict=True)
        return treedef.unflatten([u if is_array(leaf) else leaf for u, leaf in pairs])
    own = [None] * len(leaves)
    if params is not None:
        own = flatten_like("params", params, "updates", updates, treedef)
        check_shapes("the updates made", updates, made, "params", own)
    return treedef.unflatten(map(_narrow, made, leaves, own))


def _narrow(made: Leaf, gradient: Leaf, param: Leaf) -> Leaf:
    if not is_array(gradient):
        return gradient
    wanted = getattr(gradient, "dtype", None)
    if isinstance(made, jax.Array) and made.dtype == wanted == getattr(param, "dtype", wanted):
        return made
    dtype = jnp.result_type(gradient)
    if not jnp.issubdtype(dtype, jnp.inexact):
        return made
    if param is not None and jnp.issubdtype(jnp.result_type(param), jnp.inexact):
        dtype = _wider(dtype, jnp.result_type(param))
    return cast(made, dtype)


def _wider(one: DType, other: DType) -> Value:
    real, other_real = jnp.finfo(one), jnp.finfo(other)
    return other if other_real.bits > real.bits else one


def _refuse_axes(tx: Parametrized) -> None:
    for leaf in jax.tree.leaves(tx, is_leaf=is_axis):
        if isinstance(leaf, Axis):
            break
    else:
        return
    pairs, _ = jax.tree_util.tree_flatten_with_path(tx, is_leaf=is_axis)
    for path, value in pairs:
        if is_axis(value):
            raise ValueError(
                f"{dotted(path)} is an Axis, {value!r}: gdlab.sweep tries its values; to take one "
                f"step, choose one: set_hyperparameters(tx, {{{dotted(path)!r}: …}})"
            )


def _first_on_axis(value: Value) -> Value:
    return value.first if isinstance(value, Axis) else value
