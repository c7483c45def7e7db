"""Different treatment of different parameters: masks, groups, and no treatment at all."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions, TreeFunctions
from gdlab.core.by_leaf import ByLeaf, Labels, Mask, mask_at_leaves
from gdlab.core.rules import EVERYTHING
from gdlab.core.structure import Params, Tree, Updates, Value, flatten, is_none, leaves_with_paths
from gdlab.core.transformation import GradientTransformation, leafwise, transformation


@transformation(reads=EVERYTHING, slots=("inner",))
def masked(inner: GradientTransformation, mask: Mask) -> TreeFunctions:
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
        return (inner.init(_only(params, mask_at_leaves(mask, params))),)

    def update(updates, state, params, **extra):
        chosen = mask_at_leaves(mask, updates if params is None else params)
        own = _only(updates, chosen)
        if own is None:
            return updates, state
        new, inner_state = inner.update(
            own, state[0], _only(params, chosen), **_restricted(extra, chosen)
        )
        return _merge([(chosen, new), ([not flag for flag in chosen], updates)]), (inner_state,)

    return init, update


@transformation(reads=EVERYTHING, slots=("groups",))
def partition(
    transforms: Mapping[str, GradientTransformation], param_labels: Labels
) -> TreeFunctions:
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

    def members(params):
        labels = _known_labels(param_labels, transforms, params)
        return {name: [label == name for label in labels] for name in transforms}

    def init(params):
        groups = members(params)
        return ({name: tx.init(_only(params, groups[name])) for name, tx in transforms.items()},)

    def update(updates, state, params, **extra):
        groups, states = members(updates if params is None else params), dict(*state)
        parts = []
        for name, tx in transforms.items():
            chosen = groups[name]
            own = _only(updates, chosen)
            # Of a tree that is one array a group without it would be no tree at all.
            if own is not None:
                part, states[name] = tx.update(
                    own, states[name], _only(params, chosen), **_restricted(extra, chosen)
                )
                parts.append((chosen, part))
        return _merge(parts) if parts else updates, (states,)

    return init, update


def _known_labels(
    labels: ByLeaf, transforms: Mapping[str, GradientTransformation], params: Params
) -> list[str | None]:
    """The label of each leaf, None where there is no parameter."""
    found: list[str | None] = []
    pairs = leaves_with_paths(params)
    for (path, leaf), label in zip(pairs, labels.at_leaves(params), strict=True):
        if leaf is not None and label not in transforms:
            raise ValueError(
                f"param_labels: the leaf at {path!r} has the label {label!r}, for which there "
                f"is no transformation; there are {sorted(transforms)}"
            )
        found.append(None if leaf is None else label)
    return found


@leafwise
def set_to_zero() -> LeafFunctions:
    """Make all updates zero, whatever they were: the transformation of frozen parameters.

    uₜ = 0

    >>> import jax.numpy as jnp
    >>> from gdlab import set_to_zero
    >>> tx = set_to_zero()
    >>> tx.update(jnp.array([jnp.nan]), tx.init(jnp.zeros(1)))[0]
    Array([0.], dtype=float32)
    """
    return jnp.zeros_like


def _only(tree: Tree, chosen: list[bool]) -> Tree:
    """The tree with ``None`` where a leaf is not chosen: everything passes ``None`` on."""
    if tree is None:
        return None
    leaves, treedef = flatten(tree)
    return treedef.unflatten(
        [leaf if flag else None for leaf, flag in zip(leaves, chosen, strict=True)]
    )


def _restricted(extra: dict[str, Value], chosen: list[bool]) -> dict[str, Value]:
    """What the step knows, of the chosen leaves: the gradient is a tree like the updates."""
    return extra | {"grad": _only(extra["grad"], chosen)} if "grad" in extra else extra


def _merge(parts: list[tuple[list[bool], Updates]]) -> Updates:
    """One tree of the leaves that each part was given."""
    _, treedef = flatten(parts[0][1])
    columns = [jax.tree.leaves(part, is_leaf=is_none) for _, part in parts]
    owners = zip(*(chosen for chosen, _ in parts), strict=True)
    return treedef.unflatten(
        [
            columns[flags.index(True)][index] if any(flags) else None
            for index, flags in enumerate(owners)
        ]
    )
