"""MARS: AdamW on gradients with reduced variance."""

import jax

from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.structure import Params, Tree
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.adaptive.adam import adamw
from gdlab.transforms.groups.masking import partition
from gdlab.transforms.norms.clipping import clip_by_norm
from gdlab.transforms.parameters.decay import matrices
from gdlab.transforms.signals.variance_reduction import reduce_variance


def matrix_or_vector(params: Params) -> Tree:
    """The label of each leaf: ``"matrix"`` if it has two axes or more, ``"vector"`` otherwise."""
    return jax.tree.map(lambda flag: "matrix" if flag else "vector", matrices(params))


@transformation
def mars(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.95,
    b2: Fraction = 0.99,
    gamma: Hyperparameter = 0.025,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    weight_decay: Hyperparameter = 0.0,
    mask: Mask = None,
    *,
    max_norm: NonNegative = 1.0,
    exact: bool = False,
    adam_learning_rate: Hyperparameter | None = None,
    adam_b1: Hyperparameter = 0.9,
    adam_b2: Fraction = 0.95,
    adam_weight_decay: Hyperparameter = 0.1,
) -> GradientTransformation:
    """MARS-AdamW: AdamW on gradients corrected by their change, and plain AdamW for vectors.

    cₜ = gₜ + γ·b1/(1 − b1)·(gₜ − hₜ), c̃ₜ = cₜ·min(1, max_norm/‖cₜ‖) array by array, then AdamW on
    c̃ₜ; hₜ is the gradient at the parameters of the previous step

    Arrays with less than two axes are trained by AdamW without the correction. With γ = 0 it is
    AdamW on gradients whose norm is at most max_norm.

    When to use:
        Training language models with large batches, in place of AdamW, with a learning rate a few
        times larger. The exact form needs twice the gradients and is rarely worth it. To use other
        methods than AdamW, such as Lion, chain ``reduce_variance`` and ``clip_by_norm`` before
        them.

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        gamma: γ, the strength of the correction.
        eps: ε, outside the root and after the bias correction; for vectors as well.
        eps_root: ε inside the root; none unless given.
        weight_decay: λ.
        mask: which matrices decay, as in :func:`add_decayed_weights`.
        max_norm: the largest norm of the corrected gradient of an array.
        exact: whether to compute hₜ on the data of this step, with the keyword ``grad_fn``, instead
            of using the gradient of the previous step (the authors' approximation).
        adam_learning_rate: η of vectors and scalars; that of the matrices unless given.
        adam_b1: b1 of vectors and scalars.
        adam_b2: b2 of vectors and scalars.
        adam_weight_decay: λ of vectors and scalars.

    Raises:
        ValueError: if ``params`` are missing, or ``grad_fn`` with ``exact``.

    >>> import jax.numpy as jnp
    >>> from gdlab import mars
    >>> tx = mars(0.1, adam_weight_decay=0.0)
    >>> params = {"kernel": jnp.zeros((1, 2)), "bias": jnp.zeros(1)}
    >>> gradient = {"kernel": jnp.array([[3.0, -4.0]]), "bias": jnp.ones(1)}
    >>> tx.update(gradient, tx.init(params), params)[0]
    {'bias': Array([-0.1], dtype=float32), 'kernel': Array([[-0.1,  0.1]], dtype=float32)}

    Source: H. Yuan, Y. Liu, S. Wu, X. Zhou, Q. Gu, MARS: unleashing the power of variance reduction
    for training large models, 2024, algorithms 1 and 2.
    """
    of_vectors = learning_rate if adam_learning_rate is None else adam_learning_rate
    of_matrices = adamw(learning_rate, b1, b2, eps, eps_root, None, weight_decay, mask)
    groups = {
        "matrix": chain(
            reduce_variance(gamma, b1, exact=exact), clip_by_norm(max_norm), expand(of_matrices)
        ),
        "vector": adamw(
            of_vectors, adam_b1, adam_b2, eps, eps_root, weight_decay=adam_weight_decay
        ),
    }
    return partition(groups, matrix_or_vector)
