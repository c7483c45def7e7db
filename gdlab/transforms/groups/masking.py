"""Different transformations for different parameters: masks and partitions."""

from collections.abc import Mapping
from typing import Annotated

import jax

from gdlab.core.annotations import NonEmpty
from gdlab.core.authoring import TreeFunctions
from gdlab.core.by_leaf import ByLeaf, Labels, Mask, mask_at_leaves
from gdlab.core.rules import EVERYTHING
from gdlab.core.structure import (
    Function,
    Params,
    flatten,
    leaves_with_paths,
)
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.transforms.groups.restriction import merge, only, restricted


@transformation(reads=EVERYTHING, slots=("inner",))
def masked(inner: GradientTransformation, mask: Mask) -> TreeFunctions:
    """Apply a transformation to the leaves that a mask chooses; the others pass unchanged.

    The keyword ``grad`` and the functions ``value_fn`` and ``grad_fn`` are restricted to the chosen
    leaves too, with the other parameters held fixed.

    Args:
        inner: the transformation of the chosen leaves, which keeps no state for the others.
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
    return on_leaves(inner, lambda params: mask_at_leaves(mask, params), lambda u: u)


def on_leaves(
    inner: GradientTransformation, choose: Function, otherwise: Function
) -> TreeFunctions:
    """Apply ``inner`` to the leaves that ``choose(params)`` flags, ``otherwise`` to the others."""

    def init(params):
        return (inner.init(only(params, choose(params))),)

    def update(updates, state, params, **extra):
        chosen = choose(updates if params is None else params)
        own, others = only(updates, chosen), [not flag for flag in chosen]
        rest = jax.tree.map(otherwise, only(updates, others))
        if own is None:
            return rest, state
        new, inner_state = inner.update(
            own, state[0], only(params, chosen), **restricted(extra, chosen, params)
        )
        return merge([(chosen, new), (others, rest)]), (inner_state,)

    return init, update


@transformation(reads=EVERYTHING, slots=("groups",))
def partition(
    transforms: Annotated[Mapping[str, GradientTransformation], NonEmpty],
    param_labels: Labels,
    *,
    default: str | None = None,
) -> TreeFunctions:
    """Apply a different transformation to each group of parameters.

    A group is given only its own leaves, and its functions ``value_fn`` and ``grad_fn`` hold the
    parameters of other groups fixed. A global norm within a group is the norm of the group; for a
    norm over all groups put a link before or after the partition. A frozen group
    (:func:`set_to_zero`) keeps no state.

    Args:
        transforms: label → transformation.
        param_labels: the label of each leaf: a tree of labels (or a prefix of one), a function
            from the parameters to such a tree, or a list of pairs ``(pattern, label)``, where the
            first regular expression found in the dotted path of a leaf decides.
        default: the label of leaves without a label: those that match no pattern, or whose label is
            None.

    Raises:
        ValueError: if a leaf has no label, a label has no transformation, or a pattern matches no
            leaf.

    >>> import jax.numpy as jnp
    >>> from gdlab import partition, set_to_zero, sgd
    >>> tx = partition(
    ...     {"train": sgd(0.1), "freeze": set_to_zero()},
    ...     [("head", "train")],
    ...     default="freeze",
    ... )
    >>> params = {"body": jnp.ones(1), "head": jnp.ones(1)}
    >>> tx.update(params, tx.init(params))[0]
    {'body': Array([0.], dtype=float32), 'head': Array([-0.1], dtype=float32)}
    """
    if default is not None:
        _require_known(default, "default", transforms)
        param_labels = _with_default(param_labels, default)

    def members(params):
        labels = _known_labels(param_labels, transforms, params)
        return {name: [label == name for label in labels] for name in transforms}

    def init(params):
        groups = members(params)
        return ({name: tx.init(only(params, groups[name])) for name, tx in transforms.items()},)

    def update(updates, state, params, **extra):
        groups, states = members(updates if params is None else params), dict(*state)
        parts = []
        for name, tx in transforms.items():
            chosen = groups[name]
            own = only(updates, chosen)
            # If the tree is a single array, a group without it has no tree.
            if own is not None:
                part, states[name] = tx.update(
                    own, states[name], only(params, chosen), **restricted(extra, chosen, params)
                )
                parts.append((chosen, part))
        return merge(parts) if parts else updates, (states,)

    return init, update


def _with_default(labels: ByLeaf, default: str) -> ByLeaf:
    if labels.patterns is not None:
        return ByLeaf(labels.values, labels.patterns, default, labels.name)

    def filled(params):
        found = [default if label is None else label for label in labels.at_leaves(params)]
        return flatten(params)[1].unflatten(found)

    return ByLeaf(filled, name=labels.name)


def _known_labels(
    labels: ByLeaf, transforms: Mapping[str, GradientTransformation], params: Params
) -> list[str | None]:
    """The label of each leaf, None where there is no parameter."""
    found: list[str | None] = []
    pairs = leaves_with_paths(params)
    for (path, leaf), label in zip(pairs, labels.at_leaves(params), strict=True):
        if leaf is not None:
            _require_known(label, f"param_labels: the leaf at {path!r}", transforms)
        found.append(None if leaf is None else label)
    return found


def _require_known(label: str, what: str, transforms: Mapping[str, GradientTransformation]) -> None:
    if label not in transforms:
        raise ValueError(
            f"{what} has the label {label!r}, for which there is no transformation; there are "
            f"{sorted(transforms)}"
        )
