"""A function and an optimizer as JavaScript."""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr

from gdlab.checks.user_functions import called_as
from gdlab.checks.values import is_array_of_numbers
from gdlab.core.apply import apply_updates
from gdlab.core.structure import dotted
from gdlab.core.transformation import GradientTransformation, as_transformation
from gdlab.page.translator import primitives as _primitives  # registers the rules  # noqa: F401
from gdlab.page.translator.emit import Module
from gdlab.page.translator.ir import FEW_UNROLLED, UNROLLED, Block, Buffer, Call, Graph, Map, Value
from gdlab.page.translator.lowering import Lowering

RUNNER = """\
(program,problem)=>{
const{states,init,update}=program(problem),n=problem.dimension,slope=new Float64Array(n);
function flush(x){for(let i=0;i<x.length;i++)if(Math.abs(x[i])<2.2250738585072014e-308)x[i]*=0}
function step(h,w,s){
const v=problem.evaluate(w,slope);flush(slope);update(h,w,s,v,slope);flush(w);flush(s);return v}
function run(h,start,steps){
const w=Float64Array.from(start),s=new Float64Array(states);
const path=new Float64Array(n*(steps+1)),values=new Float64Array(steps+1);
init(h,w,s);path.set(w);
for(let t=0;t<steps;t++){values[t]=step(h,w,s);path.set(w,n*(t+1))}
values[steps]=problem.value(w);
return{path,values}}
return{states,init,step,run}}"""
"""A function of what a :class:`TranslatedOptimizer` and a :class:`TranslatedFunction` evaluate to;
it returns ``{states, init, step, run}``, as in :class:`Program`, and one serves all. What a step
hands on is flushed as XLA flushes it: subnormal numbers are 0."""


@dataclass(frozen=True)
class TranslatedFunction:
    """A function of a vector and its gradient."""

    javascript: str
    """An expression of an object ``{dimension, value(w), gradient(w, out), evaluate(w, out)}``;
    ``evaluate`` writes the gradient and returns the value."""
    dimension: int
    """The length of the vector."""
    value: Callable[[Any], Any]
    """The function, compiled."""
    gradient: Callable[[Any], Any]
    """Its gradient, compiled."""


@dataclass(frozen=True)
class TranslatedOptimizer:
    """An optimizer on one translated function."""

    javascript: str
    """An expression of a function of what the :class:`TranslatedFunction` evaluates to; it returns
    ``{states, init(h, w, s), update(h, w, s, value, gradient)}``, all but what :data:`RUNNER` adds;
    ``states`` is the length of ``s``."""
    hyperparameters: dict[str, float]
    """Path → value."""
    state: tuple[str, ...]
    """The names of the numbers in the state."""


@dataclass(frozen=True)
class Program:
    """An optimizer and the function that it minimises, as JavaScript."""

    function: TranslatedFunction
    """The function."""
    optimizer: TranslatedOptimizer
    """The optimizer."""

    @property
    def javascript(self) -> str:
        """An expression of an object, which imports nothing.

        - ``hyperparameters``: an array of ``{path, value}``;
        - ``state``: the names of the numbers in the state;
        - ``value(w)``, and ``gradient(w, out)``, which fills ``out``;
        - ``init(h, w, state)``, which fills ``state`` from the hyperparameters and the start;
        - ``step(h, w, state)``, which changes both and returns the value at ``w`` before;
        - ``run(h, start, steps)``: ``{path, values}`` with ``steps + 1`` points in a row.

        All arrays are of type ``Float64Array``.
        """
        listed = [{"path": path, "value": value} for path, value in self.hyperparameters.items()]
        return (
            f"(()=>{{const problem={self.function.javascript};\n"
            f"return Object.assign({{hyperparameters:{_escaped(listed)},"
            f"state:{_escaped(self.optimizer.state)}}},problem,"
            f"({RUNNER})({self.optimizer.javascript},problem))}})()"
        )

    @property
    def hyperparameters(self) -> dict[str, float]:
        """Path → value."""
        return self.optimizer.hyperparameters


