"""The pair (init, update), and the names of types."""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import jax

from gdlab.core.structure import Function, Leaf, Params, Tree, Updates
from gdlab.core.transformation import GradientTransformation as Ours

OptState: TypeAlias = Tree
"""A state: any tree of arrays."""
Schedule: TypeAlias = Callable[[jax.typing.ArrayLike], jax.typing.ArrayLike]
"""A function of the step."""
ScalarOrSchedule: TypeAlias = float | jax.Array | Schedule
"""A number, or a function of the step."""
MaskOrFn: TypeAlias = Any | Callable[[Params], Any] | None
"""A tree of booleans, or a function from the parameters to one."""


class TransformInitFn(Protocol):
    """The type of ``init``."""

    def __call__(self, params: Params) -> OptState:
        """The state for ``params``."""
        ...


class TransformUpdateFn(Protocol):
    """The type of ``update``."""

    def __call__(
        self, updates: Updates, state: OptState, params: Params | None = None
    ) -> tuple[Updates, OptState]:
        """The updates and the new state."""
        ...


class TransformUpdateExtraArgsFn(Protocol):
    """The type of an ``update`` that takes keywords as well."""

    def __call__(
        self,
        updates: Updates,
        state: OptState,
        params: Params | None = None,
        **extra_args: Any,
    ) -> tuple[Updates, OptState]:
        """The updates and the new state."""
        ...


@runtime_checkable
class StatefulSchedule(Protocol):
    """A schedule with its own state, which may read the keyword arguments of a step."""

    def init(self) -> Any:
        """The state before the first step."""
        ...

    def update(self, state: Any, **extra_args: Any) -> Any:
        """The state after a step."""
        ...

    def __call__(self, state: Any, **extra_args: Any) -> jax.typing.ArrayLike:
        """The present value."""
        ...


class _OfAnyLibrary(type):
    """A metaclass by which transformations of gdlab and of the installed optax are instances."""

    def __instancecheck__(cls, instance: object) -> bool:
        if super().__instancecheck__(instance):
            return True
        if cls.__module__ != __name__:  # a user's own subclass
            return False
        theirs = getattr(sys.modules.get("optax"), cls.__name__, Ours)
        return isinstance(instance, Ours | theirs)


class _Pair(NamedTuple):
    init: Function
    update: Function


class GradientTransformation(_Pair, metaclass=_OfAnyLibrary):
    """A pair of functions ``init(params)`` and ``update(updates, state, params)``.

    The pair is used unchanged: ``init`` returns the user's own state. It can be used in a chain or
    a wrapper together with gdlab's transformations, which are instances of this class too.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> double = optax.GradientTransformation(
    ...     lambda params: (),
    ...     lambda g, state, params=None: (jax.tree.map(lambda u: 2 * u, g), state),
    ... )
    >>> tx = optax.chain(double, optax.sgd(0.1))
    >>> tx.update(jnp.ones(1), tx.init(jnp.ones(1)))[0]
    Array([-0.2], dtype=float32)
    >>> isinstance(optax.adam(0.1), optax.GradientTransformation)
    True
    """

    __slots__ = ()


class GradientTransformationExtraArgs(GradientTransformation):
    """A pair of functions whose ``update`` also takes keywords, such as ``value``."""

    __slots__ = ()


def with_extra_args_support(tx: GradientTransformation) -> GradientTransformation:
    """The transformation, with an ``update`` that takes any keyword.

    >>> from gdlab.interop import optax
    >>> optax.with_extra_args_support(optax.sgd(0.1))  # gdlab's take them as they are
    sgd(0.1)
    """
    if isinstance(tx, GradientTransformationExtraArgs):
        return tx

    def update(
        updates: Updates, state: OptState, params: Params | None = None, **_: Leaf
    ) -> tuple[Updates, OptState]:
        return tx.update(updates, state, params)

    return GradientTransformationExtraArgs(tx.init, update)


class EmptyState(NamedTuple):
    """The state of a transformation without state."""


def init_empty_state(params: Params) -> EmptyState:  # noqa: ARG001
    """The empty state, whatever the parameters are."""
    return EmptyState()
