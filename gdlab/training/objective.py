"""A user's loss, in the one form in which everything here calls it."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp


class ByIdentity:
    """A user's function, by whose identity programs are compiled and found again.

    It may be a callable object that cannot be compared or hashed.
    """

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Any]):
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns."""
        return self.function(*args, **kwargs)

    def __hash__(self) -> int:
        return id(self.function)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByIdentity) and self.function is other.function


@dataclasses.dataclass(frozen=True)
class Objective:
    """``fun(params[, batch][, key=…][, model_state=…][, **hyperparameters])``, what it returns.

    It returns the loss, a scalar; with ``has_aux`` the pair (loss, aux); if it carries model state
    (loss, model_state); with both (loss, (model_state, aux)). A parameter named ``key`` is given a
    fresh PRNG key at each step.
    """

    fun: ByIdentity
    has_batch: bool
    has_aux: bool
    has_state: bool

    def __call__(
        self,
        params: Any,
        batch: Any,
        key: jax.Array | None,
        model_state: Any,
        hyperparameters: Mapping[str, Any] = MappingProxyType({}),
    ) -> tuple[jax.Array, tuple[Any, Any]]:
        """(loss, (model_state, aux)) at ``params``."""
        keyword: dict[str, Any] = dict(hyperparameters)
        if self.takes_key:
            keyword["key"] = key
        if self.has_state:
            keyword["model_state"] = model_state
        value = self.fun(params, *([batch] if self.has_batch else []), **keyword)
        aux = None
        if self.has_aux and self.has_state:
            value, (model_state, aux) = value
        elif self.has_state:
            value, model_state = value
        elif self.has_aux:
            value, aux = value
        if (kind := _unlike_a_real_scalar(value)) is not None:
            raise TypeError(
                f"the loss must be a real scalar, but it {kind}"
                + ("" if self.has_aux else "; with has_aux=True it may return (loss, aux)")
            )
        return value, (model_state, aux)

    @property
    def has_no_side_results(self) -> bool:
        """Whether it returns the loss alone."""
        return not (self.has_aux or self.has_state)

    @property
    def takes_key(self) -> bool:
        """Whether the loss is random."""
        return "key" in inspect.signature(self.fun.function).parameters


def _unlike_a_real_scalar(value: Any) -> str | None:
    """What a value is instead of a real scalar, None if it is one."""
    if not jax.tree_util.all_leaves([value]):
        return f"is a {type(value).__name__}"
    shape, dtype = jnp.shape(value), jnp.result_type(value)
    if shape == () and jnp.issubdtype(dtype, jnp.floating):
        return None
    return f"has the shape {shape} and the dtype {dtype}"
