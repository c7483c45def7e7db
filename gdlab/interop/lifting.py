"""Factories of other libraries as gdlab's own: their numbers become leaves.

The values given decide what is a number: see :func:`lift`. What is none is held by a
:class:`Constant`, a node of the pytree without leaves, so that one factory serves all calls.
"""

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Collection, Sequence
from typing import Annotated, Any, NamedTuple, ParamSpec

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gdlab.core.annotations import Data
from gdlab.core.authoring import open_tree_rule
from gdlab.core.axis import Axis
from gdlab.core.by_leaf import ByLeaf
from gdlab.core.hyperparameter import as_hyperparameter
from gdlab.core.opening import Declaration
from gdlab.core.parametrized import Factory
from gdlab.core.representation import represent
from gdlab.core.rules import EVERYTHING
from gdlab.core.schedule import Schedule
from gdlab.core.static import Static
from gdlab.core.structure import Arguments, Function, Value, is_argument, is_container
from gdlab.core.transformation import GradientTransformation, with_known_keywords

P = ParamSpec("P")
NEEDS_A_VALUE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)
"""The errors of Python code that asks for the value of what is traced."""


def lift(
    factory: Callable[P, Value],
    *,
    numbers: str | Sequence[str] = (),
    structure: str | Sequence[str] = (),
) -> Callable[P, GradientTransformation]:
    """Make a factory of another library one of gdlab's, whose numbers are leaves.

    The numbers among its arguments, and the transformations of gdlab, become leaves: they can be
    swept, scheduled and differentiated, and other values do not compile anew. A schedule may stand
    for each of them, also where the factory knows of none: gdlab counts the steps and hands over
    the value of the step. Flags, strings, dtypes, functions and ``None`` are structure.

    A value is a number if it is a float, an array of them, a :class:`~gdlab.Schedule` or an
    :class:`~gdlab.Axis`, wherever it is given; in a list or a dictionary each is taken by itself.
    An integer, or any function as a schedule, is a number where the default or the annotation of
    the parameter says that numbers stand there, as in ``learning_rate: float``. Of a parameter
    that is an integer by its annotation, an axis or a schedule is handed over in integers.

    Args:
        factory: a function, or a class, whose calls return a pair ``(init, update)``, such as
            ``optax.lion``; or a transformation of gdlab.
        numbers: names of parameters whose integers and functions are numbers and schedules too.
        structure: names of parameters whose numbers are structure. A number by whose value the
            factory decides in Python, as in ``if momentum > 0``, has to be.

    Returns:
        A factory of the same name, signature and documentation. What is kept by the pair that it
        makes stands in the state under its name.

    Raises:
        TypeError: if ``factory`` cannot be called; and from a call, if the factory returns no pair
            or decides in Python by the value of a number, with the name of its parameter.
        ValueError: if a name is not that of a parameter.

    >>> import jax, jax.numpy as jnp, optax
    >>> from gdlab import Axis, hyperparameters, linear_schedule, sweep
    >>> from gdlab.interop import lift
    >>> lion = lift(optax.lion)
    >>> tx = lion(3e-2, b1=linear_schedule(0.5, 0.9, 100))
    >>> tx
    lion(0.03, b1=linear_schedule(0.5, 0.9, 100.0))
    >>> list(hyperparameters(tx))[:3]
    ['learning_rate', 'b1', 'b1.init_value']
    >>> rates = Axis("learning_rate", [0.01, 0.1, 1.0])
    >>> sweep(lambda w: jnp.sum(w**2), jnp.ones(2), lion(rates), steps=20).best()
    {'learning_rate': 0.1..., 'final_loss': 0.080...}
    """
    if not callable(factory):
        raise TypeError(f"lift takes a function that makes a pair (init, update), not {factory!r}")
    numbers, structure = _names(numbers), _names(structure)
    if isinstance(getattr(factory, "factory", None), Factory):
        if numbers or structure:
            raise ValueError(f"{factory!r} is a factory of gdlab: its annotations say what is data")
        return factory
    return _lifted(factory, numbers, structure)


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


@functools.cache
def _lifted(factory: Function, numbers: tuple[str, ...], structure: tuple[str, ...]) -> "Lifted":
    # One for each factory, so that optimizers made by it here and there are equal.
    return Lifted(factory, numbers, structure)


