"""Primitives with programs within: calls, branches and loops."""

from typing import Any

import numpy as np
from jax.extend.core import JaxprEqn

from gdlab.page.translator.ir import Block, Branch, Buffer, Loop, Value
from gdlab.page.translator.lowering import Lowering, rule

_COUNT = np.dtype(np.int32)


@rule("jit")
def jit(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """A nested compilation, or one of the program's own functions."""
    jaxpr = equation.params["jaxpr"]
    for own, call_own in lowering.calls:
        if jaxpr is own:
            return [call_own(lowering, values[-1])]
    return lowering.closed(jaxpr, values)


INLINED = {
    "checkpoint": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vmap_call": "call",
    "remat": "jaxpr",
    "remat2": "jaxpr",
}
"""Primitives that only call an inner program → the parameter that holds the program.

Their custom derivative or batching rules have been applied before translation.
"""


@rule(*INLINED)
def call(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """A function within the program: what it computes."""
    return lowering.closed(equation.params[INLINED[equation.primitive.name]], values)


@rule("cond")
def cond(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """One of several functions."""
    graph = lowering.graph
    index, *arguments = values
    jaxprs = equation.params["branches"]
    known = graph.known(index)
    if known is not None:
        return lowering.closed(jaxprs[min(max(int(known), 0), len(jaxprs) - 1)], arguments)
    outside, blocks, results = graph.block, [], []
    for jaxpr in jaxprs:
        graph.block = Block(outside)
        results.append(lowering.closed(jaxpr, arguments))
        blocks.append(graph.block)
    targets: list[int] = []
    outputs: list[Buffer] = []
    made = []
    for cases in zip(*results, strict=True):
        shape, dtype = cases[0].shape, cases[0].dtype
        if all(np.array_equal(case.labels, cases[0].labels) for case in cases):
            made.append(cases[0])
        elif graph.is_small(cases[0]):
            labels = graph.variables(shape)
            targets += labels.ravel().tolist()
            for block, case in zip(blocks, cases, strict=True):
                block.results += case.labels.ravel().tolist()
            made.append(Value(labels, dtype))
        else:
            output = graph.buffer(cases[0].labels.size, dtype)
            outputs.append(output)
            for block, case in zip(blocks, cases, strict=True):
                graph.block = block
                block.copies.append((graph.contiguous(case), output))
            made.append(Value(output.labels.reshape(shape), dtype))
    graph.block = outside
    outside.statements.append(Branch(int(index.labels), blocks, targets, outputs))
    return made


@rule("while")
def while_loop(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """A loop that ends when a condition fails."""
    parameters = equation.params
    first, second = parameters["cond_nconsts"], parameters["body_nconsts"]
    of_condition, of_body = values[:first], values[first : first + second]
    body = parameters["body_jaxpr"]
    carry = _Carry(lowering, body, second, values[first + second :])
    graph, outside = lowering.graph, lowering.graph.block
    condition = graph.block = Block(outside)
    (again,) = lowering.closed(parameters["cond_jaxpr"], [*of_condition, *carry.values])
    condition.results = again.labels.ravel().tolist()
    graph.block = Block(outside)
    carry.end(lowering.closed(body, [*of_body, *carry.values]))
    loop = Loop(graph.block, carry.variables, carry.starts, carry.buffers, condition=condition)
    graph.block = outside
    outside.statements.append(loop)
    return carry.values


@rule("scan")
def scan(lowering: Lowering, equation: JaxprEqn, values: list[Value]) -> list[Value]:
    """A loop along the leading axis of arrays."""
    parameters = equation.params
    constants, carried = parameters["num_consts"], parameters["num_carry"]
    length, body = parameters["length"], parameters["jaxpr"]
    graph, outside = lowering.graph, lowering.graph.block
    rows = values[constants + carried :]
    carry = _Carry(lowering, body, constants, values[constants : constants + carried])
    counter = graph.variable()
    # Rows are read from buffers, which must exist before the loop.
    sources = [
        row if row.labels.size == 0 else Value(graph.contiguous(row).labels, row.dtype)
        for row in rows
    ]
    graph.block = Block(outside)
    slices = [
        _row(lowering, source, row.shape[1:], counter)
        for source, row in zip(sources, rows, strict=True)
    ]
    results = lowering.closed(body, [*values[:constants], *carry.values, *slices])
    stacked, made = [], []
    for result in results[carried:]:
        whole = graph.buffer(length * result.labels.size, result.dtype)
        if graph.is_small(result):
            stacked.append((tuple(result.labels.ravel().tolist()), whole))
        else:
            stacked.append((graph.contiguous(result), whole))
        made.append(Value(whole.labels.reshape(length, *result.shape), result.dtype))
    carry.end(results[:carried])
    loop = Loop(
        graph.block,
        carry.variables,
        carry.starts,
        carry.buffers,
        counter=counter,
        length=length,
        reverse=parameters["reverse"],
        stacked=stacked,
    )
    graph.block = outside
    outside.statements.append(loop)
    return [*carry.values, *made]


def _row(lowering: Lowering, source: Value, shape: tuple[int, ...], counter: int) -> Value:
    """The elements of one row of a buffer."""
    graph = lowering.graph
    size = int(np.prod(shape))
    if not size:
        return Value(np.zeros(shape, np.int64), source.dtype)
    buffer = graph.contiguous(source)
    row = Value(np.asarray(counter), _COUNT)
    first = row if size == 1 else lowering.elementwise("mul", row, lowering.constant(size, _COUNT))
    offsets = graph.constant(np.arange(size).reshape(shape), _COUNT)
    addresses = first if size == 1 else lowering.elementwise("add", first, offsets)
    addresses = Value(np.broadcast_to(addresses.labels, shape), _COUNT)
    return graph.elementwise("load", [addresses], source.dtype, (buffer,))


class _Carry:
    """The values that a loop carries: variables for small arrays, buffers for large ones.

    A value that the body returns unchanged is not carried at all.
    """

    def __init__(self, lowering: Lowering, body: Any, constants: int, starts: list[Value]):
        graph = self.graph = lowering.graph
        jaxpr = body.jaxpr
        self.variables: list[int] = []
        self.starts: list[int] = []
        self.buffers: list[Buffer] = []
        self.values: list[Value] = []
        self._changes = [
            jaxpr.outvars[index] is not jaxpr.invars[constants + index]
            for index in range(len(starts))
        ]
        for start, changes in zip(starts, self._changes, strict=True):
            if not changes:
                self.values.append(start)
            elif graph.is_small(start):
                labels = graph.variables(start.shape)
                self.variables += labels.ravel().tolist()
                self.starts += start.labels.ravel().tolist()
                self.values.append(Value(labels, start.dtype))
            else:
                buffer = graph.buffer(start.labels.size, start.dtype)
                graph.copy(start, buffer)
                self.buffers.append(buffer)
                self.values.append(Value(buffer.labels.reshape(start.shape), start.dtype))

    def end(self, results: list[Value]) -> None:
        """Close the current block with the values for the next iteration."""
        block = self.graph.block
        buffers = iter(self.buffers)
        for result, changes in zip(results, self._changes, strict=True):
            if not changes:
                continue
            if self.graph.is_small(result):
                block.results += result.labels.ravel().tolist()
                continue
            made = self.graph.contiguous(result)
            if made in self.buffers:  # it may be overwritten before it is copied
                made = self.graph.buffer(made.size, made.dtype)
                self.graph.copy(result, made)
            block.copies.append((made, next(buffers)))
