"""The intermediate form: values are arrays of labels, and blocks of statements define the labels.

A label is an integer that stands for one number. Negative labels are constants, small ones are
variables, and the others are elements of buffers. Slicing, transposing and concatenating only
rearrange labels, and need no statement at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

UNROLLED = 64
"""The elements of arrays up to this size are variables; larger arrays are buffers, filled in a
loop."""
FEW_UNROLLED = 9
"""The limit instead of ``UNROLLED`` in programs of many variables, which would become long."""

_BUFFER_BITS = 40

_NEUTRAL = {"mul": 1, "div": 1}
"""Second arguments that leave the first one exactly unchanged."""


_EVALUATED = {
    "add": np.add,
    "and": np.bitwise_and,
    "eq": np.equal,
    "max": np.maximum,
    "min": np.minimum,
    "mul": np.multiply,
    "select": np.where,
    "sub": np.subtract,
}
"""Operations on constants that are evaluated here, since their results are exact everywhere."""


@dataclass(frozen=True)
class Value:
    """An array: the labels of its elements, and their dtype."""

    labels: np.ndarray
    dtype: np.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.labels.shape


@dataclass(frozen=True, eq=False)
class Buffer:
    """A typed array of the translated program."""

    index: int
    size: int
    dtype: np.dtype
    name: str | None = None
    """The name of an argument; None for one that the program allocates."""
    data: np.ndarray | None = None
    """The values of a constant; None for a buffer that is written."""

    @property
    def labels(self) -> np.ndarray:
        """The labels of the elements."""
        return ((self.index + 1) << _BUFFER_BITS) + np.arange(self.size)


@dataclass(frozen=True)
class Same:
    """The same number at every point of a loop."""

    label: int


@dataclass(frozen=True)
class Strided:
    """``buffer[offset + Σ strides·indices]``, in a loop with those indices."""

    buffer: Buffer
    offset: int
    strides: tuple[int, ...]


@dataclass(frozen=True)
class Looked:
    """``buffer[table[offset + Σ strides·indices]]``: positions without a pattern."""

    buffer: Buffer
    table: Strided


Access = Same | Strided | Looked


@dataclass
class Let:
    """``target = operation(arguments)``."""

    target: int
    operation: str
    arguments: tuple[int, ...]
    dtype: np.dtype
    static: tuple[Any, ...] = ()


@dataclass
class Fill:
    """``buffer[position] = label``, one by one."""

    buffer: Buffer
    items: list[tuple[int, int]]


@dataclass
class Map:
    """``target = operation(operands)`` at each point of a loop nest of some shape."""

    target: Strided | Looked
    shape: tuple[int, ...]
    operation: str
    operands: tuple[Access, ...]
    dtype: np.dtype
    static: tuple[Any, ...] = ()


@dataclass
class Reduce:
    """``target = start ∘ x₁ ∘ x₂ …`` along the inner dimensions, for each point of the outer ones.

    Each x is the operand, or the product of the two operands.
    """

    target: Buffer
    outer: tuple[int, ...]
    inner: tuple[int, ...]
    operation: str
    operands: tuple[Access, ...]
    start: int
    dtype: np.dtype


@dataclass
class Kernel:
    """A helper function of the program: it reads whole buffers and writes others."""

    helper: str
    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    static: tuple[Any, ...] = ()


@dataclass
class Scatter:
    """``target[address] ∘= update`` at each point of a loop, where the address is not negative."""

    target: Buffer
    shape: tuple[int, ...]
    addresses: Access
    updates: Access
    operation: str
    dtype: np.dtype


@dataclass
class Call:
    """The function that is minimised, at a point; it may write its gradient."""

    function: str
    point: Buffer
    value: int
    gradient: Buffer | None = None


@dataclass
class Branch:
    """A choice among several blocks, whose results and copies become the targets and outputs."""

    index: int
    branches: "list[Block]"
    targets: list[int]
    outputs: list[Buffer]


@dataclass
class Loop:
    """``for`` or ``while``: variables and buffers that a block changes, over and over."""

    body: "Block"
    variables: list[int]
    starts: list[int]
    carried: list[Buffer]
    condition: "Block | None" = None
    """A block whose only result says whether the body runs once more; None for a counted loop."""
    counter: int | None = None
    length: int = 0
    reverse: bool = False
    stacked: list[tuple[Buffer | tuple[int, ...], Buffer]] = field(default_factory=list)
    """Pairs: the value that one iteration makes, and the buffer that keeps it of all iterations."""


Statement = Let | Fill | Map | Reduce | Kernel | Scatter | Call | Branch | Loop


class Block:
    """A sequence of statements with results, and the enclosing block."""

    def __init__(self, parent: "Block | None" = None):
        self.parent = parent
        self.statements: list[Statement] = []
        self.results: list[int] = []
        self.copies: list[tuple[Buffer, Buffer]] = []
        """Pairs of a buffer and the one it is copied to when the block ends."""
        self._known: dict[Any, int] = {}

    def find(self, key: Any) -> int | None:
        """The label of an operation that has been computed already."""
        block: Block | None = self
        while block is not None:
            if key in block._known:
                return block._known[key]
            block = block.parent
        return None

    def remember(self, key: Any, label: int) -> None:
        """Store the label of an operation for :meth:`find`."""
        self._known[key] = label


class Graph:
    """All labels, constants and buffers of one program, and the block that is being written.

    Args:
        unrolled: the largest array whose elements are variables.
    """

    def __init__(self, unrolled: int = UNROLLED) -> None:
        self.unrolled = unrolled
        self.buffers: list[Buffer] = []
        self.constants: list[Any] = []
        self.block: Block = Block()
        self._labels_of_constants: dict[Any, int] = {}
        self._constant_buffers: dict[Any, Buffer] = {}
        self._variables = 0

    def variable(self) -> int:
        """A new variable."""
        self._variables += 1
        return self._variables - 1

    def variables(self, shape: Sequence[int]) -> np.ndarray:
        """An array of new variables."""
        size = int(np.prod(shape))
        return np.array([self.variable() for _ in range(size)], np.int64).reshape(shape)

    def buffer(
        self, size: int, dtype: Any, name: str | None = None, data: np.ndarray | None = None
    ) -> Buffer:
        """A new buffer."""
        made = Buffer(len(self.buffers), int(size), np.dtype(dtype), name, data)
        self.buffers.append(made)
        return made

    def owner(self, label: int) -> Buffer | None:
        """The buffer in which a label stands, if it is not a variable or a constant."""
        return None if label < 1 << _BUFFER_BITS else self.buffers[(label >> _BUFFER_BITS) - 1]

    @staticmethod
    def position(label: int) -> int:
        """The index of an element in its buffer."""
        return label & ((1 << _BUFFER_BITS) - 1)

    def is_small(self, value: Value) -> bool:
        """Tell whether an array is small enough for its elements to be variables."""
        return value.labels.size <= self.unrolled

    def constant(self, values: Any, dtype: Any = None) -> Value:
        """An array of constants."""
        array = np.asarray(values, dtype)
        flat = array.ravel()
        labels = np.empty(flat.size, np.int64)
        for index, number in enumerate(flat):
            key = (array.dtype, number.tobytes())
            if key not in self._labels_of_constants:
                self.constants.append(number)
                self._labels_of_constants[key] = -len(self.constants)
            labels[index] = self._labels_of_constants[key]
        return Value(labels.reshape(array.shape), array.dtype)

    def known(self, value: Value) -> np.ndarray | None:
        """The numbers that a value stands for, if all of them are constants."""
        if (value.labels >= 0).any():
            return None
        flat = [self.constants[-label - 1] for label in value.labels.ravel()]
        return np.array(flat, value.dtype).reshape(value.shape)

    # Operations on single numbers.

    def let(
        self, operation: str, arguments: Sequence[int], dtype: Any, static: tuple[Any, ...] = ()
    ) -> int:
        """The label of an operation on labels; equal operations are computed once."""
        if operation in _NEUTRAL and self._is_neutral(operation, arguments[1]):
            return arguments[0]
        if operation == "mul" and self._is_neutral(operation, arguments[0]):
            return arguments[1]
        key = operation, tuple(arguments), np.dtype(dtype), static
        found = self.block.find(key)
        if found is None:
            found = self.variable()
            self.block.statements.append(Let(found, *key))
            self.block.remember(key, found)
        return found

    def _is_neutral(self, operation: str, label: int) -> bool:
        # Adding 0 is no identity: −0 + 0 is 0.
        return label < 0 and bool(self.constants[-label - 1] == _NEUTRAL[operation])

    # Operations on arrays.

    def elementwise(
        self, operation: str, values: Sequence[Value], dtype: Any, static: tuple[Any, ...] = ()
    ) -> Value:
        """An operation on each element, with scalars broadcast."""
        dtype = np.dtype(dtype)
        if operation in _EVALUATED:
            numbers = [self.known(value) for value in values]
            known = [number for number in numbers if number is not None]
            if len(known) == len(numbers):
                with np.errstate(all="ignore"):
                    return self.constant(_EVALUATED[operation](*known), dtype)
        labels = np.broadcast_arrays(*(value.labels for value in values))
        shape = labels[0].shape
        if labels[0].size <= self.unrolled:
            flat = [
                self.let(operation, [int(one) for one in arguments], dtype, static)
                for arguments in zip(*(array.ravel() for array in labels), strict=True)
            ]
            return Value(np.array(flat, np.int64).reshape(shape), dtype)
        target = self.buffer(labels[0].size, dtype)
        arrays = [Value(array, value.dtype) for array, value in zip(labels, values, strict=True)]
        self._map(target.labels.reshape(shape), operation, arrays, dtype, static)
        return Value(target.labels.reshape(shape), dtype)

    def _map(
        self,
        target: np.ndarray,
        operation: str,
        arrays: Sequence[Value],
        dtype: np.dtype,
        static: tuple[Any, ...] = (),
    ) -> None:
        accesses = [self.access(value) for value in (Value(target, dtype), *arrays)]
        _, shape, (into, *operands) = collapse(target.shape, accesses)
        assert not isinstance(into, Same), "a target has an element for each point"
        self.block.statements.append(Map(into, shape, operation, tuple(operands), dtype, static))

    def access(self, value: Value) -> Access:
        """The access by which a loop over the shape of a value reads its elements."""
        labels = value.labels
        first = int(labels.flat[0])
        if (labels == first).all():
            return Same(first)
        known = self._known_access(value)
        if known is not None:
            return known
        owners = labels >> _BUFFER_BITS
        buffer = self.owner(first)
        if buffer is None or (owners != owners.flat[0]).any():
            return self.access(self.gathered(value))
        positions = labels & ((1 << _BUFFER_BITS) - 1)
        offset, strides = _strides(positions)
        if strides is not None:
            return Strided(buffer, offset, strides)
        table = self.constant_buffer(positions.astype(np.int32))
        offset, strides = _strides(np.arange(positions.size).reshape(positions.shape))
        assert strides is not None
        return Looked(buffer, Strided(table, offset, strides))

    def _known_access(self, value: Value) -> Access | None:
        """The access to constants, which are stored once even if repeated or transposed."""
        labels = value.labels
        once = labels[tuple(slice(1 if s == 0 else None) for s in labels.strides)]
        # The strides of a transposed view show its memory order.
        order = sorted(range(once.ndim), key=lambda axis: -abs(once.strides[axis]))
        known = self.known(Value(once.transpose(order), value.dtype))
        if known is None:
            return None
        stored = self.constant_buffer(known).labels.reshape(known.shape)
        stored = stored.transpose(np.argsort(order))
        return self.access(Value(np.broadcast_to(stored, value.shape), value.dtype))

    def constant_buffer(self, numbers: np.ndarray) -> Buffer:
        """A buffer that holds known numbers."""
        key = numbers.dtype, numbers.size, numbers.tobytes()
        if key not in self._constant_buffers:
            data = np.ascontiguousarray(numbers).ravel()
            self._constant_buffers[key] = self.buffer(numbers.size, numbers.dtype, data=data)
        return self._constant_buffers[key]

    def gathered(self, value: Value) -> Value:
        """The same numbers, copied in order into a new buffer."""
        buffer = self.buffer(value.labels.size, value.dtype)
        self.copy(value, buffer)
        return Value(buffer.labels.reshape(value.shape), value.dtype)

    def copy(self, value: Value, buffer: Buffer) -> None:
        """Copy the elements of a value, in order, to a buffer."""
        flat = value.labels.ravel()
        sources = np.where(flat < 1 << _BUFFER_BITS, flat, (flat >> _BUFFER_BITS) << _BUFFER_BITS)
        singles = []
        for source in np.unique(sources):
            positions = np.flatnonzero(sources == source)
            if len(positions) <= 4:
                singles.extend((int(p), int(flat[p])) for p in positions)
            else:
                part = Value(flat[positions], value.dtype)
                self._map(buffer.labels[positions], "copy", [part], value.dtype)
        if singles:
            self.block.statements.append(Fill(buffer, singles))

    def copy_into(self, value: Value, buffer: Buffer, offset: int) -> Map | None:
        """The copy of an array to a part of an argument, to be made at the end of a function.

        None if the array is that part already. Elements that lie elsewhere in an argument are
        copied out now, before anything is written there.
        """
        target = buffer.labels[offset : offset + value.labels.size]
        flat = Value(value.labels.ravel(), value.dtype)
        if np.array_equal(flat.labels, target):
            return None
        access = self.access(flat)
        if not isinstance(access, Same) and access.buffer.name is not None:
            access = self.access(self.gathered(flat))
        into = Strided(buffer, offset, (1,))
        return Map(into, flat.shape, "copy", (access,), value.dtype)

    def contiguous(self, value: Value) -> Buffer:
        """A buffer that holds exactly the elements of a value, in order."""
        known = self.known(value)
        if known is not None:
            return self.constant_buffer(known)
        flat = value.labels.ravel()
        buffer = self.owner(int(flat[0])) if flat.size else None
        if buffer is not None and np.array_equal(buffer.labels, flat):
            return buffer
        made = self.buffer(flat.size, value.dtype)
        self.copy(value, made)
        return made


def _strides(positions: np.ndarray) -> tuple[int, tuple[int, ...] | None]:
    """The offset and the strides that give these positions; the strides are None if irregular."""
    offset = int(positions.flat[0])
    strides = []
    expected = np.full(positions.shape, offset)
    for axis, length in enumerate(positions.shape):
        index = [0] * positions.ndim
        index[axis] = min(1, length - 1)
        stride = int(positions[tuple(index)]) - offset
        strides.append(stride)
        along = np.arange(length) * stride
        expected += along.reshape([-1 if a == axis else 1 for a in range(positions.ndim)])
    return offset, tuple(strides) if (expected == positions).all() else None


def collapse(
    shape: tuple[int, ...], accesses: Sequence[Access], apart: int = 0
) -> tuple[tuple[int, ...], tuple[int, ...], list[Access]]:
    """The same loop nest with as few loops as the strides allow.

    Args:
        shape: the lengths of the loops.
        accesses: the accesses inside the loops.
        apart: the number of outer loops, which are not merged with the inner ones.

    Returns:
        The lengths of the outer and of the inner loops, and the accesses in terms of them.
    """
    strided = [
        access.table if isinstance(access, Looked) else access
        for access in accesses
        if not isinstance(access, Same)
    ]
    groups: list[list[int]] = []
    for axis, length in enumerate(shape):
        if length == 1:
            continue
        merges = groups and (groups[-1][-1] < apart) == (axis < apart)
        if merges and all(
            one.strides[groups[-1][-1]] == one.strides[axis] * length for one in strided
        ):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    lengths = tuple(int(np.prod([shape[axis] for axis in group])) for group in groups)
    outer = sum(group[0] < apart for group in groups)

    def shrink(access: Access) -> Access:
        if isinstance(access, Same):
            return access
        if isinstance(access, Looked):
            table = shrink(access.table)
            assert isinstance(table, Strided)
            return Looked(access.buffer, table)
        strides = tuple(access.strides[group[-1]] for group in groups)
        return Strided(access.buffer, access.offset, strides)

    return lengths[:outer], lengths[outer:], [shrink(access) for access in accesses]