class Lifted:
    """A factory that was lifted, which is pickled as the call of :func:`lift` that made it."""

    def __init__(self, foreign: Function, numbers: tuple[str, ...], structure: tuple[str, ...]):
        functools.update_wrapper(self, foreign)
        self.foreign = foreign
        self.numbers = numbers
        self.structure = structure
        self.name: str = getattr(foreign, "__name__", None) or type(foreign).__name__
        self.roles = Roles(self.name, foreign, numbers, structure)
        declared = Declaration(open_tree_rule, reads=(EVERYTHING,))
        self.factory = Factory(self._author(), LiftedTransformation, declared)
        self.factory.public = self

    def __call__(self, *args: Value, **kwargs: Value) -> GradientTransformation:
        """The transformation that the foreign factory makes of these arguments."""
        return self.factory.make(args, kwargs)  # type: ignore[return-value]

    def __reduce__(self) -> tuple[Value, ...]:
        return _lifted, (self.foreign, self.numbers, self.structure)

    def __repr__(self) -> str:
        options = {"numbers": self.numbers, "structure": self.structure}
        written = "".join(
            f", {name}={represent(value)}" for name, value in options.items() if value
        )
        return f"lift({self.name}{written})"

    def _author(self) -> Function:
        """The function of an author of gdlab: it returns what the foreign factory makes."""

        def author(*args: Value, **kwargs: Value) -> Value:
            return Call(self, args, kwargs).functions()

        author.__name__ = self.name
        author.__doc__ = self.__doc__
        author.__signature__ = self.roles.signature  # type: ignore[attr-defined]
        author.__annotations__ = {
            name: Annotated[Any, Data(functools.partial(self._convert, name), number=True)]
            for name in self.roles.signature.parameters
        }
        for name, parameter in self.roles.signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                data = Data(self._convert_all, number=True, together=True)
                author.__annotations__[name] = Annotated[Any, data]
        return author

    def _convert(self, name: str, value: Value) -> Value:
        return as_argument(value, self.roles.of(name))

    def _convert_all(self, values: Arguments) -> dict[str, Value]:
        return {name: self._convert(name, value) for name, value in values.items()}


class LiftedTransformation(GradientTransformation):
    """What a lifted factory makes: a transformation with constants among its arguments."""

    __slots__ = ()

    def called_with(self, arguments: Arguments) -> Value:
        """The return value of the author's function for these arguments."""
        return super().called_with({name: _held(value) for name, value in arguments.items()})

    def __getattr__(self, name: str) -> Value:
        return _held(super().__getattr__(name))

    def map_parts(self, function: Callable[[Value], Value]) -> "LiftedTransformation":
        """Apply ``function`` to each transformation among the arguments."""
        children = [jax.tree.map(function, child, is_leaf=is_argument) for child in self.children]
        return self.build(self.factory, tuple(children), self.structure)


# --- The arguments, as they are stored


class Constant:
    """A value that is structure where a number could stand: a node of a pytree without leaves."""

    __slots__ = ("held", "structure")

    def __init__(self, value: Value):
        self.structure = Static({"value": value})
        copied = self.structure.values["value"]
        # A dtype is compared by its name, and handed over as it was written.
        self.held: Value = value if isinstance(copied, str) else copied

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self.structure == other.structure

    def __hash__(self) -> int:
        return hash(self.structure)

    def __repr__(self) -> str:
        return represent(self.structure.values["value"])


jax.tree_util.register_pytree_node(Constant, lambda node: ((), node), lambda node, _: node)


def _held(value: Value) -> Value:
    """An argument with the constants in it as the values that they hold."""
    is_one = lambda node: isinstance(node, Constant) or is_argument(node)  # noqa: E731
    unwrapped = lambda node: node.held if isinstance(node, Constant) else node  # noqa: E731
    return jax.tree.map(unwrapped, value, is_leaf=is_one)


class Role(NamedTuple):
    """What stands in the place of a parameter."""

    is_structure: bool = False
    """True if even numbers are structure."""
    takes_schedules: bool = False
    """True if functions are schedules."""
    takes_integers: bool = False
    """True if integers are numbers."""
    is_integer: bool = False
    """True if numbers are handed over as integers."""


NUMBER = Role(takes_schedules=True, takes_integers=True)


