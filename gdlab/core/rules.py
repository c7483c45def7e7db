"""The rules into which a transformation is opened: a rule for one array, or one for a tree.

An :class:`ArrayRule` treats all arrays alike and apart, so that neighbours can be fused and mapped
over the leaves together. A :class:`TreeRule` sees the whole tree.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.structure import Context, Extra, Leaf, Params, Signal, Tree, Updates, Value

READ_BY_ARRAYS = ("param", "grad", "value", "key", "step", "path")
"""The names of all that a rule for one array can read beside its input."""
READ_BY_INIT = ("param", "path")
"""The names of all that the ``init`` of a rule for one array can read."""
READ_BY_TREES = ("params", "grad", "value", "value_fn", "grad_fn", "key", "step")
"""The names of all that a rule for a tree can read beside its input."""
SUPPLIED = {
    "grad": "gradient",
    "value": "loss(params)",
    "value_fn": "loss",
    "grad_fn": "jax.grad(loss)",
    "key": "jax.random.key(0)",
}
"""An example of the argument of ``update`` for each reading, as messages show it."""
EVERYTHING = "everything"
"""The declaration of a wrapper, which hands on all that it is given."""

Reasons = Mapping[str, str]
"""A map from each name that is read to the transformation that reads it, and its use there."""


class Reading(NamedTuple):
    """The readings of rules at one array, beside their input."""

    param: Leaf = None
    grad: Leaf = None
    value: Leaf = None
    key: Leaf = None
    by_leaf: Mapping[int, Leaf] = MappingProxyType({})
    """The values given by leaf, by the identity of the object that holds them."""
    is_nonnegative: bool = False
    """True if ``init`` may rely on an input that is nowhere negative."""


class ArrayRule(NamedTuple):
    """A transformation of one array at a time.

    It keeps *slots* for each array, and *shared* scalars, which ``advance`` renews once a step and
    from which it makes the *context* that ``update`` reads.
    """

    slots: tuple[str, ...]
    """The names of what is kept for each array."""
    init: Callable[[Signal, Reading], tuple[Tree, ...]]
    """``init(like, reading)`` → a value of each slot, for an input like ``like``"""
    update: Callable[[Signal, tuple[Tree, ...], Context, Reading], tuple[Signal, tuple[Tree, ...]]]
    """``update(update, slots, context, reading)`` → update, slots"""
    shared: tuple[str, ...] = ()
    """The names of what all arrays share."""
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
    """``keeps_sign(is_nonnegative)`` → whether the output is nowhere negative, given that of the
    input"""
    squares: bool = False
    """True if a part of it squares the input or what comes of it: then no element that is handed in
    may be so large that its square is infinite."""


class TreeRule(NamedTuple):
    """A transformation of a whole tree."""

    names: tuple[str, ...]
    """The names of what it keeps."""
    init: Callable[[Params], tuple[Tree, ...]]
    """``init(params)`` → a value of each name"""
    update: Callable[[Updates, tuple[Tree, ...], Params, Extra], tuple[Updates, tuple[Tree, ...]]]
    """``update(updates, values, params, extra)`` → updates, values"""
    reads: Reasons = MappingProxyType({})
    """The names that are read of :data:`READ_BY_TREES`; :data:`EVERYTHING` stands for all."""
    goes_by_array: bool = False
    """True if outside of a trace it runs compiled functions on some arrays at a time."""

    def is_reading(self, name: str) -> bool:
        """Tell whether the update reads the extra argument of this name."""
        return name in self.reads or EVERYTHING in self.reads


class Part(NamedTuple):
    """A transformation as wiring sees it: the value, the rule that it is, and how it was opened."""

    tx: Value
    rule: "ArrayRule | TreeRule"
    count: Leaf
    dtype: np.dtype
    links: int


def reasons(rules: Sequence[ArrayRule | TreeRule]) -> Reasons:
    """The names that any of the rules reads → the reason of the first rule that reads the name."""
    if len(rules) == 1:
        return rules[0].reads
    found: dict[str, str] = {}
    for rule in rules:
        for name, reason in rule.reads.items():
            found.setdefault(name, reason)
    return found


def require(reads: Reasons, name: str, given: object) -> None:
    """Refuse a call that lacks what is read.

    Raises:
        ValueError: with the transformation that reads it, and how it is given.
        TypeError: if what must be a function is none.
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
    """The shape and the dtype of what ``rule`` makes of an input like ``like``."""

    def output(like, slots, param):
        dtype = np.dtype(np.finfo(jax.tree.leaves(like)[0].dtype).dtype)
        _, context = rule.advance(rule.start(dtype))
        seen = reading._replace(param=param, grad=like, value=0.0, key=jax.random.key(0))
        return rule.update(like, slots, context, seen)[0]

    return jax.eval_shape(output, like, slots, reading.param)


def like_before(shapes: Signal, before: Signal) -> Signal:
    """Zeros of these shapes, or what came before where it has that shape already."""
    arrays = {(x.shape, x.dtype): x for x in jax.tree.leaves(before) if isinstance(x, jax.Array)}

    def array(shape: jax.ShapeDtypeStruct) -> jax.Array:
        known = arrays.get((shape.shape, shape.dtype))
        if known is not None:
            return known
        # Before JAX 0.10.1 zeros_like forgets the sharding of a shape.
        return jnp.zeros(shape.shape, shape.dtype, device=shape.sharding)

    return jax.tree.map(array, shapes)
