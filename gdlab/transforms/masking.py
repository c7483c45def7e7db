"""Different treatment of different parameters: masks, groups, and no treatment at all."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.core.labels import Labels
from gdlab.core.mask import Mask
from gdlab.core.structure import flatten, is_none
from gdlab.core.transformation import GradientTransformation, leafwise, transformation


class MaskedState(NamedTuple):
    """State of :func:`masked`."""

    inner: Any
    """The state of the inner transformation, which has nothing for the other leaves."""


class PartitionState(NamedTuple):
    """State of :func:`partition`."""

    groups: dict[str, Any]
    """The state of each group's transformation, which has nothing for the other groups."""


@transformation
def masked(inner: GradientTransformation, mask: Mask) -> Any:
    """Apply a transformation to the leaves that a mask chooses; the others pass unchanged.

    Args:
        inner: what is applied to the chosen leaves; it keeps no state for the others.
        mask: a tree of booleans (or a prefix of one), a regular expression searched for in the
            dotted path of a leaf (or a list of several), or a function from the parameters to a
            tree of booleans.

    Raises:
        ValueError: if a pattern matches no leaf, or the mask does not fit the tree.

    >>> import jax.numpy as jnp
    >>> from gdlab import masked, scale
    >>> tx = masked(scale(10.0), mask={"w": True, "b": False})
    >>> params = {"w": jnp.ones(1), "b": jnp.ones(1)}
    >>> tx.update(params, tx.init(params))[0]
    {'b': Array([1.], dtype=float32), 'w': Array([10.], dtype=float32)}
    """

    def init(params):
        return MaskedState(inner.init(_only(params, mask.spread(params))))

    def update(updates, state, params=None, **extra):
        chosen = mask.spread(updates if params is None else params)
        new, inner_state = inner.update(
            _only(updates, chosen), state.inner, _only(params, chosen), **extra
        )
        return _merge([(chosen, new), ([not flag for flag in chosen], updates)]), MaskedState(
            inner_state
        )

    return init, update


@transformation
def partition(transforms: Mapping[str, GradientTransformation], param_labels: Labels) -> Any:
    """Apply a different transformation to each group of parameters.

    A group sees its own leaves alone: a global norm within it is the norm of the group. A frozen
    group (:func:`set_to_zero`) keeps no state.

    Args:
        transforms: label → transformation.
        param_labels: the label of each leaf: a tree of labels (or a prefix of one), a function
            from the parameters to such a tree, or a list of pairs ``(pattern, label)``, where the
            first regular expression found in the dotted path of a leaf decides.

    Raises:
        ValueError: if a leaf has no label, a label has no transformation, or a pattern matches no
            leaf.

    >>> import jax.numpy as jnp
    >>> from gdlab import partition, set_to_zero, sgd
    >>> tx = partition(
    ...     {"train": sgd(0.1), "freeze": set_to_zero()},
    ...     [("head", "train"), ("", "freeze")],
    ... )
    >>> params = {"body": jnp.ones(1), "head": jnp.ones(1)}
    >>> tx.update(params, tx.init(params))[0]
    {'body': Array([0.], dtype=float32), 'head': Array([-0.1], dtype=float32)}
    """

    def groups(params):
        labels = param_labels.spread(params, transforms)
        return {name: [label == name for label in labels] for name in transforms}

    def init(params):
        members = groups(params)
        return PartitionState(
            {name: tx.init(_only(params, members[name])) for name, tx in transforms.items()}
        )

    def update(updates, state, params=None, **extra):
        members = groups(updates if params is None else params)
        parts, states = [], {}
        for name, tx in transforms.items():
            part, states[name] = tx.update(
                _only(updates, members[name]),
                state.groups[name],
                _only(params, members[name]),
                **extra,
            )
            parts.append((members[name], part))
        return _merge(parts), PartitionState(states)

    return init, update


@leafwise
def set_to_zero() -> Any:
    """Make all updates zero, whatever they were: the transformation of frozen parameters.

    uₜ = 0

    >>> import jax.numpy as jnp
    >>> from gdlab import set_to_zero
    >>> tx = set_to_zero()
    >>> tx.update(jnp.array([jnp.nan]), tx.init(jnp.zeros(1)))[0]
    Array([0.], dtype=float32)
    """
    return jnp.zeros_like


def _only(tree: Any, chosen: list[bool]) -> Any:
    """The tree with ``None`` where a leaf is not chosen: everything passes ``None`` on."""
    if tree is None:
        return None
    leaves, treedef = flatten(tree)
    return treedef.unflatten(
        [leaf if flag else None for leaf, flag in zip(leaves, chosen, strict=True)]
    )


def _merge(parts: list[tuple[list[bool], Any]]) -> Any:
    """One tree of the leaves that each part was given."""
    _, treedef = flatten(parts[0][1])
    columns = [jax.tree.leaves(part, is_leaf=is_none) for _, part in parts]
    owners = zip(*(chosen for chosen, _ in parts), strict=True)
    return treedef.unflatten(
        [columns[flags.index(True)][index] for index, flags in enumerate(owners)]
    )