class Roles:
    """The roles of the parameters of a foreign factory."""

    def __init__(
        self, name: str, foreign: Function, numbers: tuple[str, ...], structure: tuple[str, ...]
    ):
        self.signature = inspect.signature(foreign)
        parameters = self.signature.parameters
        hints = _hints(foreign)
        self.known = {
            key: _role(hints.get(key, parameter.annotation), parameter.default)
            for key, parameter in parameters.items()
        }
        self.rest = next(
            (role for key, role in self.known.items() if _is_rest(parameters[key])), None
        )
        for key in (*numbers, *structure):
            if key not in parameters and self.rest is None:
                raise ValueError(f"{name} has no parameter {key!r}; it has {', '.join(parameters)}")
            if key in numbers and key in structure:
                raise ValueError(f"{name}: {key!r} is either among numbers or structure")
        self.known |= dict.fromkeys(numbers, NUMBER)
        self.known |= dict.fromkeys(structure, Role(is_structure=True))

    def of(self, name: str) -> Role:
        """The role of an argument; what no parameter is named after is one of the rest."""
        return self.known.get(name) or self.rest or Role()


def _is_rest(parameter: inspect.Parameter) -> bool:
    return parameter.kind is parameter.VAR_KEYWORD


def _hints(foreign: Function) -> dict[str, Any]:
    try:
        return typing.get_type_hints(foreign.__init__ if inspect.isclass(foreign) else foreign)
    except Exception:  # annotations of others may name what only their type checker knows
        return {}


def _role(hint: object, default: object) -> Role:
    of_floats, of_integers = _admits(hint, (float, np.floating)), _admits(hint, (int, np.integer))
    is_count = isinstance(default, int) and not isinstance(default, bool)
    if of_integers and (is_count or not of_floats):
        return Role(is_integer=True)
    if not of_floats and not _is_inexact(default):
        return Role()
    # An optional integer is rather a seed or a size.
    return NUMBER._replace(takes_integers=not (of_integers and default is None))


def _admits(hint: object, wanted: tuple[type, ...]) -> bool:
    """Tell whether an annotation names one of these types, alone or in a union."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType, Annotated):
        return any(_admits(part, wanted) for part in typing.get_args(hint))
    return isinstance(hint, type) and issubclass(hint, wanted)


def as_argument(value: Value, role: Role) -> Value:
    """A user's argument as it is stored: numbers and transformations as such, the rest constant."""
    if value is None or isinstance(value, Constant):
        return value
    if role.is_structure:
        return _constant(value)
    if isinstance(value, GradientTransformation | ByLeaf):
        return value
    if _is_number(value, role):
        number = as_hyperparameter(value)
        return _whole(number) if role.is_integer else number
    if not is_container(value) or _is_pair(value):
        return Constant(value)
    is_one = lambda node: is_argument(node) or isinstance(node, Constant) or _is_pair(node)  # noqa: E731
    nodes = jax.tree.leaves(value, is_leaf=is_one)
    if any(is_argument(node) or _is_number(node, role) for node in nodes):
        return jax.tree.map(lambda node: as_argument(node, role), value, is_leaf=is_one)
    return Constant(value)


def _constant(value: Value) -> Constant:
    for node in jax.tree.leaves(value, is_leaf=is_argument):
        if is_argument(node):
            raise TypeError(
                f"it is structure, which is compiled in, and cannot be {node!r}; make an optimizer "
                "for each of its values"
            )
    return Constant(value)


def _is_number(value: object, role: Role) -> bool:
    if isinstance(value, Schedule | Axis | Tracer):
        return True
    if isinstance(value, bool | np.bool_ | str | bytes | type | np.dtype):
        return False
    if _is_inexact(value):
        return not role.is_integer or isinstance(value, jax.Array)
    if isinstance(value, int | np.integer):
        return role.takes_integers
    return role.takes_schedules and callable(value) and not _is_pair(value)


def _is_inexact(value: object) -> bool:
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return jnp.issubdtype(value.dtype, jnp.floating)
    return isinstance(value, float)


def _whole(number: Value) -> Value:
    """A number in the place of an integer, which must not have a fraction."""
    values = number.values if isinstance(number, Axis) else number
    if not isinstance(values, Schedule | Tracer) and np.any(np.asarray(values) % 1):
        raise ValueError(
            f"expected integers, not {number!r}; with numbers=(…) lift takes fractions there"
        )
    return number


def _is_pair(value: object) -> bool:
    return callable(getattr(value, "init", None)) and callable(getattr(value, "update", None))


# --- The call of the foreign factory