def translate(fun: Callable[[Any], Any], tx: GradientTransformation, dimension: int = 2) -> Program:
    """Translate an optimizer, and the function that it minimises, to JavaScript.

    What is translated are the jaxprs of the value, the gradient, ``init`` and ``update``, in
    float64: the numbers of the program are those of :func:`gdlab.minimize` up to rounding.

    Args:
        fun: a function of a vector, written in ``jax.numpy``, that returns a scalar.
        tx: the optimizer; every real number among its leaves is an input of the program.
        dimension: the length of the vector.

    Raises:
        NotImplementedError: if something has no translation, naming the primitive, and where it
            was written.
        TypeError: if ``fun`` does not return a real scalar.

    >>> from gdlab import sgd
    >>> from gdlab.page.translator.program import translate
    >>> program = translate(lambda w: w[0] ** 2 + 3 * w[1] ** 2, sgd(0.1, momentum=0.9))
    >>> program.hyperparameters
    {'learning_rate': 0.1, 'momentum': 0.9}
    >>> program.optimizer.state
    ('trace.0', 'trace.1')
    """
    function = translate_function(fun, dimension)
    return Program(function, translate_optimizer(tx, function))


def translate_function(
    fun: Callable[[Any], Any],
    dimension: int = 2,
    *,
    curvature: bool = False,
    measure: Callable[[Any], Any] | None = None,
    argument: str = "fun",
) -> TranslatedFunction:
    """Translate the value and the gradient of a function of a vector.

    Args:
        fun: as for :func:`translate`.
        dimension: the length of the vector.
        curvature: True to translate the product of the Hessian and a vector as well, as
            ``curvature(w, v, out)``.
        measure: another function of the vector that returns a real scalar, such as an accuracy,
            which becomes ``measure(w)``.
        argument: the name of the user's argument that ``fun`` came for.
    """
    # Named, so that an optimizer's calls of them are calls in the program as well.
    value = jax.jit(lambda w: _real_scalar(argument, called_as(f"{argument}(params)", fun, w)))
    gradient = jax.jit(jax.grad(value))
    writer = _FunctionWriter(dimension, f"the function {getattr(fun, '__name__', fun)!r}")
    writer.write("value", lambda w: (value(w),), ["w"])
    writer.write("evaluate", lambda w: jax.value_and_grad(value)(w), ["w"])
    if curvature:
        writer.write("curvature", lambda w, v: (0.0, jax.jvp(gradient, (w,), (v,))[1]), ["w", "v"])
    if measure is not None:
        writer.write("measure", lambda w: (_real_scalar("measure", measure(w)),), ["w"])
    code = writer.module.javascript(
        f"return{{dimension:{dimension},{','.join(writer.names)},"
        "gradient(w,out){evaluate(w,out)}};"
    )
    return TranslatedFunction(f"(()=>{{\n{code}\n}})()", dimension, value, gradient)


class _FunctionWriter:
    """Functions of vectors of one length, which return a number and may fill another vector."""

    def __init__(self, dimension: int, subject: str):
        self.graph = Graph(_unrolled(dimension))
        self.module = Module(self.graph)
        self.names: list[str] = []
        self._dimension, self._subject = dimension, subject

    def write(self, name: str, fun: Callable[..., Any], parameters: list[str]) -> None:
        """Add a function of vectors that returns (number,) or (number, vector)."""
        graph = self.graph
        given = [graph.buffer(self._dimension, np.float64, one) for one in parameters]
        with jax.enable_x64(True):
            traced = jax.make_jaxpr(fun)(*[jnp.zeros(self._dimension) for _ in parameters])
            block = graph.block = Block()
            number, *vectors = Lowering(graph, self._subject).closed(traced, map(_vector, given))
            out = graph.buffer(self._dimension, np.float64, "out")
            writes, copies = _written(graph, out, *vectors)
        parameters = [*parameters, "out"] if vectors else parameters
        self.module.function(name, parameters, block, {}, writes, int(number.labels), copies)
        self.names.append(name)


def translate_optimizer(
    tx: GradientTransformation,
    function: TranslatedFunction,
    unravel: Callable[[Any], Any] | None = None,
) -> TranslatedOptimizer:
    """Translate an optimizer for a function that has been translated.

    Args:
        tx: as for :func:`translate`.
        function: what it minimises; several optimizers can share one.
        unravel: makes the tree of parameters that the optimizer sees of the vector; the optimizer
            sees the vector itself unless given.
    """
    with jax.enable_x64(True):
        writer = _OptimizerWriter(as_transformation(tx), function, unravel or (lambda w: w))
        names = writer.write_init()
        writer.write_update()
    code = writer.module.javascript(f"return{{states:{len(names)},init,update}};")
    return TranslatedOptimizer(f"(problem)=>{{\n{code}\n}}", writer.hyperparameters, tuple(names))


