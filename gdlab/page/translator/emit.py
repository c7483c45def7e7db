"""The translation of the intermediate form to JavaScript."""

import base64
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from gdlab.page.translator.helpers import HELPERS
from gdlab.page.translator.ir import (
    Access,
    Block,
    Branch,
    Buffer,
    Call,
    Fill,
    Graph,
    Kernel,
    Let,
    Looked,
    Loop,
    Map,
    Reduce,
    Same,
    Scatter,
    Statement,
    Strided,
)
from gdlab.page.translator.liveness import Liveness
from gdlab.page.translator.operations import ARRAYS, expression, literal

_WRITTEN_OUT = 32
"""Constant arrays with more elements than this are written in base64."""


class Module:
    """A module of JavaScript functions that share helpers, constants and buffers.

    Args:
        graph: the graph of all functions.
    """

    def __init__(self, graph: Graph):
        self._graph = graph
        self._buffers: dict[Buffer, str] = {}
        self._functions: list[str] = []

    def function(
        self,
        name: str,
        parameters: Sequence[str],
        block: Block,
        names: dict[int, str],
        writes: Sequence[tuple[str, int]] = (),
        returns: int | None = None,
        copies: Sequence[Map] = (),
    ) -> None:
        """Add a function.

        Args:
            name: its name.
            parameters: the names of its parameters.
            block: the statements of the function.
            names: the names of those variables that are parameters.
            writes: places to write at its end, such as ``w[0]``, and the labels to write there.
            returns: the label of the return value.
            copies: copies of whole arrays that are made at its end, before those places are
                written; none of them reads what another one writes.
        """
        results = [label for _, label in writes] + ([] if returns is None else [returns])
        writer = _Writer(self._graph, block, [*results, *_sources(copies)], self.name, names)
        body = writer.block(block)
        # All values are read before any place is written, since places may be sources too.
        places = [place for place, _ in writes] + ([] if returns is None else ["return "])
        read = [writer.read(label) for label in results]
        for index, (label, expression_) in enumerate(zip(results, read, strict=True)):
            together = len(results) + len(copies) > 1
            if together and not (_is_settled(label) or expression_.isidentifier()):
                body.append(f"const r{index}={expression_};")
                read[index] = f"r{index}"
        body += map(writer.copied, copies)
        for place, written in zip(places, read, strict=True):
            body.append(f"{place}{'' if place == 'return ' else '='}{written};")
        self._functions.append(f"function {name}({','.join(parameters)}){{\n{_lines(body)}\n}}")

    def name(self, buffer: Buffer) -> str:
        """The name of a buffer; naming a buffer allocates it."""
        if buffer.name is not None:
            return buffer.name
        return self._buffers.setdefault(buffer, f"B{len(self._buffers)}")

    def javascript(self, last: str) -> str:
        """The source of the module, followed by the expression ``last``, which uses it."""
        allocated = [f"const {name}={_allocated(b)};" for b, name in self._buffers.items()]
        code = "\n".join([*allocated, *self._functions, last])
        return "\n".join([*_helpers_of(code), code])


def _lines(pieces: Iterable[str]) -> str:
    return "\n".join(pieces)


def _allocated(buffer: Buffer) -> str:
    kind = ARRAYS[buffer.dtype.name]
    if buffer.data is None:
        return f"new {kind}({buffer.size})"
    if buffer.size <= _WRITTEN_OUT or buffer.dtype == np.bool_:
        return f"{kind}.of({','.join(_plain(number, buffer.dtype) for number in buffer.data)})"
    if buffer.dtype == np.float64:
        return _compact(buffer.data)
    return f"new {kind}({_decoded(buffer.data)})"


def _compact(data: np.ndarray) -> str:
    """Doubles encoded exactly in the fewest bytes, if possible as multiples of a power of two."""
    for digits in range(9):
        scaled = data * 2.0**digits
        if np.all(np.abs(scaled) <= 255) and np.array_equal(scaled, np.round(scaled)):
            small = _byte_sized(scaled)
            if small is not None:
                kind = "Int8Array" if small.dtype == np.int8 else "Uint8Array"
                return f"Float64Array.from(new {kind}({_decoded(small)}),x=>x/{2**digits})"
    with np.errstate(all="ignore"):
        single = data.astype(np.float32)
    if np.array_equal(data, single, equal_nan=True):
        return f"Float64Array.from(new Float32Array({_decoded(single)}))"
    return f"new Float64Array({_decoded(data)})"


def _byte_sized(whole: np.ndarray) -> np.ndarray | None:
    """Whole numbers as bytes; None if some do not fit, or −0 would become 0."""
    if np.any(np.signbit(whole) & (whole == 0)):
        return None
    if whole.min() >= 0:
        return whole.astype(np.uint8)
    return whole.astype(np.int8) if whole.min() >= -128 and whole.max() <= 127 else None


def _decoded(data: np.ndarray) -> str:
    raw = data.astype(data.dtype.newbyteorder("<")).tobytes()
    return f'decoded("{base64.b64encode(raw).decode()}")'


