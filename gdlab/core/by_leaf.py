"""Values that may differ from leaf to leaf of the parameters: numbers, masks, labels, structure.

A value by leaf may be written as a tree, as a prefix of a tree, as patterns of paths, or as a
function of the parameters. In each case it is spread over the leaves once the tree is known, and a
rule for one array gets the value of its leaf.
"""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Annotated, TypeAlias

import jax
import numpy as np
from jax.core import Tracer

from gdlab.checks.user_functions import called_as
from gdlab.checks.values import is_array_of_reals, is_truth_value, shortened
from gdlab.core.annotations import Data
from gdlab.core.representation import represent
from gdlab.core.static import Static
from gdlab.core.structure import (
    Leaf,
    Params,
    Tree,
    Value,
    is_argument,
    is_container,
    leaves_with_paths,
    require_matches,
    spread,
)


class ByLeaf:
    """A value for each leaf of the parameters.

    ``values`` is a tree of values (or a prefix of such a tree), or a function from the parameters
    to such a tree. With ``patterns`` it is a tuple with one value for each pattern, and a leaf gets
    the value of the first pattern found in its dotted path. Numbers are children of this pytree;
    other values are structure.
    """

    __slots__ = ("default", "name", "patterns", "values")

    def __init__(
        self,
        values: Tree,
        patterns: tuple[str, ...] | None = None,
        default: object = None,
        name: str = "a value by leaf",
    ):
        self.name: str = name
        """The name of the argument, for messages."""
        self.values: Tree = values
        self.patterns: tuple[str, ...] | None = patterns
        self.default: object = default
        """The value of a leaf that no pattern matches; None if each leaf has to match one."""

    def at_leaves(self, params: Params) -> list[Leaf]:
        """The value at each leaf of ``params``, in order; ``None`` leaves count.

        Values of any structure fit a tree without leaves.

        Raises:
            ValueError: if the values do not fit the tree, a pattern matches no path, or a leaf
                that is not None has no value.
        """
        pairs = leaves_with_paths(params)
        if not pairs:
            return []
        if self.patterns is None:
            tree = self.values
            if self.is_function:
                tree = called_as(f"{self._function_name}(params)", self.values, params)
            return spread(self.name, tree, params)
        require_matches(self.name, self.patterns, [path for path, _ in pairs])
        return [None if leaf is None else self._first_match(path) for path, leaf in pairs]

    @property
    def _function_name(self) -> str:
        """The name of the argument that holds the function, for messages."""
        return self.name

    def _first_match(self, path: str) -> Leaf:
        assert self.patterns is not None
        for pattern, value in zip(self.patterns, self.values, strict=True):
            if re.search(pattern, path):
                return value
        if self.default is not None:
            return self.default
        raise ValueError(f"{self.name}: no pattern matches the leaf at {path!r}")

    def sample(self) -> Leaf:
        """Any one of the values; None if they are a function of the parameters."""
        is_one = lambda node: node is None or is_argument(node)  # noqa: E731
        values = [] if self.is_function else jax.tree.leaves(self.values, is_leaf=is_one)
        return values[0] if values else None

    def known_values(self) -> list[Leaf]:
        """The values that are known without the parameters."""
        if self.is_function:
            return []
        return list(self.values) if self.patterns is not None else _plain_values(self.values)

    @property
    def is_function(self) -> bool:
        """Tell whether the values are a function of the parameters."""
        return callable(self.values) and not is_container(self.values)

    def __repr__(self) -> str:
        if self.patterns is not None and self.default is False:
            return represent(self.patterns[0] if len(self.patterns) == 1 else list(self.patterns))
        if self.patterns is not None:
            return represent(list(zip(self.patterns, self.values, strict=True)))
        return represent(self.values)


def _plain_values(tree: Tree) -> list[Leaf]:
    # A tuple of numbers is one value, such as a choice of axes.
    return jax.tree.leaves(tree, is_leaf=lambda node: node is None or isinstance(node, tuple))


def _static(by_leaf: ByLeaf) -> Static:
    return Static({name: getattr(by_leaf, name) for name in ByLeaf.__slots__})


