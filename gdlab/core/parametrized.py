"""Parametrized values: pytrees of the numbers in the call of the factory that made them.

Optimizers, schedules and joins are all parametrized values. An author writes a function with
annotated parameters, and a decorator turns it into a factory of :class:`Parametrized` values. An
argument annotated as data (a :data:`~gdlab.Hyperparameter`, a transformation, a schedule) becomes a
child of the pytree under the name of its parameter; other arguments are structure.
"""

import functools
import inspect
from collections.abc import Callable, Hashable, Mapping
from typing import ClassVar, ParamSpec, Self, TypeVar

import jax

from gdlab.checks.checked import Signature
from gdlab.checks.located import located
from gdlab.core.annotations import Data, data_parameters, orders, readable
from gdlab.core.representation import represent
from gdlab.core.static import Static
from gdlab.core.structure import (
    Argument,
    Arguments,
    Function,
    Named,
    Number,
    Tree,
    Value,
    is_argument,
)

NOTHING = Static({})


class Factory:
    """An author's function with its signature, the parameters that are data, and declarations."""

    def __init__(self, function: Function, made: type["Parametrized"], declared: Value):
        if not callable(function):
            raise TypeError(
                f"function must be a function of annotated parameters, not {function!r}"
            )
        self.function = function
        self.made = made
        self.declared = declared
        self.name: str = function.__name__
        self.signature: inspect.Signature = inspect.signature(function)
        self.parameters: Mapping[str, inspect.Parameter] = self.signature.parameters
        self.data: dict[str, Data] = data_parameters(function)
        self.orders: tuple[tuple[str, str], ...] = orders(function)
        # A variadic parameter is named after the factory, as in the path `chain.0.max_norm`.
        self.keys: tuple[str, ...] = tuple(
            self.name if self.is_variadic(name) else name for name in self.data
        )
        self.tree_keys: tuple[Value, ...] = tuple(map(jax.tree_util.GetAttrKey, self.keys))
        self.structural: tuple[str, ...] = tuple(
            name for name in self.parameters if name not in self.data
        )
        self.public: Function = function  # the decorated function, once it exists
        taken = [name for name in self.data if hasattr(made, name)]
        if taken:
            raise TypeError(
                f"{self.name}: what is data cannot be called {taken[0]!r}: every {made.__name__} "
                "has an attribute of that name"
            )

    def is_variadic(self, name: str) -> bool:
        """Tell whether a parameter takes any number of arguments."""
        parameter = self.parameters[name]
        return parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)

    def make(self, args: tuple[Value, ...], kwargs: Arguments) -> "Parametrized":
        """Call the public factory: check and convert the arguments, and return the value."""
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None
        bound.apply_defaults()
        return self.make_from(bound.arguments)

    def make_from(self, arguments: Arguments) -> "Parametrized":
        """The value made from arguments that are given by the names of their parameters."""
        children = tuple([self.convert(name, arguments[name]) for name in self.data])
        if self.orders:
            self._require_orders(dict(zip(self.data, children, strict=True)))
        structure = NOTHING
        if self.structural:
            structure = Static({name: arguments[name] for name in self.structural})
            for name, value in structure.values.items():
                if value is not None and any(map(is_argument, _nodes(value))):
                    raise TypeError(
                        f"{self.name}: argument {name!r} is structure, which is compiled in: it "
                        f"cannot be {value!r}; make an optimizer for each of its values"
                    )
                # Defaults need no check; this saves time in a traced step, which makes parts anew.
                if value is not self.parameters[name].default:
                    self.checks.require_argument(name, value)
        made = self.made.build(self, children, structure)
        made._check()
        return made

    def convert(self, name: str, value: object) -> Value:
        """Convert a user's value of the parameter ``name`` into its stored form."""
        if isinstance(value, Named):
            value = value.by_name
        try:
            converted = self.data[name].convert(value)
        except (TypeError, ValueError) as error:
            raise located(error, f"{self.name}: argument {name!r}") from None
        if self.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            return Named(converted.items())
        return converted

    def _require_orders(self, converted: Arguments) -> None:
        for name, other in self.orders:
            number, least = converted[name], converted[other]
            # Schedules, axes and traced numbers cannot be compared yet.
            if isinstance(number, float) and isinstance(least, float) and number < least:
                raise ValueError(
                    f"{self.name}: {name!r} must be at least {other!r}, which is {least:g}, not "
                    f"{number:g}"
                )

    @functools.cached_property
    def checks(self) -> Signature:
        """The kinds of value that the parameters take."""
        return Signature(self.function, self.name)

    @functools.cached_property
    def defaults(self) -> dict[str, str]:
        """The default of each parameter that has one, as ``repr`` writes it."""
        written = {}
        for name, parameter in self.parameters.items():
            if parameter.default is not parameter.empty:
                default = parameter.default
                default = self.convert(name, default) if name in self.data else default
                written[name] = represent(default)
        return written


