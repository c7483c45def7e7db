"""A user's loss with a uniform calling convention."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from gdlab.checks.user_functions import note_call
from gdlab.checks.values import is_array_of_numbers, shortened
from gdlab.core.returned import require_arrays_like
from gdlab.training.models import PLAIN, Form, ModelState


class ByIdentity:
    """A user's function as a static argument: programs are cached by the identity of the function.

    So the function may be a callable object that cannot be compared or hashed.

    Args:
        function: the function.
        keywords: keyword arguments that are compiled in, such as the width of a model; those that
            are not numbers or texts are compared by identity too.
    """

    __slots__ = ("_keywords_key", "function", "keywords")

    def __init__(
        self, function: Callable[..., Any], keywords: Mapping[str, Any] = MappingProxyType({})
    ):
        self.function: Callable[..., Any] = function
        self.keywords: Mapping[str, Any] = keywords
        self._keywords_key = tuple((name, *_key_of(keywords[name])) for name in sorted(keywords))

    @property
    def keywords_key(self) -> Hashable:
        """A hashable key that is equal for equal keyword arguments."""
        return self._keywords_key

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.function(*args, **self.keywords, **kwargs)

    def __hash__(self) -> int:
        return hash((id(self.function), self._keywords_key))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ByIdentity)
            and self.function is other.function
            and self._keywords_key == other._keywords_key
        )


def _key_of(value: Any) -> tuple[Hashable, ...]:
    """The type (since 1 equals True) and value of a plain value; the identity of any other."""
    if isinstance(value, bool | int | float | str):
        return type(value), value
    return (ByIdentity(value),)


@dataclasses.dataclass(frozen=True)
class Objective:
    """A loss ``fun(model[, batch][, key=…][, model_state=…][, **hyperparameters])``.

    It returns the loss, a scalar; with ``has_aux`` the pair (loss, aux); if it carries model state
    (loss, model_state); with both (loss, (model_state, aux)). A parameter named ``key`` is given a
    fresh PRNG key at each step.
    """

    fun: ByIdentity
    has_batch: bool
    has_aux: bool
    has_state: bool
    form: Form = PLAIN
    """The structure of the model, which is rebuilt from its arrays for each call."""
    name: str = "loss"
    """The name of the argument that holds the function, for messages."""
    arguments: tuple[str, str] = ("params", "batch")
    """The names of the function's arguments, for messages; the second only if there is a batch."""

    def __call__(
        self,
        params: Any,
        batch: Any,
        key: jax.Array | None,
        model_state: ModelState,
        hyperparameters: Mapping[str, Any] = MappingProxyType({}),
    ) -> tuple[jax.Array, tuple[ModelState, Any]]:
        """Return (loss, (model_state, aux)) at ``params``."""
        held, given = model_state
        keyword: dict[str, Any] = dict(hyperparameters)
        if self.takes_key:
            keyword["key"] = key
        if self.has_state:
            # A copy, since Equinox marks a state as used once a new one is derived from it.
            keyword["model_state"] = jax.tree.map(lambda leaf: leaf, given)
        batches = [batch] if self.has_batch else []
        self._require_callable(params, *batches, **keyword)
        try:
            value, held = self.form.call(
                lambda model: self.fun(model, *batches, **keyword), params, held, key
            )
        except Exception as error:
            of_shapes = f" with {self.arguments[1]} of {_shapes_of(batch)}" * self.has_batch
            note_call(error, f"{self._called_as(keyword)}{of_shapes}")
            raise
        aux = None
        if self.has_aux and self.has_state:
            form = "with a model_state and has_aux=True the loss must return (loss, (state, aux))"
            value, beside = _pair(form, value)
            new, aux = _pair(form, beside)
            given = _state_like(new, given)
        elif self.has_state:
            value, new = _pair("with a model_state the loss must return (loss, state)", value)
            given = _state_like(new, given)
        elif self.has_aux:
            value, aux = _pair("with has_aux=True the loss must return (loss, aux)", value)
        if not all(map(is_array_of_numbers, jax.tree.leaves(aux))):
            raise TypeError(f"aux must be a tree of arrays, not {shortened(aux)}")
        if (kind := _unlike_a_real_scalar(value)) is not None:
            pair = self.is_loss and not self.has_aux and isinstance(value, tuple | list)
            raise TypeError(
                f"{self.subject} must be a real scalar, but it {kind}"
                + ("; with has_aux=True it may return (loss, aux)" if pair else "")
            )
        return value, (ModelState(held, given), aux)

    @property
    def subject(self) -> str:
        """The function as the subject of a message."""
        return f"the {self.name}" if self.is_loss else self.name

    @property
    def is_loss(self) -> bool:
        """True if it is a loss by name, which may come with data and an auxiliary value."""
        return self.name == "loss"

    def _called_as(self, keyword: Mapping[str, Any]) -> str:
        given = ", ".join(self.arguments[: 1 + self.has_batch])
        names = "".join(f", {name}=…" for name in (*self.fun.keywords, *keyword))
        return f"{self.name}({given}{names})"

    def _require_callable(self, *arguments: Any, **keyword: Any) -> None:
        """Refuse a loss whose signature does not fit the call."""
        try:
            signature = inspect.signature(self.fun.function)
        except ValueError:  # a function in C may have no signature
            return
        try:
            signature.bind(*arguments, **self.fun.keywords, **keyword)
        except TypeError as error:
            advice = (
                ""
                if self.has_batch or not self.is_loss
                else "; with data it would be given a batch as well"
            )
            raise TypeError(
                f"{self.subject} is called as {self._called_as(keyword)}, which "
                f"{self.fun.function!r} does not take: {error}{advice}"
            ) from None

    @property
    def carries_state(self) -> bool:
        """True if there is a state beside the parameters that changes from step to step."""
        return self.has_state or self.form.carries_state

    @property
    def has_no_side_results(self) -> bool:
        """True if the function returns the loss alone."""
        return not (self.has_aux or self.carries_state)

    @property
    def takes_key(self) -> bool:
        """True if the loss has a parameter ``key`` that is not fixed by ``functools.partial``."""
        function = self.fun.function
        is_fixed = isinstance(function, functools.partial) and "key" in function.keywords
        return not is_fixed and "key" in inspect.signature(function).parameters

    def is_random(self, key: jax.Array | None) -> bool:
        """Tell whether the loss, or the model itself, draws random numbers from a key."""
        return self.takes_key or (self.form.may_draw and key is not None)


