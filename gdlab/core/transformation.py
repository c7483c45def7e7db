"""The transformation: a pure pair (init, update) that is also a pytree of its hyperparameters."""

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec

import jax

from gdlab.core.authoring import author_leaf_rule, author_tree_rule
from gdlab.core.axis import is_axis
from gdlab.core.dispatch import update_at_compiled_speed
from gdlab.core.leafwise import _sample, init_leaves, update_leaves
from gdlab.core.numerics import distinct, narrow, widen
from gdlab.core.parametrized import Parametrized, parametrized
from gdlab.core.rules import LeafRule, rule_of
from gdlab.core.structure import dotted

P = ParamSpec("P")


class GradientTransformation(Parametrized):
    """An optimizer or a part of one: two pure functions, and a pytree of hyperparameters.

    ``init(params)`` makes the state and ``update(updates, state, params)`` turns gradients into
    updates, which :func:`gdlab.apply_updates` *adds* to the parameters. It unpacks as that pair,
    and ``jax.jit``, ``jax.vmap`` and ``jax.grad`` take it as an argument: a new learning rate does
    not recompile, a batch of them is a sweep, a derivative is a hypergradient.

    >>> import jax, jax.numpy as jnp, gdlab
    >>> tx = gdlab.adam(1e-3)
    >>> jax.tree.leaves(tx)
    [0.001, 0.9, 0.999, 1e-08]
    >>> init, update = tx
    >>> params = {"w": jnp.ones(2)}
    >>> updates, state = update({"w": jnp.array([1.0, -4.0])}, init(params), params)
    >>> updates["w"]
    Array([-0.001,  0.001], dtype=float32)
    """

    __slots__ = ("_on_device",)

    def init(self, params: Any) -> Any:
        """The state for ``params``, a pytree of named tuples."""
        _refuse_axes(self)
        rule = rule_of(self)
        if isinstance(rule, LeafRule):
            return distinct(init_leaves(self, params), params)
        return distinct(rule.init(widen(params)), params)

    def update(self, updates: Any, state: Any, params: Any = None, **extra: Any) -> tuple[Any, Any]:
        """Turn gradients into updates.

        Args:
            updates: gradients, or what the transformation before this one made of them.
            state: what ``init`` or the last ``update`` returned.
            params: the parameters, for transformations that read them.
            **extra: what the step knows, for those that read it: ``value`` and ``grad`` at the
                parameters, the functions ``value_fn(params)`` and ``grad_fn(params)``, a PRNG
                ``key``. The others ignore it.

        Returns:
            The updates, with the structure, shapes and dtypes of ``updates``, and the new state,
            with those of ``state``.

        Raises:
            ValueError: if the trees do not agree, naming the first path at which they differ, or
                if ``params`` are needed and missing.
        """
        return update_at_compiled_speed(_perform, self, updates, state, params, extra)

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        yield self.init
        yield self.update

    @classmethod
    def convert(cls, value: Any) -> "GradientTransformation":
        """A pair ``(init, update)``, foreign ones included, as a transformation."""
        if isinstance(value, cls):
            return value
        init, update = getattr(value, "init", None), getattr(value, "update", None)
        if isinstance(value, Parametrized) or not (callable(init) and callable(update)):
            raise TypeError(f"expected a transformation (init, update), not {value!r}")
        return foreign(init, update)

    def _check(self) -> None:
        # Shapes that stand for numbers, as `jax.eval_shape` gives them, cannot be opened.
        if any(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in jax.tree.leaves(self)):
            return
        # What can be wrong is structure, and a method makes its parts again whenever it is opened.
        structure = jax.tree.structure(self)
        if structure not in _known_to_be_right:
            rule_of(_sample(jax.tree.map(_first_on_axis, self, is_leaf=is_axis)))
            if len(_known_to_be_right) >= 4096:
                _known_to_be_right.clear()
            _known_to_be_right.add(structure)


_known_to_be_right: set[Any] = set()