def _nodes(value: Tree) -> list[object]:
    return jax.tree.leaves(value, is_leaf=is_argument)


class Parametrized(Argument):
    """Base of everything that a decorated factory makes.

    The arguments are attributes: ``adam(0.1).learning_rate``. Two instances are equal if they were
    made by the same factory with equal arguments; arrays count as equal only if they are the same
    object.
    """

    __slots__ = ("__weakref__", "children", "factory", "structure")
    has_own_clock: ClassVar[bool] = True
    """True if it counts steps itself; False if its schedules follow the count of its owner."""
    depends_on_step: ClassVar[bool] = False
    """True if it is a function of the step that replaces a number, as schedules are."""
    factory: Factory
    children: tuple[Value, ...]
    structure: Static

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        jax.tree_util.register_pytree_with_keys(
            cls,
            lambda made: (
                tuple(zip(made.factory.tree_keys, made.children, strict=True)),
                (made.factory, made.structure),
            ),
            lambda aux, children: cls.build(aux[0], tuple(children), aux[1]),
            lambda made: (made.children, (made.factory, made.structure)),
        )

    @classmethod
    def build(cls, factory: Factory, children: tuple[Value, ...], structure: Static) -> Self:
        """Make an instance from stored children and structure, as JAX does when it unflattens.

        Nothing is converted or checked, since JAX unflattens with tracers, None and sentinels.
        """
        made = object.__new__(cls)
        made.factory, made.children, made.structure = factory, children, structure
        return made

    def _check(self) -> None:
        """Raise an error if the arguments are wrong, as far as this is known without a call."""

    def arguments(self) -> dict[str, Value]:
        """The stored arguments, by the names of their parameters."""
        return self.structure.values | dict(zip(self.factory.data, self.children, strict=True))

    def replace(self, **changes: Value) -> Self:
        """A copy with some arguments replaced, given by the names of their parameters.

        >>> from gdlab import adam
        >>> adam(1e-3).replace(learning_rate=1e-2, nesterov=True)
        adam(0.01, nesterov=True)
        """
        for name in changes:
            if name not in self.factory.parameters:
                known = ", ".join(self.factory.parameters)
                raise TypeError(f"{self.factory.name} has no argument {name!r}; it has {known}")
        return self.factory.make_from(self.arguments() | changes)  # type: ignore[return-value]

    def __getattr__(self, name: str) -> Value:
        if not name.startswith("_") and name not in Parametrized.__slots__:
            for key, child in zip(self.factory.keys, self.children, strict=True):
                if key == name:
                    return child
            if name in self.structure.values:
                return self.structure.values[name]
            raise AttributeError(
                f"{self.factory.name} has no attribute {name!r}; its arguments are "
                f"{', '.join((*self.factory.keys, *self.structure.values))}"
            )
        raise AttributeError(name)

    def called_with(self, arguments: Arguments) -> Value:
        """Call the author's function with these arguments."""
        positional: list[Value] = []
        keyword: dict[str, Value] = {}
        for name, parameter in self.factory.parameters.items():
            value = arguments[name]
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional.extend(value)
            elif parameter.kind is parameter.VAR_KEYWORD:
                keyword.update(value)
            elif parameter.kind is parameter.KEYWORD_ONLY:
                keyword[name] = value
            else:
                positional.append(value)
        return self.factory.function(*positional, **keyword)

    def map_numbers(self, function: Callable[[Value], Value]) -> Self:
        """Apply ``function`` to each number, schedule and axis among the arguments.

        The arguments of a join are included, those of a nested transformation are not.
        """

        def within(node: Value) -> Value:
            own = isinstance(node, Parametrized) and not node.has_own_clock
            return node.map_numbers(function) if own else node

        mapped = [
            jax.tree.map(function if data.number else within, child, is_leaf=is_argument)
            for data, child in zip(self.factory.data.values(), self.children, strict=True)
        ]
        return self.build(self.factory, tuple(mapped), self.structure)

    def map_parts(self, function: Callable[[Value], Value]) -> Self:
        """Apply ``function`` to each transformation, schedule and join among the arguments."""
        mapped = [
            child if data.number else jax.tree.map(function, child, is_leaf=is_argument)
            for data, child in zip(self.factory.data.values(), self.children, strict=True)
        ]
        return self.build(self.factory, tuple(mapped), self.structure)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return type(self) is type(other) and self._identity() == other._identity()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> Hashable:
        leaves, treedef = jax.tree.flatten(self)
        return treedef, tuple(_equal_when_equal(leaf) for leaf in leaves)

    def __repr__(self) -> str:
        arguments = self.arguments()
        written = []
        for name, parameter in self.factory.parameters.items():
            value = arguments[name]
            if parameter.kind is parameter.VAR_POSITIONAL:
                written.extend(represent(item) for item in value)
            elif parameter.kind is parameter.VAR_KEYWORD:
                written.extend(f"{key}={represent(item)}" for key, item in value)
            elif (
                parameter.default is parameter.empty
                and parameter.kind is not parameter.KEYWORD_ONLY
            ):
                written.append(represent(value))
            elif represent(value) != self.factory.defaults.get(name):
                written.append(f"{name}={represent(value)}")
        return f"{self.factory.name}({', '.join(written)})"

    def __reduce__(self) -> tuple[Value, ...]:
        # Refers to the public factory by name, so that copies and other processes share it.
        return _rebuild, (self.factory.public, self.children, self.structure.values)


