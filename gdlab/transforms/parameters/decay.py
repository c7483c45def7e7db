"""Weight decay: coupled, or decoupled and scaled by the learning rate, its schedule, or neither.

With d the direction of a method and s its scaling, the links of a chain are, in order:

coupled, −η·s(g + λw)
    ``add_decayed_weights(λ), direction, scale_by_learning_rate(η)``
AdamW, −η·(d + λw)
    ``direction, add_decayed_weights(λ), scale_by_learning_rate(η)``
AdamC, −η·(d + (η/η_max)·λw)
    ``direction, descend_with_corrected_decay(η, η_max, λ)``
independent of the learning rate, −η·d − λw
    ``direction, scale_by_learning_rate(η), decay_weights(λ)``

Which leaves decay is a mask; :func:`matrices` is the usual one. Each form can be cautious.
"""

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.checks.checked import checked
from gdlab.checks.kinds import ModelTree
from gdlab.core.authoring import LeafFunctions
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.structure import Tree
from gdlab.core.transformation import leafwise


@checked
def matrices(params: ModelTree) -> Tree:
    """Choose the leaves with at least two axes, not vectors, such as biases and gains, or scalars.

    Pass it as the mask for weight decay, or wherever else leaves are chosen.

    Args:
        params: a tree of arrays.

    Returns:
        A tree of booleans like ``params``.

    >>> import jax.numpy as jnp
    >>> from gdlab import add_decayed_weights, matrices
    >>> params = {"kernel": jnp.ones((1, 1)), "bias": jnp.ones(1)}
    >>> matrices(params)
    {'bias': False, 'kernel': True}
    >>> add_decayed_weights(0.1, mask=matrices)
    add_decayed_weights(weight_decay=0.1, mask=matrices)
    """
    return jax.tree.map(lambda leaf: np.ndim(leaf) >= 2, params)


@leafwise(reads="param")
def add_decayed_weights(
    weight_decay: Hyperparameter = 0.0, mask: Mask = None, *, cautious: bool = False
) -> LeafFunctions:
    """Add weight_decay·params to the updates.

    uₜ = gₜ + weight_decay·wₜ, where the mask holds

    Before the scaling of a method this is L² regularisation (coupled); after it, and before the
    learning rate, it is the decoupled decay of AdamW.

    Args:
        weight_decay: λ, a number, a schedule, or a tree of one for each leaf.
        mask: which leaves decay: a tree of booleans, a regular expression searched for in the
            dotted path of a leaf (or a list of several), or a function from the parameters to a
            tree of booleans, such as :func:`matrices`. All of them unless given.
        cautious: whether to decay only the elements that the method itself makes smaller, those
            with gₜ·wₜ ≥ 0. Then gₜ must be a direction of ascent, before the learning rate.

    Raises:
        ValueError: if ``params`` are missing, or if a pattern matches no leaf.

    >>> import jax.numpy as jnp
    >>> from gdlab import add_decayed_weights
    >>> tx = add_decayed_weights(0.1, mask="kernel")
    >>> params = {"kernel": jnp.array([2.0]), "bias": jnp.array([2.0])}
    >>> zeros = {"kernel": jnp.array([0.0]), "bias": jnp.array([0.0])}
    >>> tx.update(zeros, tx.init(params), params)[0]
    {'bias': Array([0.], dtype=float32), 'kernel': Array([0.2], dtype=float32)}

    Source: I. Loshchilov, F. Hutter, Decoupled weight decay regularization, 2019, algorithm 2;
    cautious: L. Chen, J. Li, Q. Liu, Cautious weight decay, 2025, algorithm 1.
    """
    return lambda u, param: u + weight_decay * _decaying(u, param, mask, cautious)


@leafwise(reads="param")
def decay_weights(
    rate: Hyperparameter,
    mask: Mask = None,
    *,
    cautious: bool = False,
    learning_rate: Hyperparameter | None = None,
) -> LeafFunctions:
    """Subtract a fraction of the parameters at each step, whatever the learning rate.

    uₜ = gₜ − rate·wₜ, where the mask holds

    Put it after the learning rate in a chain. Weights with zero gradients halve in ln 2/rate steps,
    at every learning rate of a sweep.

    Args:
        rate: the fraction λ: a number, a schedule, or a tree with one for each leaf.
        mask: which leaves decay, as for :func:`add_decayed_weights`.
        cautious: whether to decay only the elements that the step itself makes smaller, those with
            gₜ·wₜ ≤ 0.
        learning_rate: η, a factor on the fraction, if given: the decay of AdamW for methods whose
            learning rate is applied inside the momentum.

    Raises:
        ValueError: if ``params`` are missing, or if a pattern matches no leaf.

    >>> import jax.numpy as jnp
    >>> from gdlab import chain, decay_weights, sgd
    >>> tx = chain(sgd(0.1), decay_weights(0.5))
    >>> params = jnp.array([2.0])
    >>> tx.update(jnp.array([1.0]), tx.init(params), params)[0]
    Array([-1.1], dtype=float32)

    Source: I. Loshchilov, F. Hutter, Decoupled weight decay regularization, 2019, section 2;
    cautious: L. Chen, J. Li, Q. Liu, Cautious weight decay, 2025, algorithm 1.
    """
    share = rate if learning_rate is None else learning_rate * rate
    return lambda u, param: u - share * _decaying(-u, param, mask, cautious)


@leafwise(reads="param")
def descend_with_corrected_decay(
    learning_rate: Hyperparameter,
    max_learning_rate: Hyperparameter,
    weight_decay: Hyperparameter,
    mask: Mask = None,
    *,
    cautious: bool = False,
) -> LeafFunctions:
    """Turn a direction of ascent into a step of descent, with the decay of AdamC.

    uₜ = −ηₜ·(gₜ + (ηₜ/η_max)·λ·wₜ), and −ηₜ·gₜ where the mask does not hold

    Put it in place of :func:`scale_by_learning_rate`. Where normalisation makes the loss
    independent of the size of a weight, decay and steps balance at ‖g‖²/‖w‖² = 2λ/η_max. With the
    decay of AdamW they balance at 2λ/ηₜ, so gradients grow as the learning rate falls.

    Args:
        learning_rate: η, usually a schedule.
        max_learning_rate: η_max, the largest value of that schedule.
        weight_decay: λ.
        mask: which leaves decay, as for :func:`add_decayed_weights`.
        cautious: as for :func:`add_decayed_weights`.

    Raises:
        ValueError: if ``params`` are missing, or if a pattern matches no leaf.

    >>> import jax.numpy as jnp
    >>> from gdlab import descend_with_corrected_decay
    >>> tx = descend_with_corrected_decay(0.1, max_learning_rate=0.2, weight_decay=0.5)
    >>> params = jnp.array([4.0])
    >>> tx.update(jnp.array([1.0]), tx.init(params), params)[0]
    Array([-0.2], dtype=float32)

    Source: A. Defazio, Why gradients rapidly increase near the end of training, 2025, algorithm 1.
    """
    decay = weight_decay * learning_rate / max_learning_rate
    return lambda u, param: -learning_rate * (u + decay * _decaying(u, param, mask, cautious))


def _decaying(direction, param, mask, cautious):
    """The weights of one array, with 0 for those that do not decay."""
    if not (mask is None or mask):
        return jnp.zeros_like(param)
    if not cautious:
        return param
    shrinks = (direction * jnp.conj(param)).real >= 0
    return jnp.where(shrinks, param, 0)