def require_state(model_state: Any) -> None:
    """Refuse a model state that is no tree of arrays, which alone steps hand on.

    Raises:
        TypeError: naming what else it holds.
    """
    for leaf in jax.tree.leaves(model_state):
        if not is_array_of_numbers(leaf):
            raise TypeError(f"model_state must be a tree of arrays, but has {shortened(leaf)}")


def _unlike_a_real_scalar(value: Any) -> str | None:
    """A description of a value that is not a real scalar; None if it is one."""
    if not jax.tree_util.all_leaves([value]):
        return f"is a {type(value).__name__}"
    if not is_array_of_numbers(value):
        return f"is {value!r}"
    shape, dtype = jnp.shape(value), jnp.result_type(value)
    if shape == () and jnp.issubdtype(dtype, jnp.floating):
        return None
    return f"has the shape {shape} and the dtype {dtype}"


def _shapes_of(batch: Any) -> str:
    return ", ".join(
        f"{getattr(leaf, 'dtype', type(leaf).__name__)}{list(jnp.shape(leaf))}"
        for leaf in jax.tree.leaves(batch)
    )


def _state_like(new: Any, before: Any) -> Any:
    return require_arrays_like("the state that the loss returns", new, "model_state", before)


def _pair(form: str, value: Any) -> tuple[Any, Any]:
    if not (isinstance(value, tuple | list) and len(value) == 2):
        raise TypeError(f"{form}, not {shortened(value)}")
    first, second = value
    return first, second