M = TypeVar("M", bound=Parametrized)


def at_step(made: M, count: jax.typing.ArrayLike) -> M:
    """``made`` with each schedule among its own arguments replaced by its value at ``count``."""
    return made.map_numbers(lambda value: value(count) if is_schedule(value) else value)


def has_schedules(made: Parametrized) -> bool:
    """Tell whether an argument of ``made`` or of its joins is a schedule."""
    return any(map(is_schedule, own_arguments(made)))


def own_arguments(
    made: Parametrized, is_one: Callable[[object], bool] = is_argument
) -> list[Value]:
    """The arguments of ``made`` and of its joins: numbers, schedules, and other values."""
    found = []
    for child in made.children:
        if isinstance(child, float):
            found.append(child)  # the most frequent case, without a traversal
            continue
        for node in jax.tree.leaves(child, is_leaf=is_one):
            is_join = isinstance(node, Parametrized) and not node.has_own_clock
            found.extend(own_arguments(node, is_one) if is_join else [node])
    return found


def is_schedule(value: object) -> bool:
    """Tell whether a value is a schedule: a function of the step that replaces a number."""
    return isinstance(value, Parametrized) and value.depends_on_step


class _Same:
    """A key that is equal only to a key of the same object."""

    __slots__ = ("held",)

    def __init__(self, held: object):
        self.held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.held is other.held

    def __hash__(self) -> int:
        return id(self.held)


def _equal_when_equal(leaf: Number) -> Hashable:
    return (type(leaf), leaf) if isinstance(leaf, float | int | str) else _Same(leaf)


P = ParamSpec("P")
T = TypeVar("T", bound=Parametrized)


def parametrized(
    made: type[T], function: Callable[P, Value], declared: object = None
) -> Callable[P, T]:
    """Turn an author's function into a factory of the class ``made`` with the same parameters.

    Args:
        made: the class of the values that the factory returns.
        function: the author's function.
        declared: the declarations that the decorator got, such as ``reads`` and ``slots``.
    """
    factory = Factory(function, made, declared)

    @functools.wraps(function)
    def public(*args: P.args, **kwargs: P.kwargs) -> T:
        return factory.make(args, kwargs)  # type: ignore[return-value]

    public.factory = factory  # type: ignore[attr-defined]
    public.__annotations__ = function.__annotations__ | {"return": made}
    public.__signature__ = readable(factory.signature, made)  # type: ignore[attr-defined]
    factory.public = public
    return public


def _rebuild(
    public: Value, children: tuple[Value, ...], structure: dict[str, Value]
) -> Parametrized:
    return public.factory.made.build(public.factory, children, Static(structure))
