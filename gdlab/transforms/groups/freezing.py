"""Frozen parameters."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions, TreeFunctions
from gdlab.core.by_leaf import Mask, mask_at_leaves
from gdlab.core.rules import EVERYTHING
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.transforms.groups.masking import masked, on_leaves


@leafwise
def set_to_zero() -> LeafFunctions:
    """Set all updates to zero: the transformation of frozen parameters.

    uₜ = 0

    >>> import jax.numpy as jnp
    >>> from gdlab import set_to_zero
    >>> tx = set_to_zero()
    >>> tx.update(jnp.array([jnp.nan]), tx.init(jnp.zeros(1)))[0]
    Array([0.], dtype=float32)
    """
    return jnp.zeros_like


@transformation
def freeze(mask: Mask) -> GradientTransformation:
    """Make the updates of the chosen leaves zero; the others pass unchanged.

    As the last link of a chain it keeps parameters bit for bit. To keep no state for them either,
    use :func:`selective_transform`.

    Args:
        mask: which leaves are frozen, as for :func:`masked`.

    Raises:
        ValueError: if a pattern matches no leaf, or the mask does not fit the tree.

    >>> import jax.numpy as jnp
    >>> from gdlab import freeze
    >>> tx = freeze("body")
    >>> params = {"body": jnp.ones(1), "head": jnp.ones(1)}
    >>> tx.update(params, tx.init(params))[0]
    {'body': Array([0.], dtype=float32), 'head': Array([1.], dtype=float32)}
    """
    return masked(set_to_zero(), mask)


@transformation(reads=EVERYTHING, slots=("inner",))
def selective_transform(optimizer: GradientTransformation, *, freeze_mask: Mask) -> TreeFunctions:
    """Train the leaves that are not frozen, and keep nothing for those that are.

    Args:
        optimizer: the optimizer of the other leaves.
        freeze_mask: which leaves are frozen, as for :func:`masked`.

    Raises:
        ValueError: if a pattern matches no leaf, or the mask does not fit the tree.

    >>> import jax.numpy as jnp
    >>> from gdlab import selective_transform, sgd
    >>> tx = selective_transform(sgd(0.1, momentum=0.9), freeze_mask="body")
    >>> params = {"body": jnp.ones(1), "head": jnp.ones(1)}
    >>> updates, state = tx.update(params, tx.init(params))
    >>> updates
    {'body': Array([0.], dtype=float32), 'head': Array([-0.1], dtype=float32)}
    >>> state.inner.trace
    {'body': None, 'head': Array([1.], dtype=float32)}
    """

    def trained(params):
        return [not frozen for frozen in mask_at_leaves(freeze_mask, params)]

    return on_leaves(optimizer, trained, jnp.zeros_like)
