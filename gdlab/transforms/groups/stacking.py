"""Alike arrays of the parameters, updated together."""

import sys
from typing import cast

from gdlab.core.by_leaf import ByLeaf, Structure
from gdlab.core.dispatch import as_tree_rule
from gdlab.core.rules import Part, TreeRule
from gdlab.core.slots_by_leaf import noting
from gdlab.core.stacking import in_stacks
from gdlab.core.stacks import make_stacks_known_to_flax
from gdlab.core.transformation import GradientTransformation, wiring


@wiring
def stacked(
    inner: GradientTransformation,
    *,
    most: int = 16,
    elements: int = 2**18,
    labels: Structure = None,
) -> TreeRule:
    """Update alike arrays together, so that a step on many small ones has few kernels.

    Arrays of one shape and dtype are put into stacks, and each rule for one array is mapped over a
    stack. So every method makes the updates that it makes without: rules for the whole tree, such
    as a global norm, see the tree as it is, and what a rule does with the axes of an array it does
    with those of each array in a stack. Leaves with different values by path, such as a mask or a
    path that is read, are not alike; different numbers are stacked as well.

    The state keeps the moments of a stack as one array with one more axis. It is called as its
    first leaf is; :func:`unstacked` gives the state of ``inner`` itself.

    When to use:
        For hundreds of arrays of a few thousand elements, where a step is bound by the launches of
        its kernels, and its compilation by their number. Large arrays gain nothing.

    Args:
        inner: any method.
        most: the most arrays in a stack.
        elements: the most elements in a stack of several arrays; this bounds the memory, since the
            gradients of a stack are copied.
        labels: written like labels of :func:`partition`, with any hashable value. Leaves with
            different labels are not put into one stack. Arrays that lie differently over devices
            need different ones.

    Raises:
        ValueError: if ``most`` or ``elements`` is not positive, or if arrays that lie differently
            over devices would come into one stack.

    >>> import jax.numpy as jnp
    >>> from gdlab import sgd, stacked
    >>> params = {"first": jnp.zeros(2), "second": jnp.zeros(2), "third": jnp.zeros(3)}
    >>> tx = stacked(sgd(0.1, momentum=0.9))
    >>> updates, state = tx.update(params, tx.init(params))
    >>> {name: stack.shape for name, stack in state.trace.by_name().items()}
    {'first': (2, 2), 'third': (1, 3)}
    """
    for name, number in (("most", most), ("elements", elements)):
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError(f"stacked: {name} must be a positive whole number, not {number!r}")
    rule = as_tree_rule(cast(Part, inner))
    apart = cast(ByLeaf, labels)

    def init(params):
        if "flax.serialization" in sys.modules:
            make_stacks_known_to_flax()
        with noting(apart.at_leaves):
            values = rule.init(params)
        return in_stacks(values, lambda size: min(most, elements // max(size, 1)))

    return rule._replace(init=init)
