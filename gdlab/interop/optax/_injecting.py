"""Hyperparameters in the state, where a script can read and assign them."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.authoring import TreeFunctions
from gdlab.core.axis import Axis
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.numerics import common_dtype, widen
from gdlab.core.rules import EVERYTHING
from gdlab.core.schedule import Schedule
from gdlab.core.static import Static
from gdlab.core.structure import Arguments, DType, Function, Params, Value
from gdlab.core.transformation import GradientTransformation, as_transformation, transformation
from gdlab.core.warning import warn_caller
from gdlab.interop.optax._base import StatefulSchedule


def inject_hyperparams(
    inner_factory: Callable[..., GradientTransformation],
    static_args: str | Iterable[str] = (),
    hyperparam_dtype: DType | None = None,
) -> Callable[..., GradientTransformation]:
    """Make a factory like ``inner_factory`` whose numbers are kept in the state.

    ``state.hyperparams["learning_rate"]`` reads and assigns the number; scheduled values are
    recomputed at each step. gdlab's own hyperparameters are data without this wrapper
    (:func:`gdlab.set_hyperparameters`).

    Args:
        inner_factory: a function that returns a transformation.
        static_args: the parameters of ``inner_factory`` that are not hyperparameters.
        hyperparam_dtype: the dtype of floating-point hyperparameters; by default the widest dtype
            of the parameters, and at least float32.

    Raises:
        ValueError: if ``static_args`` names an unknown parameter.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> tx = optax.inject_hyperparams(optax.sgd)(learning_rate=0.1)
    >>> state = tx.init(jnp.ones(1))
    >>> state.hyperparams["learning_rate"] = 0.5
    >>> tx.update(jnp.ones(1), state)[0]
    Array([-0.5], dtype=float32)
    """
    static = {static_args} if isinstance(static_args, str) else set(static_args)
    signature = inspect.signature(inner_factory)
    if unknown := static - set(signature.parameters):
        raise ValueError(
            f"static_args names {sorted(unknown)}, but the parameters of {inner_factory!r} are "
            f"{list(signature.parameters)}"
        )

    @functools.wraps(inner_factory, updated=())
    def injected(*args: Any, **kwargs: Any) -> GradientTransformation:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        kinds = {
            name: "structure" if name in static else _kind(inner_factory, name, value)
            for name, value in bound.arguments.items()
        }
        of = lambda kind: {n: v for n, v in bound.arguments.items() if kinds[n] == kind}  # noqa: E731
        numbers = of("number") | of("schedule")
        dtypes = {name: _dtype(value, hyperparam_dtype) for name, value in numbers.items()}
        call = _Call(inner_factory, of("structure"), of("stateful"), dtypes)
        return inject(call, numbers, tuple(of("schedule")))

    return injected


def inject_stateful_hyperparams(
    inner_factory: Callable[..., GradientTransformation],
    static_args: str | Iterable[str] = (),
    hyperparam_dtype: DType | None = None,
) -> Callable[..., GradientTransformation]:
    """The deprecated name of :func:`inject_hyperparams`.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> optax.inject_hyperparams(optax.sgd)(0.1).init(jnp.ones(1)).hyperparams
    {'learning_rate': Array(0.1, dtype=float32)}
    """
    warn_caller(
        "inject_stateful_hyperparams is deprecated; use inject_hyperparams",
        DeprecationWarning,
    )
    return inject_hyperparams(inner_factory, static_args, hyperparam_dtype)


class _Call:
    """A factory with its structural arguments, as a function of the numbers."""

    def __init__(
        self,
        factory: Function,
        arguments: Arguments,
        stateful: Arguments,
        dtypes: Mapping[str, str | None],
    ):
        self.factory = factory
        self.stateful: dict[str, StatefulSchedule] = dict(stateful)
        self.dtypes = dict(dtypes)
        self._given = Static(arguments)

    def __call__(self, numbers: Mapping[str, Value]) -> GradientTransformation:
        arguments = self._given.values | dict(numbers)
        signature = inspect.signature(self.factory)
        ordered = {name: arguments[name] for name in signature.parameters if name in arguments}
        bound = inspect.BoundArguments(signature, ordered)  # type: ignore[arg-type]
        return as_transformation(self.factory(*bound.args, **bound.kwargs))

    def converted(self, numbers: Mapping[str, Value], params: Params) -> dict[str, jax.Array]:
        """The numbers in the dtypes in which the state keeps them."""
        widest = common_dtype(jax.tree.leaves(params))
        return {
            name: jnp.asarray(value, self.dtypes.get(name) or widest)
            for name, value in numbers.items()
        }

    def _identity(self) -> tuple[Value, ...]:
        stateful, dtypes = (tuple(given.items()) for given in (self.stateful, self.dtypes))
        return self.factory, self._given, stateful, dtypes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Call) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        return getattr(self.factory, "__name__", repr(self.factory))


def _kind(factory: Function, name: str, value: Value) -> str:
    """The kind of an argument: "number", "schedule", "stateful" or "structure"."""
    own = getattr(factory, "factory", None)
    is_number = own is None or (name in own.data and own.data[name].number)
    if isinstance(value, bool | type) or not is_number:
        return "structure"
    if isinstance(value, int | float | jax.Array | np.ndarray | Axis):
        return "number"
    if isinstance(value, Schedule):
        return "schedule"
    if isinstance(value, StatefulSchedule):
        return "stateful"
    return "schedule" if callable(value) else "structure"


def _dtype(value: Value, wanted: DType | None) -> str | None:
    if isinstance(value, int) or (
        isinstance(value, jax.Array | np.ndarray) and not getattr(value, "weak_type", False)
    ):
        return jnp.result_type(value).name
    return None if wanted is None else jnp.dtype(wanted).name


@transformation(
    reads=(EVERYTHING, "step"), slots=("hyperparams", "hyperparams_states", "inner_state")
)
def inject(
    call: Function, numbers: Mapping[str, Hyperparameter], scheduled: tuple[str, ...] = ()
) -> TreeFunctions:
    """Apply the transformation that a factory makes from the numbers in the state."""
    made = cast(_Call, call)

    def init(params):
        states = {name: schedule.init() for name, schedule in made.stateful.items()}
        values = {name: schedule(states[name]) for name, schedule in made.stateful.items()}
        values = made.converted(dict(numbers) | values, widen(params))
        return values, states, made(values).init(params)

    def update(updates, state, params, step, **extra):  # noqa: ARG001
        kept, states, inner_state = state
        now = {name: numbers[name] for name in scheduled}
        now |= {name: s(states[name], **extra) for name, s in made.stateful.items()}
        values = made.converted(kept | now, updates if params is None else params)
        new, inner_state = made(values).update(updates, inner_state, params, **extra)
        states = {name: s.update(states[name], **extra) for name, s in made.stateful.items()}
        return new, (values, states, inner_state)

    return init, update
