"""The restriction of trees and of a step's keywords to some leaves."""

import jax

from gdlab.core.structure import Extra, Params, Tree, Updates, Value, flatten, is_none


def only(tree: Tree, chosen: list[bool]) -> Tree:
    """The tree with ``None`` for leaves that are not chosen."""
    if tree is None:
        return None
    leaves, treedef = flatten(tree)
    return treedef.unflatten(
        [leaf if flag else None for leaf, flag in zip(leaves, chosen, strict=True)]
    )


def restricted(extra: Extra, chosen: list[bool], params: Params) -> dict[str, Value]:
    """The keywords of a step for the chosen leaves, with the others held at ``params``."""

    def at(own: Params) -> Params:
        if params is None:
            raise ValueError(
                "a function of some parameters needs the others: call update(updates, state, "
                "params) with the parameters that the updates are for"
            )
        return merge([(chosen, own), ([not flag for flag in chosen], params)])

    known = dict(extra)
    if "grad" in extra:
        known["grad"] = only(extra["grad"], chosen)
    if "value_fn" in extra:
        known["value_fn"] = lambda own: extra["value_fn"](at(own))
    if "grad_fn" in extra:
        known["grad_fn"] = lambda own: only(extra["grad_fn"](at(own)), chosen)
    return known


def merge(parts: list[tuple[list[bool], Updates]]) -> Updates:
    """Merge the chosen leaves of several parts into one tree."""
    _, treedef = flatten(parts[0][1])
    columns = [jax.tree.leaves(part, is_leaf=is_none) for _, part in parts]
    owners = zip(*(chosen for chosen, _ in parts), strict=True)
    return treedef.unflatten(
        [
            columns[flags.index(True)][index] if any(flags) else None
            for index, flags in enumerate(owners)
        ]
    )
