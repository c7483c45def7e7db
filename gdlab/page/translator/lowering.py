"""The translation of a jaxpr to the intermediate form, one equation after another."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from gdlab.page.translator.ir import Graph, Value

Handle = Callable[["Lowering", JaxprEqn, list[Value]], Value | Sequence[Value]]


class Rule(NamedTuple):
    """The translation of a primitive."""

    handle: Handle
    """The function from the arguments of an equation to its results."""
    folded: bool
    """True if JAX evaluates the primitive when all arguments are constants."""


RULES: dict[str, Rule] = {}
"""The rule of each primitive that has a translation, by the name of the primitive."""

_DTYPES = frozenset(
    np.dtype(name) for name in ("bool", "int32", "int64", "uint32", "uint64", "float32", "float64")
)

LARGEST_ARRAY = 2**22
"""The largest number of elements of an array on a page."""
MOST_PRODUCTS = 2**24
"""The largest number of products in one sum of products, such as a matrix product, on a page."""

_OTHERS = (
    *(str(Path(package.__file__).parent) for package in (jax, np) if package.__file__),
    str(Path(__file__).parents[1]),
)
"""The folders of JAX, NumPy and this package, which do not contain the user's code."""


def rule(*names: str, folded: bool = False) -> Callable[[Handle], Handle]:
    """Register a function as the rule of some primitives.

    Args:
        names: the names of the primitives.
        folded: True to have JAX evaluate them where all arguments are constants.
    """

    def register(handle: Handle) -> Handle:
        RULES.update(dict.fromkeys(names, Rule(handle, folded)))
        return handle

    return register


class Lowering:
    """Writes equations into the current block of a graph.

    Args:
        graph: the graph to which statements are added.
        subject: the name of the translated function, for messages.
        calls: jaxprs that exist as functions of the program, each with a function that calls it.
    """

    def __init__(
        self,
        graph: Graph,
        subject: str,
        calls: Sequence[tuple[ClosedJaxpr, Callable[..., Value]]] = (),
    ):
        self.graph = graph
        self.subject = subject
        self.calls = calls
        self._around: list[JaxprEqn] = []

    def closed(self, jaxpr: ClosedJaxpr | Jaxpr, arguments: Iterable[Value]) -> list[Value]:
        """The results of a jaxpr for some arguments."""
        if isinstance(jaxpr, ClosedJaxpr):
            return self.open(jaxpr.jaxpr, [self.array(c) for c in jaxpr.consts], arguments)
        return self.open(jaxpr, (), arguments)

    def open(
        self, jaxpr: Jaxpr, constants: Iterable[Value], arguments: Iterable[Value]
    ) -> list[Value]:
        """The results of a jaxpr whose constants are given beside its arguments."""
        values: dict[Any, Value] = dict(zip(jaxpr.constvars, constants, strict=True))
        values.update(zip(jaxpr.invars, arguments, strict=True))

        def read(atom: Any) -> Value:
            if isinstance(atom, Literal):
                (aval,) = avals(atom)
                return self.graph.constant(atom.val, aval.dtype)
            return values[atom]

        for equation in jaxpr.eqns:
            results = self.equation(equation, [read(atom) for atom in equation.invars])
            values.update(zip(equation.outvars, results, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def equation(self, equation: JaxprEqn, arguments: list[Value]) -> Sequence[Value]:
        """The results of one equation."""
        name = equation.primitive.name
        own = RULES.get(name)
        if own is None:
            raise self.unsupported(equation, "has no translation to JavaScript")
        for dtype in (aval.dtype for aval in avals(*equation.invars, *equation.outvars)):
            if dtype not in _DTYPES and not jnp.issubdtype(dtype, jax.dtypes.prng_key):
                raise self.unsupported(equation, f"has {dtype} numbers, which it cannot have here")
        self._require_size(equation)
        if own.folded:
            numbers = [self.graph.known(argument) for argument in arguments]
            if all(number is not None for number in numbers):
                return self.evaluated(equation, numbers)
        self._around.append(equation)
        results = own.handle(self, equation, arguments)
        self._around.pop()
        return [results] if isinstance(results, Value) else results

    def _require_size(self, equation: JaxprEqn) -> None:
        size = max((aval.size for aval in avals(*equation.invars, *equation.outvars)), default=0)
        if size > LARGEST_ARRAY:
            raise self.too_large(equation, f"has an array of {size} numbers", LARGEST_ARRAY)

    def evaluated(self, equation: JaxprEqn, numbers: list[Any]) -> list[Value]:
        """The results of an equation between constants, as JAX computes them."""
        arrays = [jnp.asarray(number) for number in numbers]
        results = equation.primitive.bind(*arrays, **equation.params)
        many = equation.primitive.multiple_results
        return [self.array(result) for result in (results if many else [results])]

    def array(self, array: Any) -> Value:
        """A concrete array as constants; a PRNG key as its words."""
        if isinstance(array, jax.Array) and jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
            array = jax.random.key_data(array)
        return self.graph.constant(np.asarray(array))

    def unsupported(self, equation: JaxprEqn, why: str) -> NotImplementedError:
        """The error for an untranslatable equation, with its place in the user's code."""
        return NotImplementedError(
            f"{self.subject}: the primitive {equation.primitive.name!r}{self._place(equation)} "
            f"{why}; write it with arithmetic, elementary functions, indexing, loops or branches"
        )

    def too_large(self, equation: JaxprEqn, what: str, most: int) -> ValueError:
        """The error for an equation that would take more time and memory than a page should."""
        return ValueError(
            f"{self.subject}: the primitive {equation.primitive.name!r}{self._place(equation)} "
            f"{what}; a page takes at most {most}, so give the function less data"
        )

    def out_of_bounds(self, equation: JaxprEqn, index: int, length: int) -> IndexError:
        """The error for an index out of bounds, which JAX would silently clamp."""
        return IndexError(
            f"{self.subject}{self._place(equation)} reads index {index} of an axis of {length}"
        )

    def _place(self, equation: JaxprEqn) -> str:
        # A cached jaxpr has the place of its first caller; the enclosing equations have the right
        # one.
        places = map(_written_at, (equation, *reversed(self._around)))
        return next(filter(None, places), "")

    # Building blocks of rules.

    def elementwise(self, operation: str, *values: Value, dtype: Any = None) -> Value:
        """An operation on each element, in the dtype of the first value unless another is given."""
        return self.graph.elementwise(operation, values, dtype or values[0].dtype)

    def converted(self, value: Value, dtype: Any) -> Value:
        """The same numbers in another dtype."""
        dtype = np.dtype(dtype)
        known = self.graph.known(value)
        if known is not None:
            return self.graph.constant(known, dtype)
        if dtype == value.dtype:
            return value
        return self.graph.elementwise("convert", [value], dtype, (value.dtype.name,))

    def constant(self, number: Any, dtype: Any) -> Value:
        """A known scalar."""
        return self.graph.constant(np.asarray(number, dtype))


def avals(*atoms: Any) -> list[Any]:
    """The shapes and dtypes of some arguments or results of an equation."""
    return [atom.aval for atom in atoms]


def _written_at(equation: JaxprEqn) -> str:
    """The place in the user's code that became an equation."""
    traceback = getattr(equation.source_info, "traceback", None)
    for frame in traceback.frames if traceback is not None else ():
        here = str(frame.file_name)
        if not here.startswith(_OTHERS):
            return f" ({here}:{frame.line_num}, in {frame.function_name})"
    return ""