class Call:
    """A call of a foreign factory, with the numbers in force."""

    def __init__(self, lifted: Lifted, args: tuple[Value, ...], kwargs: dict[str, Value]):
        self.lifted = lifted
        self.keywords = tuple(kwargs)
        positional = []
        for name, parameter in lifted.roles.signature.parameters.items():
            is_variadic = parameter.kind is parameter.VAR_POSITIONAL
            positional += [name] * (len(args) if is_variadic else 1)
        self.names: list[str] = [*positional[: len(args)], *kwargs]
        values = (*args, *kwargs.values())
        self.values = [self._handed_over(n, v) for n, v in zip(self.names, values, strict=True)]
        self.made: Value = self._attempt(lambda made: made)

    def functions(self) -> Value:
        """The pair ``(init, update)`` of the call as gdlab opens it, or a transformation of it."""
        if isinstance(self.made, GradientTransformation):
            return self.made

        def init(params):
            return self._attempt(lambda pair: pair[0](params), self.made)

        def update(updates, state, *, params, **extra):
            def updated(pair):
                return with_known_keywords(pair[1])(updates, state, params=params, **extra)

            return self._attempt(updated, self.made)

        return init, update

    def _attempt(self, use: Function, made: Value = None) -> Value:
        """``use(made)``, or an error that names the arguments by whose values Python decides."""
        try:
            return use(self._pair() if made is None else made)
        except NEEDS_A_VALUE as error:
            names = self._decisive(use)
            if not names:
                raise
            raise TypeError(self._advice(names)) from error

    def _pair(self, constants: Collection[str] = ()) -> Value:
        """The return value of the factory, with some number for these arguments if traced."""
        values = [
            jax.tree.map(_some_value, value, is_leaf=is_argument) if name in constants else value
            for name, value in zip(self.names, self.values, strict=True)
        ]
        first = len(values) - len(self.keywords)
        keywords = dict(zip(self.keywords, values[first:], strict=True))
        made = self.lifted.foreign(*values[:first], **keywords)
        if isinstance(made, GradientTransformation):
            return made
        if _is_pair(made):
            return made.init, made.update
        if isinstance(made, tuple) and len(made) == 2 and all(map(callable, made)):
            return made
        raise TypeError(f"{self.lifted.name} returned {made!r}, which is no pair (init, update)")

    def _decisive(self, use: Function) -> list[str]:
        """The names of the arguments whose values are asked for, found by trying each alone."""
        traced = [
            name
            for name, value in zip(self.names, self.values, strict=True)
            if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(value))
        ]

        def fails(constants: Collection[str]) -> bool:
            try:
                use(self._pair(constants))
            except NEEDS_A_VALUE:
                return True
            except Exception:  # of the numbers that stand in for those that are traced
                return False
            return False

        if fails(traced):
            return []
        return [name for name in traced if fails(set(traced) - {name})] or traced

    def _advice(self, names: list[str]) -> str:
        told = (*self.lifted.structure, *names)
        listed = " and ".join(map(repr, names))
        return (
            f"{self.lifted.name} decides in Python by the value of {listed}, which is not known "
            "while the step is traced, such as a branch or a conversion to a Python number. "
            f"lift({self.lifted.name}, structure={represent(told)}) compiles the value in; then it "
            "is not swept, scheduled or differentiated"
        )

    def _handed_over(self, name: str, value: Value) -> Value:
        """An argument as the factory is to get it."""
        is_integer = self.lifted.roles.of(name).is_integer
        optax = sys.modules.get("optax") if _is_of("optax", self.lifted.foreign) else None

        def handed_over(node: Value) -> Value:
            if isinstance(node, GradientTransformation) and optax is not None:
                # Of any other class optax's wrappers drop the keywords.
                return optax.GradientTransformationExtraArgs(node.init, node.update)
            if is_integer and isinstance(node, float | jax.Array):
                return jnp.round(node).astype(int) if isinstance(node, jax.Array) else int(node)
            return node

        return jax.tree.map(handed_over, value, is_leaf=is_argument)


def _is_of(library: str, function: Function) -> bool:
    return str(getattr(function, "__module__", "")).partition(".")[0] == library


def _some_value(leaf: Value) -> Value:
    """A number in the place of one that is traced."""
    if not isinstance(leaf, Tracer):
        return leaf
    value = np.full(leaf.shape, 0.5 if jnp.issubdtype(leaf.dtype, jnp.inexact) else 1, leaf.dtype)
    return value if leaf.shape else value.item()
