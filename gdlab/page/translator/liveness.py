"""Liveness: the statements that the results of a block need, and the reads of each variable."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

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
)


class Flow(NamedTuple):
    """The variables and buffers that a statement reads and writes, blocks within it apart."""

    reads: list[int]
    """The labels that are read, each as often as it is read."""
    reads_often: list[int]
    """The labels that are read in a loop or inner block, and are better computed beforehand."""
    defines: list[int]
    """The variables that are defined."""
    sources: list[Buffer]
    """The buffers that are read."""
    targets: list[Buffer]
    """The buffers that are written."""


def flow(statement: Statement) -> Flow:
    """The variables and buffers that a statement reads and writes, blocks within it apart."""
    match statement:
        case Let():
            return Flow([*statement.arguments], [], [statement.target], _static(statement), [])
        case Fill():
            labels = [label for _, label in statement.items]
            return Flow(labels, [], [], [], [statement.buffer])
        case Map():
            accesses = (statement.target, *statement.operands)
            sources = [*_buffers(accesses[1:]), *_tables(accesses), *_static(statement)]
            return Flow([], _labels(accesses), [], sources, [statement.target.buffer])
        case Reduce():
            labels = [*_labels(statement.operands), statement.start]
            sources = _buffers(statement.operands) + _tables(statement.operands)
            return Flow([], labels, [], sources, [statement.target])
        case Kernel():
            return Flow([], [], [], [*statement.inputs], [*statement.outputs])
        case Scatter():
            accesses = (statement.addresses, statement.updates)
            sources = _buffers(accesses) + _tables(accesses)
            return Flow([], _labels(accesses), [], sources, [statement.target])
        case Call():
            written = [] if statement.gradient is None else [statement.gradient]
            return Flow([], [], [statement.value], [statement.point], written)
        case Branch():
            return Flow([], [statement.index], statement.targets, [], statement.outputs)
        case Loop():
            written = [*statement.carried, *(whole for _, whole in statement.stacked)]
            return Flow([], statement.starts, statement.variables, [], written)


def _labels(accesses: Iterable[Access]) -> list[int]:
    return [access.label for access in accesses if isinstance(access, Same)]


def _buffers(accesses: Iterable[Access]) -> list[Buffer]:
    return [access.buffer for access in accesses if not isinstance(access, Same)]


def _tables(accesses: Iterable[Access]) -> list[Buffer]:
    return [access.table.buffer for access in accesses if isinstance(access, Looked)]


def _static(statement: Let | Map) -> list[Buffer]:
    return [item for item in statement.static if isinstance(item, Buffer)]


class Liveness:
    """The statements, variables and buffers that the results of a block need.

    Args:
        graph: the graph of the block.
        block: the outermost block.
        results: the labels that are needed at its end, once each.
    """

    def __init__(self, graph: Graph, block: Block, results: Iterable[int]):
        self._graph = graph
        self._variables: set[int] = set()
        self._buffers: set[Buffer] = set()
        self._kept: set[int] = set()
        self._reads: Counter[int] = Counter()
        self._read_in: dict[int, Block] = {}
        results = list(results)
        self._need(results)
        self._walk(block)
        self._count(block, results)

    def keeps(self, statement: Statement) -> bool:
        """Tell whether the results need a statement."""
        return id(statement) in self._kept

    def needs(self, what: int | Buffer) -> bool:
        """Tell whether the results need a variable or a buffer."""
        return what in (self._buffers if isinstance(what, Buffer) else self._variables)

    def read_once(self, label: int, block: Block) -> bool:
        """Tell whether a variable is read a single time, in this very block and outside loops."""
        return self._reads[label] == 1 and self._read_in[label] is block

    def _need(self, labels: Iterable[int]) -> None:
        for label in labels:
            owner = self._graph.owner(label)
            if owner is not None:
                self._buffers.add(owner)
            elif label >= 0:
                self._variables.add(label)

    def _walk(self, block: Block) -> None:
        for statement in reversed(block.statements):
            reads, reads_often, defines, sources, targets = flow(statement)
            if self._variables.isdisjoint(defines) and self._buffers.isdisjoint(targets):
                continue
            self._kept.add(id(statement))
            self._need(reads + reads_often)
            self._buffers.update(sources)
            if isinstance(statement, Branch):
                for branch in statement.branches:
                    self._need(self.results(branch, statement.targets))
                    self._end(branch)
            if isinstance(statement, Loop):
                self._repeat(statement)

    def _repeat(self, loop: Loop) -> None:
        # Repeat, since a variable may be needed only for another one that is found to be needed
        # later.
        before = -1
        while before != (before := len(self._variables) + len(self._buffers)):
            if loop.condition is not None:
                self._need(loop.condition.results)
                self._walk(loop.condition)
            self._need(self.results(loop.body, loop.variables))
            for source, whole in loop.stacked:
                if whole in self._buffers:
                    if isinstance(source, Buffer):
                        self._buffers.add(source)
                    else:
                        self._need(source)
            self._end(loop.body)

    def _end(self, block: Block) -> None:
        self._buffers.update(source for source, into in block.copies if into in self._buffers)
        self._walk(block)

    def results(self, block: Block, targets: list[int]) -> list[int]:
        """The results of a block for those targets that are needed."""
        return [
            result
            for result, target in zip(block.results, targets, strict=True)
            if target in self._variables
        ]

    def _count(self, block: Block, results: Iterable[int]) -> None:
        def count(labels: Iterable[int], times: int) -> None:
            for label in labels:
                self._reads[label] += times
                self._read_in[label] = block

        for statement in block.statements:
            if not self.keeps(statement):
                continue
            reads, reads_often, *_ = flow(statement)
            count(reads, 1)
            count(reads_often, 2)
            if isinstance(statement, Branch):
                for branch in statement.branches:
                    self._count(branch, self.results(branch, statement.targets))
            if isinstance(statement, Loop):
                if statement.condition is not None:
                    self._count(statement.condition, statement.condition.results)
                ends = self.results(statement.body, statement.variables)
                for source, whole in statement.stacked:
                    if whole in self._buffers and not isinstance(source, Buffer):
                        ends += source
                self._count(statement.body, ends)
        count(results, 1)
