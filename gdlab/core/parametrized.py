"""A value that remembers the call that made it, and is a pytree of the numbers in that call.

Optimizers, schedules and joins are all made alike: an author writes an ordinary function with
annotated parameters, and a decorator turns its calls into :class:`Parametrized` values. What is
annotated as data (a :data:`~gdlab.Hyperparameter`, a transformation, a schedule) becomes a child
of the pytree under the parameter's own name; everything else is structure.
"""

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, Self, TypeVar

import jax

from gdlab.core.annotations import data_parameters
from gdlab.core.axis import is_axis
from gdlab.core.representation import represent
from gdlab.core.static import Static
from gdlab.core.structure import stands_for_one


class Factory:
    """What a decorator knows about an author's function: its signature, and what is data."""

    def __init__(
        self,
        function: Callable[..., Any],
        made: type["Parametrized"],
        adapt: Callable[["Factory", Any], Any],
    ):
        self.function = function
        self.made = made
        self.adapt = adapt
        self.name = function.__name__
        self.signature = inspect.signature(function)
        self.parameters = self.signature.parameters
        self.data = data_parameters(function)
        # A variadic parameter goes by the factory's name: `chain.0.max_norm`.
        self.keys = tuple(
            jax.tree_util.GetAttrKey(
                self.name
                if self.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
                else name
            )
            for name in self.data
        )
        self.public: Callable[..., Any] = function  # the decorated function, once it exists

    def make(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> "Parametrized":
        """What a call of the public factory returns."""
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None
        bound.apply_defaults()
        children = [self.convert(name, bound.arguments[name]) for name in self.data]
        structure = {
            name: value for name, value in bound.arguments.items() if name not in self.data
        }
        for name, value in structure.items():
            if any(is_axis(node) for node in jax.tree.leaves(value, is_leaf=is_axis)):
                raise TypeError(
                    f"{self.name}: argument {name!r} is structure, which is compiled in: it cannot "
                    f"be an Axis, as {value!r}; make an optimizer for each of its values"
                )
        made = self.made._build(self, tuple(children), Static(structure))
        made._check()
        return made

    def convert(self, name: str, value: Any) -> Any:
        """A user's value of the parameter ``name``, as it is stored."""
        try:
            return self.data[name].convert(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self.name}: argument {name!r}: {error}") from None


class Parametrized:
    """Base of everything that a decorated factory makes."""

    __slots__ = ("__weakref__", "_children", "_factory", "_structure")
    _stands_for_one = True
    _keeps_time = True
    _factory: Factory
    _children: tuple[Any, ...]
    _structure: Static

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        jax.tree_util.register_pytree_with_keys(
            cls,
            lambda made: (
                tuple(zip(made._factory.keys, made._children, strict=True)),
                (made._factory, made._structure),
            ),
            lambda aux, children: cls._build(aux[0], tuple(children), aux[1]),
            lambda made: (made._children, (made._factory, made._structure)),
        )

    @classmethod
    def _build(cls, factory: Factory, children: tuple[Any, ...], structure: Static) -> Self:
        # Nothing is converted or checked here: JAX unflattens with tracers, None and sentinels.
        made = object.__new__(cls)
        made._factory, made._children, made._structure = factory, children, structure
        return made

    def _check(self) -> None:
        """Raise what can be seen to be wrong when the value is made."""

    def _arguments(self) -> dict[str, Any]:
        data = zip(self._factory.data, self._children, strict=True)
        return self._structure.values | dict(data)

    def _map_numbers(self, function: Callable[[Any], Any]) -> Self:
        """Apply ``function`` to each number, schedule and axis among this value's own arguments.

        Those of a join within it are its own as well; those of a transformation or a schedule
        within it are not: they keep time themselves.
        """

        def within(part: Any) -> Any:
            own = isinstance(part, Parametrized) and not part._keeps_time
            return part._map_numbers(function) if own else part

        return self._map(function, within)

    def _map_parts(self, function: Callable[[Any], Any]) -> Self:
        """Apply ``function`` to each transformation, schedule and join among the arguments."""
        return self._map(lambda number: number, function)

    def _map(self, to_number: Callable[[Any], Any], to_part: Callable[[Any], Any]) -> Self:
        children = [
            jax.tree.map(to_number if data.number else to_part, child, is_leaf=stands_for_one)
            for data, child in zip(self._factory.data.values(), self._children, strict=True)
        ]
        return self._build(self._factory, tuple(children), self._structure)

    def _open(self) -> Any:
        """Call the author's function with the arguments that this value holds."""
        arguments = self._arguments()
        positional: list[Any] = []
        keyword = {}
        for name, parameter in self._factory.parameters.items():
            value = arguments[name]
            value = value.unwrap() if hasattr(value, "unwrap") else value
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional.extend(value)
            elif parameter.kind is parameter.KEYWORD_ONLY:
                keyword[name] = value
            else:
                positional.append(value)
        return self._factory.function(*positional, **keyword)

    def __repr__(self) -> str:
        arguments = self._arguments()
        written = []
        for name, parameter in self._factory.parameters.items():
            value = arguments[name]
            if parameter.kind is parameter.VAR_POSITIONAL:
                written.extend(represent(item) for item in value)
            elif parameter.default is parameter.empty:
                written.append(represent(value))
            elif represent(value) != self._represented_default(name):
                written.append(f"{name}={represent(value)}")
        return f"{self._factory.name}({', '.join(written)})"

    def _represented_default(self, name: str) -> str:
        default = self._factory.parameters[name].default
        if name in self._factory.data:
            default = self._factory.convert(name, default)
        return represent(default)

    def __reduce__(self) -> tuple[Any, ...]:
        # By the public factory's name, so that copies and other processes agree on what it is.
        return _rebuild, (self._factory.public, self._children, self._structure.values)


P = ParamSpec("P")
T = TypeVar("T", bound=Parametrized)


def parametrized(
    made: type[T],
    function: Callable[P, Any],
    adapt: Callable[[Factory, Any], Any] = lambda _, returned: returned,
) -> Callable[P, T]:
    """Turn an author's function into a factory of ``made``, called with the same arguments.

    ``adapt(factory, returned)`` makes what the author's function returns into what is used.
    """
    factory = Factory(function, made, adapt)

    @functools.wraps(function)
    def public(*args: P.args, **kwargs: P.kwargs) -> T:
        return typing.cast(T, factory.make(args, kwargs))

    public.factory = factory  # type: ignore[attr-defined]
    factory.public = public
    return public


def _rebuild(public: Any, children: tuple[Any, ...], structure: dict[str, Any]) -> Parametrized:
    return public.factory.made._build(public.factory, children, Static(structure))
