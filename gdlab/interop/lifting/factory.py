"""Foreign factories lifted to gdlab factories."""

import functools
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ParamSpec

import jax

from gdlab.checks.checked import checked
from gdlab.core.annotations import Data
from gdlab.core.authoring import open_tree_rule
from gdlab.core.opening import Declaration
from gdlab.core.parametrized import Factory
from gdlab.core.representation import represent
from gdlab.core.rules import EVERYTHING
from gdlab.core.structure import Arguments, Function, Value, is_argument
from gdlab.core.transformation import GradientTransformation
from gdlab.interop.lifting.arguments import as_argument, held
from gdlab.interop.lifting.call import Call
from gdlab.interop.lifting.roles import Roles, function_of

P = ParamSpec("P")


@checked
def lift(
    factory: Callable[P, Value],
    *,
    numbers: str | Sequence[str] = (),
    structure: str | Sequence[str] = (),
) -> Callable[P, GradientTransformation]:
    """Turn a factory of another library into a gdlab factory, whose numbers are leaves.

    The numbers and gdlab transformations among its arguments become leaves: they can be swept,
    scheduled and differentiated, and new values do not recompile. A schedule can replace each
    number, even if the factory does not support schedules: gdlab counts the steps and passes the
    value at the step. Flags, strings, dtypes, functions and ``None`` are structure.

    A float, an array of floats, a :class:`~gdlab.Schedule` or an :class:`~gdlab.Axis` always counts
    as a number; the elements of a list or a dictionary count separately. An integer counts as a
    number, and any function as a schedule, if the default or annotation of the parameter says so,
    as in ``learning_rate: float``. If the annotation is an integer, the values of an axis or a
    schedule are passed as integers.

    Args:
        factory: a function or class whose calls return a pair ``(init, update)``, such as
            ``optax.lion``, or a gdlab transformation.
        numbers: names of parameters whose integers count as numbers and whose functions as
            schedules.
        structure: names of parameters whose numbers are structure. This is needed if Python code of
            the factory depends on the value, as in ``if momentum > 0``.

    Returns:
        A factory with the same name, signature and documentation. The state of the foreign
        transformation is an entry of that name.

    Raises:
        TypeError: if ``factory`` is not callable. A call raises it if the factory does not return a
            pair, or if its Python code depends on the value of a number, which the message names.
        ValueError: if ``numbers`` or ``structure`` names an unknown parameter.

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
    # Cached, so that optimizers from separate calls of ``lift`` on one factory are equal.
    return Lifted(factory, numbers, structure)


class Lifted:
    """A lifted factory, pickled as the call of :func:`lift` that made it."""

    def __init__(self, foreign: Function, numbers: tuple[str, ...], structure: tuple[str, ...]):
        functools.update_wrapper(self, foreign, updated=())
        self.foreign = foreign
        self.numbers = numbers
        self.structure = structure
        self.name: str = getattr(function_of(foreign), "__name__", type(foreign).__name__)
        self.roles: Roles = Roles(self.name, foreign, numbers, structure)
        declared = Declaration(open_tree_rule, reads=(EVERYTHING,))
        self.factory: Factory = Factory(self._author(), LiftedTransformation, declared)
        self.factory.public = self

    def __call__(self, *args: Value, **kwargs: Value) -> GradientTransformation:
        """Make a transformation, as the foreign factory does from these arguments."""
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
        """The foreign factory in the form of a gdlab author's function."""

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
    """The return value of a lifted factory: a transformation with constants among its arguments."""

    __slots__ = ()

    def called_with(self, arguments: Arguments) -> Value:
        """The return value of the author's function for these arguments."""
        return super().called_with({name: held(value) for name, value in arguments.items()})

    def __getattr__(self, name: str) -> Value:
        return held(super().__getattr__(name))

    def map_parts(self, function: Callable[[Value], Value]) -> "LiftedTransformation":
        """Apply ``function`` to each transformation among the arguments."""
        children = [jax.tree.map(function, child, is_leaf=is_argument) for child in self.children]
        return self.build(self.factory, tuple(children), self.structure)