def _plain(number: object, dtype: np.dtype) -> str:
    written = literal(number, dtype)
    return written.strip("()") if dtype != np.bool_ else str(int(bool(number)))


def _helpers_of(code: str) -> Iterator[str]:
    """The helpers that some code calls, each after the helpers that it calls itself."""
    wanted: list[str] = []

    def find(text: str) -> None:
        for name, source in HELPERS.items():
            if name not in wanted and f"{name}(" in text:
                wanted.append(name)
                find(source)

    find(code)
    return (HELPERS[name] for name in wanted)


class _Writer:
    """Writes the statements of one function."""

    def __init__(
        self,
        graph: Graph,
        block: Block,
        results: Sequence[int],
        name: Callable[[Buffer], str],
        names: dict[int, str],
    ):
        self._graph = graph
        self._live = Liveness(graph, block, results)
        self._name = name
        self._written = dict(names)
        self._numbers = itertools.count()

    def block(self, block: Block) -> list[str]:
        """The statements of a block, without what it ends with."""
        return [
            line
            for statement in block.statements
            if self._live.keeps(statement)
            for line in self._statement(statement, block)
        ]

    def read(self, label: int) -> str:
        """An expression for a label."""
        if label < 0:
            number = self._graph.constants[-label - 1]
            return literal(number, number.dtype)
        buffer = self._graph.owner(label)
        if buffer is not None:
            return f"{self._name(buffer)}[{self._graph.position(label)}]"
        return self._written[label]

    def _fresh(self) -> str:
        return f"v{next(self._numbers)}"

    def _statement(self, statement: Statement, block: Block) -> Iterator[str]:
        match statement:
            case Let():
                yield from self._let(statement, block)
            case Fill():
                into = self._name(statement.buffer)
                yield "".join(f"{into}[{p}]={self.read(label)};" for p, label in statement.items)
            case Map():
                yield self._map(statement)
            case Reduce():
                yield self._reduce(statement)
            case Kernel():
                buffers = [self._name(b) for b in (*statement.inputs, *statement.outputs)]
                yield f"{statement.helper}({','.join([*buffers, *map(str, statement.static)])});"
            case Scatter():
                yield self._scatter(statement)
            case Call():
                out = "" if statement.gradient is None else f",{self._name(statement.gradient)}"
                name = self._written[statement.value] = self._fresh()
                call = f"{statement.function}({self._name(statement.point)}{out})"
                yield f"const {name}={call};"
            case Branch():
                yield from self._branch(statement)
            case Loop():
                yield from self._loop(statement)
            case _:
                raise AssertionError(statement)

    def _let(self, statement: Let, block: Block) -> Iterator[str]:
        arguments = [self.read(label) for label in statement.arguments]
        written = self._expression(statement, arguments)
        if self._live.read_once(statement.target, block) and len(written) < 400:
            self._written[statement.target] = written
            return
        name = self._written[statement.target] = self._fresh()
        yield f"const {name}={written};"

    def _expression(self, statement: Let | Map, arguments: list[str]) -> str:
        if statement.operation == "load":
            (buffer,) = statement.static
            return f"{self._name(buffer)}[{arguments[0]}]"
        return expression(statement.operation, statement.dtype, arguments, statement.static)

    # Loops over arrays.

    def copied(self, statement: Map) -> str:
        """The JavaScript of a copy outside of any block."""
        return self._map(statement)

    def _access(self, access: Access, indices: Sequence[str]) -> str:
        if isinstance(access, Same):
            return self.read(access.label)
        if isinstance(access, Looked):
            return f"{self._name(access.buffer)}[{self._access(access.table, indices)}]"
        return f"{self._name(access.buffer)}[{_address(access, indices)}]"

    def _map(self, statement: Map) -> str:
        whole = statement.operation == "copy" and _is_whole(statement.target)
        if whole and _is_whole(statement.operands[0]):
            source, into = statement.operands[0], statement.target
            assert isinstance(source, Strided)
            if source.buffer.size == into.buffer.size:
                return f"{self._name(into.buffer)}.set({self._name(source.buffer)});"
        heads, indices = _loops(statement.shape)
        arguments = [self._access(operand, indices) for operand in statement.operands]
        into = self._access(statement.target, indices)
        return f"{heads}{into}={self._expression(statement, arguments)};"

    def _reduce(self, statement: Reduce) -> str:
        outer, outers = _loops(statement.outer)
        inner, inners = _loops(statement.inner, len(outers))
        terms = [self._access(one, (*outers, *inners)) for one in statement.operands]
        dtype = statement.dtype
        term = terms[0] if len(terms) == 1 else expression("mul", dtype, terms, ())
        step = expression(statement.operation, dtype, ["t", term], ())
        place = "k++" if outers else "0"
        body = f"let t={self.read(statement.start)};{inner}t={step};"
        body += f"{self._name(statement.target)}[{place}]=t;"
        return f"{{let k=0;{outer}{{{body}}}}}" if outers else f"{{{body}}}"

    def _scatter(self, statement: Scatter) -> str:
        heads, indices = _loops(statement.shape)
        address = self._access(statement.addresses, indices)
        update = self._access(statement.updates, indices)
        place = f"{self._name(statement.target)}[a]"
        made = expression(statement.operation, statement.dtype, [place, update], ())
        made = update if statement.operation == "copy" else made
        return f"{heads or ''}{{const a={address};if(a>=0){place}={made};}}"

    # Blocks within blocks.

    def _branch(self, statement: Branch) -> Iterator[str]:
        needed = [target for target in statement.targets if self._live.needs(target)]
        for target in needed:
            self._written[target] = self._fresh()
        if needed:
            yield f"let {','.join(self._written[target] for target in needed)};"
        index, last = self.read(statement.index), len(statement.branches) - 1
        for number, branch in enumerate(statement.branches):
            lines = self.block(branch)
            results = self._live.results(branch, statement.targets)
            for target, result in zip(needed, results, strict=True):
                lines.append(f"{self._written[target]}={self.read(result)};")
            lines += self._copies(branch)
            test = f"if({index}{'<=' if number == 0 else '=='}{number})"
            head = test if number == 0 else "else " + (test if number < last else "")
            yield f"{head}{{\n{_lines(lines)}\n}}"

    def _loop(self, loop: Loop) -> Iterator[str]:
        needed = [variable for variable in loop.variables if self._live.needs(variable)]
        starts = dict(zip(loop.variables, loop.starts, strict=True))
        for variable in needed:
            start = self.read(starts[variable])
            name = self._written[variable] = self._fresh()
            yield f"let {name}={start};"
        if loop.counter is not None:
            counter = self._written[loop.counter] = self._fresh()
            if loop.reverse:
                yield f"for(let {counter}={loop.length - 1};{counter}>=0;{counter}--){{"
            else:
                yield f"for(let {counter}=0;{counter}<{loop.length};{counter}++){{"
        else:
            yield "for(;;){"
        if loop.condition is not None:
            yield from self.block(loop.condition)
            yield f"if(!{self.read(loop.condition.results[0])})break;"
        yield from self.block(loop.body)
        # All results of an iteration are read before any variable changes.
        results = self._live.results(loop.body, loop.variables)
        pairs = [(self._written[v], self.read(r)) for v, r in zip(needed, results, strict=True)]
        pairs = [(variable, result) for variable, result in pairs if variable != result]
        for source, whole in loop.stacked:
            if self._live.needs(whole):
                yield from self._stack(source, whole, self._written[loop.counter or 0])
        if len(pairs) == 1:
            yield f"{pairs[0][0]}={pairs[0][1]};"
        else:
            news = [self._fresh() for _ in pairs]
            yield "".join(f"const {new}={r};" for new, (_, r) in zip(news, pairs, strict=True))
            yield "".join(f"{v}={new};" for new, (v, _) in zip(news, pairs, strict=True))
        yield from self._copies(loop.body)
        yield "}"

    def _stack(
        self, source: Buffer | tuple[int, ...], whole: Buffer, counter: str
    ) -> Iterator[str]:
        into = self._name(whole)
        if isinstance(source, Buffer):
            yield f"{into}.set({self._name(source)},{counter}*{source.size});"
            return
        for index, label in enumerate(source):
            row = counter if len(source) == 1 else f"{counter}*{len(source)}"
            yield f"{into}[{row}{f'+{index}' if index else ''}]={self.read(label)};"

    def _copies(self, block: Block) -> Iterator[str]:
        for source, into in block.copies:
            if self._live.needs(into):
                yield f"{self._name(into)}.set({self._name(source)});"


def _sources(copies: Iterable[Map]) -> Iterator[int]:
    """A label for each buffer or number that some copies read."""
    for copy in copies:
        (operand,) = copy.operands
        yield operand.label if isinstance(operand, Same) else int(operand.buffer.labels[0])


def _is_whole(access: Access) -> bool:
    return isinstance(access, Strided) and not access.offset and access.strides == (1,)


def _loops(shape: Sequence[int], first: int = 0) -> tuple[str, list[str]]:
    """The heads of nested loops, and the names of their indices."""
    indices = [f"i{first + depth}" for depth in range(len(shape))]
    heads = (f"for(let {i}=0;{i}<{n};{i}++)" for i, n in zip(indices, shape, strict=True))
    return "".join(heads), indices


def _address(access: Strided, indices: Sequence[str]) -> str:
    terms = [str(access.offset)] if access.offset else []
    for stride, index in zip(access.strides, indices, strict=True):
        if stride:
            terms.append(index if stride == 1 else f"{stride}*{index}")
    return "+".join(terms).replace("+-", "-") or "0"


def _is_settled(label: int) -> bool:
    """Tell whether the expression of a label stays the same when something is written."""
    return label < 0
