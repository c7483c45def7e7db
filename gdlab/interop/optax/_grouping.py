"""Masks and groups, and chains of any length."""

from collections.abc import Mapping

from gdlab.core import wiring as gdlab_wiring
from gdlab.core.authoring import TreeFunctions
from gdlab.core.by_leaf import Labels, Mask, mask_at_leaves
from gdlab.core.rules import EVERYTHING, TreeRule
from gdlab.core.transformation import GradientTransformation, transformation, wiring
from gdlab.core.wiring import identity
from gdlab.transforms.groups import masking


def chain(*args: GradientTransformation) -> GradientTransformation:
    """Transformations in series; an empty chain returns the gradients.

    All keywords of ``update`` reach all links.

    >>> from gdlab.interop import optax
    >>> optax.chain(optax.clip(1.0), optax.sgd(0.1))
    chain(clip(1.0), sgd(0.1))
    >>> optax.chain()
    identity()
    """
    return gdlab_wiring.chain(*args) if args else identity()


def named_chain(*args: tuple[str, GradientTransformation]) -> GradientTransformation:
    """Transformations in series, from pairs of a name and a transformation.

    >>> from gdlab.interop import optax
    >>> optax.named_chain(("clip", optax.clip(1.0)), ("descend", optax.sgd(0.1)))
    named_chain(('clip', clip(1.0)), ('descend', sgd(0.1)))
    """
    return gdlab_wiring.named_chain(*args) if args else identity()


@transformation(reads=EVERYTHING, slots=("inner_state",))
def masked(
    inner: GradientTransformation,
    mask: Mask,
    *,
    mask_compatible_extra_args: bool = False,  # noqa: ARG001
) -> TreeFunctions:
    """Apply a transformation to the leaves that a mask chooses; the others pass unchanged.

    Args:
        inner: what is applied to the chosen leaves.
        mask: a tree of booleans, or a function from the parameters to one.
        mask_compatible_extra_args: accepted for compatibility and ignored; ``grad``, ``value_fn``
            and ``grad_fn`` are always restricted to the chosen leaves, and other keywords pass
            unchanged.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> tx = optax.masked(optax.scale(10.0), {"w": True, "b": False})
    >>> params = {"w": jnp.ones(1), "b": jnp.ones(1)}
    >>> tx.update(params, tx.init(params))[0]
    {'b': Array([1.], dtype=float32), 'w': Array([10.], dtype=float32)}
    """
    return masking.on_leaves(inner, lambda params: mask_at_leaves(mask, params), lambda u: u)


@wiring
def with_inner_states(groups: GradientTransformation) -> TreeRule:
    """A partition whose state entries have optax's names."""
    rule: TreeRule = groups.rule  # type: ignore[attr-defined]
    return rule._replace(names=("inner_states",))


@transformation
def partition(
    transforms: Mapping[str, GradientTransformation],
    param_labels: Labels,
    *,
    mask_compatible_extra_args: bool = False,
) -> GradientTransformation:
    """Apply a different transformation to each group of parameters.

    ``state.inner_states[label].inner_state`` is the state of a group.

    Args:
        transforms: label → transformation.
        param_labels: a tree of labels, or a function from the parameters to one.
        mask_compatible_extra_args: as for :func:`masked`.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop import optax
    >>> transforms = {"train": optax.sgd(0.1), "freeze": optax.set_to_zero()}
    >>> tx = optax.partition(transforms, {"body": "freeze", "head": "train"})
    >>> params = {"body": jnp.ones(1), "head": jnp.ones(1)}
    >>> tx.update(params, tx.init(params))[0]
    {'body': Array([0.], dtype=float32), 'head': Array([-0.1], dtype=float32)}
    """
    groups = {
        label: masked(tx, True, mask_compatible_extra_args=mask_compatible_extra_args)
        for label, tx in transforms.items()
    }
    return with_inner_states(masking.partition(groups, param_labels))