class NumberByLeaf(ByLeaf):
    """A number for each leaf of the parameters."""

    __slots__ = ()

    @property
    def _function_name(self) -> str:
        return "values"  # of by_leaf

    def sample(self) -> Leaf:
        """Any one of the numbers; a placeholder if they are a function of the parameters."""
        return 0.5 if self.is_function else super().sample()

    def at_leaves(self, params: Params) -> list[Leaf]:
        """The number at each leaf of ``params``, in order.

        Raises:
            ValueError: in the cases of :meth:`ByLeaf.at_leaves`.
            TypeError: if a function of the parameters returned something other than a number.
        """
        values = super().at_leaves(params)
        if self.is_function:
            for (path, leaf), value in zip(leaves_with_paths(params), values, strict=True):
                if leaf is not None and not (is_array_of_reals(value) or is_argument(value)):
                    raise TypeError(
                        f"{self.name}: what by_leaf is given must return a number at {path!r}, not "
                        f"{shortened(value)}"
                    )
        return values

    def __repr__(self) -> str:
        return f"by_leaf({super().__repr__()})" if self.is_function else super().__repr__()


class MaskByLeaf(ByLeaf):
    """A truth value for each leaf of the parameters."""

    __slots__ = ()

    def at_leaves(self, params: Params) -> list[Leaf]:
        """The truth value at each leaf of ``params``, in order.

        Raises:
            ValueError: in the cases of :meth:`ByLeaf.at_leaves`.
            TypeError: if a value is not a truth value.
        """
        flags = super().at_leaves(params)
        for (path, leaf), flag in zip(leaves_with_paths(params), flags, strict=True):
            if leaf is not None and (isinstance(flag, Tracer) or not is_truth_value(flag)):
                raise TypeError(
                    f"{self.name}: the value at {path!r} must be True or False, not "
                    f"{shortened(flag)}"
                )
        return flags


def _register_as_structure(cls: type[ByLeaf]) -> None:
    jax.tree_util.register_pytree_node(
        cls, lambda by_leaf: ((), _static(by_leaf)), lambda static, _: cls(**static.values)
    )


_register_as_structure(ByLeaf)
_register_as_structure(MaskByLeaf)


def _numbers_with_keys(by_leaf: NumberByLeaf) -> tuple[Value, Value]:
    # Flattened by one level of the user's tree, so that paths read `learning_rate.encoder`.
    is_below = lambda node: node is not by_leaf.values  # noqa: E731
    pairs, treedef = jax.tree_util.tree_flatten_with_path(by_leaf.values, is_leaf=is_below)
    if by_leaf.is_function:
        return [], (Static({"values": by_leaf.values}), None)
    return [(path[0], child) for path, child in pairs], (treedef, by_leaf.patterns)


def _numbers_again(aux: tuple[Value, Value], children: Value) -> NumberByLeaf:
    structure, patterns = aux
    if isinstance(structure, Static):
        return NumberByLeaf(structure.values["values"])
    return NumberByLeaf(structure.unflatten(children), patterns)


jax.tree_util.register_pytree_with_keys(NumberByLeaf, _numbers_with_keys, _numbers_again)


def by_leaf(values: Callable[[Params], Tree]) -> NumberByLeaf:
    """A hyperparameter that is a function of the parameters, one number for each leaf.

    A tree of numbers, or a list of pairs ``(pattern, number)``, can be given as it is. A function
    has to be wrapped by this, because a bare function is taken for a schedule.

    Args:
        values: a function from the parameters to a tree of numbers, or a prefix of such a tree.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import by_leaf, sgd
    >>> tx = sgd(by_leaf(lambda params: jax.tree.map(lambda w: 1.0 / w.size, params)))
    >>> params = {"a": jnp.ones(1), "b": jnp.ones(2)}
    >>> tx.update(params, tx.init(params))[0]
    {'a': Array([-1.], dtype=float32), 'b': Array([-0.5, -0.5], dtype=float32)}
    """
    if not callable(values) or is_container(values):
        raise TypeError(f"by_leaf takes a function of the parameters, not {values!r}")
    return NumberByLeaf(values)


def patterns_of(value: object) -> tuple[tuple[str, Value], ...] | None:
    """The pairs of a list of pairs ``(pattern, value)``; None if ``value`` is not such a list."""
    if not (isinstance(value, list | tuple) and value):
        return None
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        return None
    if not all(isinstance(pattern, str) for pattern, _ in value):
        return None
    for pattern, _ in value:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
    return tuple(value)