class _OptimizerWriter:
    """The functions ``init`` and ``update`` of an optimizer, written one after the other."""

    def __init__(
        self,
        tx: GradientTransformation,
        function: TranslatedFunction,
        unravel: Callable[[Any], Any],
    ):
        self.unravel = unravel
        leaves, self.structure = jax.tree_util.tree_flatten_with_path(tx)
        self.tx, self.function = tx, function
        self.inputs = [_Input(dotted(path), leaf) for path, leaf in leaves]
        self.arguments = [one.leaf for one in self.inputs if one.is_input]
        self.hyperparameters = {
            name: number
            for one in self.inputs
            for name, number in zip(one.names, one.numbers, strict=True)
        }
        self.graph = Graph(_unrolled(function.dimension))
        self.module = Module(self.graph)
        self.given = self.graph.buffer(len(self.hyperparameters), np.float64, "h")
        self.point = self.graph.buffer(function.dimension, np.float64, "w")
        self.slope = self.graph.buffer(function.dimension, np.float64, "g")
        self.w = jnp.zeros(function.dimension)
        self._state_buffer: Buffer | None = None
        self.state: Any = None
        """The shapes and dtypes of the state, once ``init`` is written."""
        self.parts: list[Value] = []
        """The leaves of the state as ``init`` makes them."""

    def write_init(self) -> list[str]:
        """Write ``init``, and tell how the numbers in the state are called."""
        block = self.graph.block = Block()
        init = lambda arguments, w: self._rebuilt(arguments).init(self.unravel(w))  # noqa: E731
        traced, self.state = jax.make_jaxpr(init, return_shape=True)(self.arguments, self.w)
        lowering = Lowering(self.graph, f"init of {self.tx!r}")
        self.parts = lowering.closed(traced, [*self._hyperparameters(), _vector(self.point)])
        made = [as_doubles(self.graph, part) for part in self.parts]
        writes, copies = _written(self.graph, self._states(), *made)
        self.module.function("init", ["h", "w", "s"], block, {}, writes, copies=copies)
        return _names_of(self.state, self.parts)

    def write_update(self) -> None:
        """Write ``update``, which is handed the value and the gradient at w."""
        block = self.graph.block = Block()
        value = self.graph.variable()
        function = self.function
        calls = (
            (_inner(function.value, self.w), _call("problem.value", False)),
            (_inner(function.gradient, self.w), _call("problem.evaluate", True)),
        )

        def update(arguments: Any, w: Any, state: Any, value: Any, grad: Any) -> Any:
            params, grads = self.unravel(w), self.unravel(grad)
            known = {"value": value, "grad": grads}
            known["value_fn"] = lambda params: function.value(_flat(params))
            known["grad_fn"] = lambda params: self.unravel(function.gradient(_flat(params)))
            updates, state = self._rebuilt(arguments).update(grads, state, params, **known)
            return _flat(apply_updates(params, updates)), state

        traced = jax.make_jaxpr(update)(self.arguments, self.w, self.state, jnp.zeros(()), self.w)
        given = [*self._hyperparameters(), _vector(self.point), *self._state_before()]
        given += [Value(np.asarray(value), np.dtype(np.float64)), _vector(self.slope)]
        lowering = Lowering(self.graph, f"update of {self.tx!r}", calls)
        new, *after = lowering.closed(traced, given)
        after = [as_doubles(self.graph, part) for part in after]
        writes, copies = _written(self.graph, self.point, new)
        to_state = _written(self.graph, self._states(), *after)
        parameters = ["h", "w", "s", "v", "g"]
        self.module.function(
            "update", parameters, block, {value: "v"}, writes + to_state[0],
            copies=copies + to_state[1],
        )  # fmt: skip

    def _rebuilt(self, arguments: list[Any]) -> Any:
        """The optimizer with other numbers."""
        rest = iter(arguments)
        leaves = [next(rest) if one.is_input else one.leaf for one in self.inputs]
        return self.structure.unflatten(leaves)

    def _hyperparameters(self) -> list[Value]:
        forms = [(np.shape(leaf), np.dtype(jnp.result_type(leaf))) for leaf in self.arguments]
        return _read(self.graph, self.given, forms)

    def _states(self) -> Buffer:
        size = sum(part.labels.size for part in self.parts)
        if self._state_buffer is None:
            self._state_buffer = self.graph.buffer(size, np.float64, "s")
        return self._state_buffer

    def _state_before(self) -> list[Value]:
        return _read(self.graph, self._states(), [(part.shape, part.dtype) for part in self.parts])


