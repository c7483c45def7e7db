"""Per-example gradients that are clipped, added up, and made private by noise."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import NonNegative
from gdlab.core.structure import Number, Tree
from gdlab.core.transformation import transformation
from gdlab.transforms.norms.clipping import shortening
from gdlab.transforms.norms.norms import tree_norm


def per_example_global_norm_clip(grads: Tree, l2_norm_clip: Number) -> tuple[Tree, jax.Array]:
    """The sum of per-example gradients, each clipped to a norm, and the number clipped.

    Σᵢ gᵢ·min(1, C/‖gᵢ‖), with the norm over the whole tree

    Args:
        grads: a tree of arrays with a leading axis of examples.
        l2_norm_clip: the largest norm C.

    Returns:
        The sum, and the number of examples whose gradients had a norm above C.

    Raises:
        ValueError: if an array has no axis of examples, or the arrays differ in its length.

    >>> import jax.numpy as jnp
    >>> from gdlab import per_example_global_norm_clip
    >>> total, clipped = per_example_global_norm_clip(jnp.array([[3.0, 4.0], [0.5, 0.0]]), 1.0)
    >>> total, int(clipped)
    (Array([1.1, 0.8], dtype=float32), 1)

    Source: M. Abadi et al., Deep learning with differential privacy, 2016, algorithm 1.
    """
    if isinstance(l2_norm_clip, float) and not l2_norm_clip >= 0:
        raise ValueError(f"l2_norm_clip must be at least 0, not {l2_norm_clip}")
    norms = jax.vmap(tree_norm, axis_size=_examples(grads))(grads)
    factors = shortening(norms, l2_norm_clip)
    total = jax.tree.map(lambda g: jnp.tensordot(factors.astype(g.dtype), g, axes=1), grads)
    return total, jnp.sum(factors < 1)


def per_example_layer_norm_clip(
    grads: Tree, global_l2_norm_clip: Number, uniform: bool = True
) -> tuple[Tree, Tree]:
    """The sum of per-example gradients, each array of which is clipped to a norm.

    Array k of K is clipped to C/√K, or in proportion to the root of its size, C·√(nₖ/n), so that
    the norm of a whole gradient is at most C.

    Args:
        grads: a tree of arrays with a leading axis of examples.
        global_l2_norm_clip: the largest norm C.
        uniform: whether all K arrays have the same bound, instead of one in proportion to √nₖ.

    Returns:
        The sum, and for each array the number of examples in which it was clipped.

    Raises:
        ValueError: if an array has no axis of examples, or the arrays differ in its length.

    >>> import jax.numpy as jnp
    >>> from gdlab import per_example_layer_norm_clip
    >>> grads = {"a": jnp.array([[3.0, 4.0]]), "b": jnp.array([[0.5]])}
    >>> per_example_layer_norm_clip(grads, 2**0.5)[0]
    {'a': Array([0.6, 0.8], dtype=float32), 'b': Array([0.5], dtype=float32)}

    Source: H. B. McMahan, D. Ramage, K. Talwar, L. Zhang, Learning differentially private recurrent
    language models, 2018, section 2.
    """
    if isinstance(global_l2_norm_clip, float) and not global_l2_norm_clip >= 0:
        raise ValueError(f"global_l2_norm_clip must be at least 0, not {global_l2_norm_clip}")
    _examples(grads)
    leaves, treedef = jax.tree.flatten(grads)
    sizes = [leaf[0].size for leaf in leaves]
    shares = [1 / len(leaves) if uniform else size / sum(sizes) for size in sizes]
    bounds = [global_l2_norm_clip * share**0.5 for share in shares]
    pairs = [per_example_global_norm_clip(g, c) for g, c in zip(leaves, bounds, strict=True)]
    return treedef.unflatten([total for total, _ in pairs]), treedef.unflatten(
        [clipped for _, clipped in pairs]
    )


@transformation(reads=("key", "step"))
def differentially_private_aggregate(
    l2_norm_clip: NonNegative, noise_multiplier: NonNegative
) -> TreeFunctions:
    """Turn per-example gradients into a differentially private mean.

    u = (Σᵢ gᵢ·min(1, C/‖gᵢ‖) + σ·C·ξ)/B, with ξ standard normal, over the B examples of a batch

    Put it first in a chain. Its input, with a leading axis of examples, is
    ``jax.vmap(jax.grad(loss), (None, 0))(params, batch)``. The noise is drawn from
    the keyword ``key`` of ``update`` and the step number, so one key serves for a whole run
    without repeating noise, which would break privacy. optax keeps a key in the state.

    Args:
        l2_norm_clip: C, the norm to which the gradient of each example is clipped.
        noise_multiplier: σ, the standard deviation of the noise in units of C.

    Raises:
        ValueError: if ``key`` is missing, or an array has no axis of examples.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import differentially_private_aggregate
    >>> tx = differentially_private_aggregate(1.0, noise_multiplier=0.0)
    >>> grads = jnp.array([[3.0, 4.0], [0.5, 0.0]])
    >>> tx.update(grads, tx.init(jnp.zeros(2)), key=jax.random.key(0))[0]
    Array([0.55, 0.4 ], dtype=float32)

    Source: M. Abadi et al., Deep learning with differential privacy, 2016, algorithm 1.
    """

    def update(updates, *, key, step):
        examples = _examples(updates)
        total, _ = per_example_global_norm_clip(updates, l2_norm_clip)
        leaves, treedef = jax.tree.flatten(total)
        keys = jax.random.split(jax.random.fold_in(key, step), len(leaves))
        sigma = noise_multiplier * l2_norm_clip
        noisy = [
            (leaf + sigma * jax.random.normal(key, leaf.shape, leaf.dtype)) / examples
            for key, leaf in zip(keys, leaves, strict=True)
        ]
        return treedef.unflatten(noisy)

    return update


def _examples(grads: Tree) -> int:
    """The number of examples, along the leading axis of all arrays."""
    shapes = [leaf.shape for leaf in jax.tree.leaves(grads)]
    counts = {shape[:1] for shape in shapes}
    if len(counts) > 1 or () in counts:
        raise ValueError(
            "the gradients of single examples have a leading axis of examples, the same for all "
            f"arrays; these have the shapes {shapes}: jax.vmap(jax.grad(loss), (None, 0)) makes it"
        )
    return counts.pop()[0] if counts else 1