def as_structure(value: Value, name: str = "a value by leaf", cls: type[ByLeaf] = ByLeaf) -> ByLeaf:
    """Convert a user's structure by leaf into an instance of the class ``cls``."""
    if isinstance(value, ByLeaf):
        return value
    patterns, values = None, value
    if pairs := patterns_of(value):
        patterns, values = zip(*pairs, strict=True)
    # Copied by Static, so that later changes of the user's object have no effect.
    return cls(**_static(ByLeaf(values, patterns, name=name)).values)


def as_mask(value: Value) -> ByLeaf | None:
    """Convert a user's mask into a value by leaf; None, which chooses all leaves, stays None."""
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise TypeError(
            f"expected booleans, patterns or a function of the parameters, not {value!r}"
        )
    patterns = [value] if isinstance(value, str) else value
    if isinstance(patterns, list | tuple) and patterns and _all_strings(patterns):
        patterns_of([(pattern, True) for pattern in patterns])
        return MaskByLeaf((True,) * len(patterns), tuple(patterns), False, "mask")
    return as_structure(value, "mask", MaskByLeaf)


def _all_strings(values: Value) -> bool:
    return all(isinstance(value, str) for value in values)


def as_labels(value: Value) -> ByLeaf:
    """Convert a user's labels of leaves into a value by leaf."""
    return as_structure(value, "param_labels")


Mask: TypeAlias = Annotated[Tree, Data(as_mask, name="Mask")]
"""Annotation of an argument that chooses leaves of the parameters.

A boolean, a tree of booleans (or a prefix of one), a regular expression searched for in the dotted
path of each leaf (or a list of several), or a function from the parameters to a tree of booleans.
None chooses all leaves.
"""

Labels: TypeAlias = Annotated[Tree, Data(as_labels, name="Labels")]
"""Annotation of an argument that puts leaves of the parameters into groups.

A tree of labels (or a prefix of one), a function from the parameters to such a tree, or a list of
pairs ``(pattern, label)``: the first pattern found in the dotted path of a leaf decides.
"""

Structure: TypeAlias = Annotated[Tree, Data(as_structure, name="Structure")]
"""Annotation of an argument that is structure and may differ by leaf, such as a choice of axes.

Its forms are those of :data:`Labels`, with any hashable values in place of labels.
"""


def mask_at_leaves(mask: ByLeaf | None, params: Params) -> list[bool]:
    """Tell whether each leaf of ``params`` is chosen, in order; a ``None`` leaf is not."""
    pairs = leaves_with_paths(params)
    if mask is None:
        return [leaf is not None for _, leaf in pairs]
    chosen = mask.at_leaves(params)
    return [bool(flag) and leaf is not None for (_, leaf), flag in zip(pairs, chosen, strict=True)]


def same_value(value: Leaf) -> Hashable:
    """A key that is equal for equal values of two leaves."""
    is_array = isinstance(value, jax.Array | np.ndarray)
    return id(value) if is_array else (type(value), value)


def shared_by(
    values: Sequence[ByLeaf], rows: Sequence[Mapping[int, Leaf]]
) -> tuple[dict[int, Leaf], dict[int, list[Leaf]]]:
    """Split the values by leaf of several leaves into shared values and numbers that differ.

    Args:
        values: the values by leaf.
        rows: for each leaf the value of each value by leaf, by the ``id`` of the latter.

    Returns:
        The values that all leaves share, and the lists of numbers in which they differ, by ``id``.

    Raises:
        ValueError: if the leaves differ in a value that is not a number.
    """
    shared: dict[int, Leaf] = {}
    numbers: dict[int, list[Leaf]] = {}
    for value in values:
        column = [row[id(value)] for row in rows]
        if len({same_value(one) for one in column}) == 1:
            shared[id(value)] = column[0]
        elif isinstance(value, NumberByLeaf):
            numbers[id(value)] = column
        else:
            raise ValueError(
                f"{value.name}: leaves that are in one stack of the state have different values, "
                f"{column}; make the state by init for this transformation"
            )
    return shared, numbers