def transformation(function: Callable[P, Any]) -> Callable[P, GradientTransformation]:
    """Make a transformation of an ordinary closure over its hyperparameters.

    Args:
        function: its parameters annotated :data:`~gdlab.Hyperparameter`, and those that hold
            transformations, become the pytree's children under their own names; the others are
            structure. It returns ``init(params)`` and ``update(updates, state, params, …)`` for
            whole trees, or ``update`` alone if there is no state, or another transformation:
            then it names a composition. ``update`` may take ``params`` and any of the extra
            arguments of :meth:`GradientTransformation.update`, by name.

    Within ``init`` and ``update`` a hyperparameter is always a number: schedules have been
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
    return parametrized(GradientTransformation, function, author_tree_rule)


def leafwise(function: Callable[P, Any]) -> Callable[P, GradientTransformation]:
    """Make a transformation of a closure that treats **one array**; gdlab lifts it to trees.

    Args:
        function: as for :func:`transformation`, but it returns ``init(param)`` and
            ``update(update, state)`` for one array, or ``update(update)`` alone if there is no
            state. ``update`` may also take ``param``. ``init`` returns a named tuple of arrays.

    Neighbouring leafwise links of a chain are fused and traced once for each shape.

    >>> from typing import NamedTuple
    >>> import jax, jax.numpy as jnp
    >>> from gdlab import Hyperparameter, leafwise
    >>> class VelocityState(NamedTuple):
    ...     velocity: jax.Array
    >>> @leafwise
    ... def velocity(friction: Hyperparameter):
    ...     def init(param):
    ...         return VelocityState(jnp.zeros_like(param))
    ...
    ...     def update(u, state):
    ...         v = (1 - friction) * state.velocity + u
    ...         return v, VelocityState(v)
    ...
    ...     return init, update
    >>> tx = velocity(0.5)
    >>> state = tx.init({"w": jnp.zeros(2)})
    >>> for _ in range(2):
    ...     updates, state = tx.update({"w": jnp.ones(2)}, state)
    >>> state
    VelocityState(velocity={'w': Array([1.5, 1.5], dtype=float32)})
    """
    return parametrized(GradientTransformation, function, author_leaf_rule)


@transformation
def foreign(init: Callable[..., Any], update: Callable[..., Any]) -> Any:
    """A pair ``(init, update)`` of another library, such as one of optax's.

    An ``update`` that takes any keyword is handed ``grad_fn`` and ``key`` only if it names them:
    training supplies both, and optax's line searches refuse what they do not know.
    """
    named = inspect.signature(update).parameters

    @functools.wraps(update)
    def update_with_known(updates, state, *params, **extra):
        unknown = {"grad_fn", "key"}.difference(named)
        known = {name: value for name, value in extra.items() if name not in unknown}
        return update(updates, state, *params, **known)

    return init, update_with_known


def expand(tx: GradientTransformation) -> GradientTransformation:
    """Open a named method into the composition of parts that it is.

    A chain, a fork or a wrapper is opened link by link; a part is its own expansion.

    >>> from gdlab import clip, chain, expand, sgd
    >>> expand(chain(clip(1.0), sgd(0.1, momentum=0.9)))
    chain(clip(1.0), chain(trace(0.9), scale_by_learning_rate(0.1)))
    """
    made = tx._open()
    if isinstance(made, GradientTransformation):
        return made
    return tx._map_parts(
        lambda part: expand(part) if isinstance(part, GradientTransformation) else part
    )


def _perform(tx: Any, updates: Any, state: Any, params: Any, extra: Any) -> tuple[Any, Any]:
    _refuse_axes(tx)
    rule = rule_of(tx)
    if isinstance(rule, LeafRule):
        return update_leaves(tx, updates, state, params)
    new, state = rule.update(widen(updates), state, widen(params), extra)
    return narrow(new, updates), state


def _refuse_axes(tx: Any) -> None:
    pairs, _ = jax.tree_util.tree_flatten_with_path(tx, is_leaf=is_axis)
    for path, value in pairs:
        if is_axis(value):
            raise ValueError(
                f"{dotted(path)} is an Axis, {value!r}: gdlab.sweep tries its values; to take one "
                f"step, choose one: set_hyperparameters(tx, {{{dotted(path)!r}: …}})"
            )


def _first_on_axis(value: Any) -> Any:
    return value.values[0] if is_axis(value) else value
