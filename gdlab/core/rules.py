"""The rules into which a transformation is opened: a rule for one array, or one for a tree.

An :class:`ArrayRule` treats each array separately and in the same way, so that neighbouring rules
can be fused and mapped over the leaves together. A :class:`TreeRule` sees the whole tree.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.structure import Context, Extra, Leaf, Params, Signal, Tree, Updates, Value

READ_BY_ARRAYS = ("param", "grad", "value", "key", "step", "path")
"""The names of all inputs that a rule for one array can read besides its update."""
READ_BY_INIT = ("param", "path")
"""The names of all inputs that the ``init`` of a rule for one array can read."""
READ_BY_TREES = ("params", "grad", "value", "value_fn", "grad_fn", "key", "step")
"""The names of all inputs that a rule for a tree can read besides its updates."""
SUPPLIED = {
    "grad": "gradient",
    "value": "loss(params)",
    "value_fn": "loss",
    "grad_fn": "jax.grad(loss)",
    "key": "jax.random.key(0)",
}
"""An example of the argument of ``update`` for each name, for messages."""
EVERYTHING = "everything"
"""The declaration of a wrapper that passes on all its inputs."""

Reasons = Mapping[str, str]
"""A map from each name that is read to the reason: the transformation that reads it, and its
use."""


class Reading(NamedTuple):
    """The inputs of rules at one array besides the update."""

    param: Leaf = None
    grad: Leaf = None
    value: Leaf = None
    key: Leaf = None
    by_leaf: Mapping[int, Leaf] = MappingProxyType({})
    """The value of each value by leaf at this leaf, by the ``id`` of the value by leaf."""
    is_nonnegative: bool = False
    """True if ``init`` may rely on an input without negative elements."""


class ArrayRule(NamedTuple):
    """A transformation of one array at a time.

    Its state has *slots* for each array and *shared* scalars. Once a step, ``advance`` updates the
    shared scalars and computes the *context*, which ``update`` reads.
    """

    slots: tuple[str, ...]
    """The names of the slots."""
    init: Callable[[Signal, Reading], tuple[Tree, ...]]
    """``init(like, reading)`` → the initial value of each slot, for a signal like ``like``"""
    update: Callable[[Signal, tuple[Tree, ...], Context, Reading], tuple[Signal, tuple[Tree, ...]]]
    """``update(update, slots, context, reading)`` → update, slots"""
    shared: tuple[str, ...] = ()
    """The names of the scalars that all arrays share."""
    start: Callable[[np.dtype], tuple[Tree, ...]] = lambda _: ()
    """``start(dtype)`` → the shared values before the first step"""
    advance: Callable[[tuple[Tree, ...]], tuple[tuple[Tree, ...], Context]] = lambda _: ((), ())
    """``advance(shared)`` → shared, context"""
    reads: Reasons = MappingProxyType({})
    """The names from :data:`READ_BY_ARRAYS` that the rule reads."""
    by_leaf: tuple[Value, ...] = ()
    """The values that differ from leaf to leaf."""
    takes_bus: bool = False
    """True if its input is a bus of several signals."""
    gives_bus: bool = False
    """True if its output is a bus of several signals."""
    keeps_sign: Callable[[bool], bool] = lambda _: False
    """``keeps_sign(is_nonnegative)`` → whether the output has no negative elements, given whether
    the input has none"""
    squares: bool = False
    """True if a part of it squares the input or a result: then elements of the input must not be so
    large that their squares are infinite."""


class TreeRule(NamedTuple):
    """A transformation of a whole tree."""

    names: tuple[str, ...]
    """The names of its entries in the state."""
    init: Callable[[Params], tuple[Tree, ...]]
    """``init(params)`` → a value for each name"""
    update: Callable[[Updates, tuple[Tree, ...], Params, Extra], tuple[Updates, tuple[Tree, ...]]]
    """``update(updates, values, params, extra)`` → updates, values"""
    reads: Reasons = MappingProxyType({})
    """The names from :data:`READ_BY_TREES` that the rule reads; :data:`EVERYTHING` for all."""
    goes_by_array: bool = False
    """True if, outside of a trace, it runs compiled functions on a few arrays at a time."""

    def is_reading(self, name: str) -> bool:
        """Tell whether the update reads the extra argument of this name."""
        return name in self.reads or EVERYTHING in self.reads


class Part(NamedTuple):
    """A transformation as wiring receives it: the value, its rule, and how it was opened."""

    tx: Value
    rule: "ArrayRule | TreeRule"
    count: Leaf
    dtype: np.dtype
    links: int


def reasons(rules: Sequence[ArrayRule | TreeRule]) -> Reasons:
    """The names that any of the rules reads, with the reason of the first rule that reads each."""
    if len(rules) == 1:
        return rules[0].reads
    found: dict[str, str] = {}
    for rule in rules:
        for name, reason in rule.reads.items():
            found.setdefault(name, reason)
    return found


def require(reads: Reasons, name: str, given: object) -> None:
    """Raise if a call lacks an input that is read.

    Raises:
        ValueError: if it is missing. The message names the transformation that reads it, and how to
            pass it.
        TypeError: if it must be a function but is not.
    """
    if given is not None or name not in reads:
        if name.endswith("_fn") and name in reads and not callable(given):
            raise TypeError(
                f"the keyword {name} must be a function of the parameters, such as "
                f"{SUPPLIED[name]}, not {given!r}"
            )
        return
    if name in ("param", "params"):
        raise ValueError(
            f"params are needed by {reads[name]} Call update(updates, state, params) with the "
            "parameters that the updates are for"
        )
    raise ValueError(
        f"the keyword {name} is needed by {reads[name]} Call update(updates, state, params, "
        f"{name}={SUPPLIED[name]}); minimize and sweep supply it"
    )


def output_like(rule: ArrayRule, like: Signal, slots: tuple[Tree, ...], reading: Reading) -> Signal:
    """The shape and the dtype of the output of ``rule`` for an input like ``like``."""

    def output(like, slots, param):
        dtype = np.dtype(np.finfo(jax.tree.leaves(like)[0].dtype).dtype)
        _, context = rule.advance(rule.start(dtype))
        seen = reading._replace(param=param, grad=like, value=0.0, key=jax.random.key(0))
        return rule.update(like, slots, context, seen)[0]

    return jax.eval_shape(output, like, slots, reading.param)


def like_before(shapes: Signal, before: Signal) -> Signal:
    """Zeros of these shapes, or the arrays ``before`` where they already have that shape."""
    arrays = {(x.shape, x.dtype): x for x in jax.tree.leaves(before) if isinstance(x, jax.Array)}

    def array(shape: jax.ShapeDtypeStruct) -> jax.Array:
        known = arrays.get((shape.shape, shape.dtype))
        if known is not None:
            return known
        # Before JAX 0.10.1 zeros_like ignores the sharding of a ShapeDtypeStruct.
        return jnp.zeros(shape.shape, shape.dtype, device=shape.sharding)

    return jax.tree.map(array, shapes)