class _Input:
    """A leaf of an optimizer: an input of the program if it is made of real numbers."""

    def __init__(self, path: str, leaf: Any):
        self.leaf = leaf
        self.is_input = jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
        self.names: list[str] = []
        self.numbers: list[float] = []
        if self.is_input:
            self.numbers = np.asarray(leaf, np.float64).ravel().tolist()
            self.names = _elements(path, np.shape(leaf))


def _elements(path: str, shape: tuple[int, ...]) -> list[str]:
    return [
        ".".join([path, *map(str, index)]) if path else ".".join(map(str, index))
        for index in np.ndindex(shape)
    ]


def _names_of(state: Any, parts: list[Value]) -> list[str]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(state)
    return [
        name
        for (path, _), part in zip(leaves, parts, strict=True)
        for name in _elements(dotted(path), part.shape)
    ]


def _read(
    graph: Graph, buffer: Buffer, forms: Iterable[tuple[tuple[int, ...], np.dtype]]
) -> list[Value]:
    """Arrays of these shapes and dtypes that lie in a buffer of doubles, one after another."""
    made, start = [], 0
    for shape, dtype in forms:
        end = start + math.prod(shape)
        labels = buffer.labels[start:end].reshape(shape)
        made.append(_as_dtype(graph, Value(labels, np.dtype(np.float64)), dtype))
        start = end
    return made


def _as_dtype(graph: Graph, value: Value, dtype: np.dtype) -> Value:
    """Numbers that come as doubles, in the dtype in which they are computed with."""
    if dtype == value.dtype:
        return value
    if dtype.kind == "b":
        return Value(value.labels, dtype)
    return graph.elementwise("convert", [value], dtype, (value.dtype.name,))


def _vector(buffer: Buffer) -> Value:
    return Value(buffer.labels, buffer.dtype)


def _unrolled(dimension: int) -> int:
    return UNROLLED if dimension <= FEW_UNROLLED else FEW_UNROLLED


def _written(
    graph: Graph, buffer: Buffer, *values: Value
) -> tuple[list[tuple[str, int]], list[Map]]:
    """Arrays written to an argument, one after another: single numbers, and copies of long ones."""
    writes, copies, offset = [], [], 0
    for value in values:
        if graph.is_small(value):
            labels = enumerate(value.labels.ravel().tolist(), offset)
            writes += [(f"{buffer.name}[{i}]", label) for i, label in labels]
        elif (copy := graph.copy_into(value, buffer, offset)) is not None:
            copies.append(copy)
        offset += value.labels.size
    return writes, copies


def _flat(params: Any) -> Any:
    """The numbers of a tree of arrays in a row; a vector is one already."""
    leaves = jax.tree.leaves(params)
    return params if leaves[0] is params else jnp.concatenate([jnp.ravel(leaf) for leaf in leaves])


def as_doubles(graph: Graph, value: Value) -> Value:
    """Numbers that a Float64Array holds; integers of 64 bits are kept if that is exact."""
    if value.dtype.kind in "iu" and value.dtype.itemsize == 8:
        return graph.elementwise("exact", [value], np.float64)
    return value


def _inner(function: Any, w: Any) -> ClosedJaxpr:
    """The jaxpr that JAX keeps for a compiled function; its calls hold this very object."""
    return jax.make_jaxpr(function)(w).eqns[0].params["jaxpr"]


def _call(name: str, is_gradient: bool) -> Callable[[Lowering, Value], Value]:
    def call(lowering: Lowering, point: Value) -> Value:
        graph = lowering.graph
        value = graph.variable()
        gradient = graph.buffer(point.labels.size, np.float64) if is_gradient else None
        graph.block.statements.append(Call(name, graph.contiguous(point), value, gradient))
        if gradient is not None:
            return _vector(gradient)
        return Value(np.asarray(value), np.dtype(np.float64))

    return call


def _real_scalar(argument: str, value: Any) -> Any:
    if not is_array_of_numbers(value):
        raise TypeError(f"{argument}: the function must return a real scalar, not {value!r}")
    value = jnp.asarray(value)
    if value.shape or not jnp.issubdtype(value.dtype, jnp.floating):
        raise TypeError(
            f"{argument}: the function must return a real scalar, not {value.dtype} of shape "
            f"{value.shape}"
        )
    return value


def _escaped(data: Any) -> str:
    """JSON that no HTML parser takes for a tag."""
    return json.dumps(data).replace("<", "\\u003c")
