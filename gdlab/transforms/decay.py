"""Weight decay."""

from gdlab.core.authoring import LeafFunctions
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import leafwise


@leafwise(reads="param")
def add_decayed_weights(weight_decay: Hyperparameter = 0.0, mask: Mask = None) -> LeafFunctions:
    """Add weight_decay·params to the updates.

    uₜ = gₜ + weight_decay·wₜ, where the mask holds

    Before the scaling of a method this is L² regularisation (coupled); after it, and before the
    learning rate, it is the decoupled decay of AdamW.

    Args:
        weight_decay: λ, a number, a schedule, or a tree of one for each leaf.
        mask: which leaves decay: a tree of booleans, a regular expression searched for in the
            dotted path of a leaf (or a list of several), or a function from the parameters to a
            tree of booleans. All of them unless given.

    Raises:
        ValueError: if ``params`` are missing, or if a pattern matches no leaf.

    >>> import jax.numpy as jnp
    >>> from gdlab import add_decayed_weights
    >>> tx = add_decayed_weights(0.1, mask="kernel")
    >>> params = {"kernel": jnp.array([2.0]), "bias": jnp.array([2.0])}
    >>> zeros = {"kernel": jnp.array([0.0]), "bias": jnp.array([0.0])}
    >>> tx.update(zeros, tx.init(params), params)[0]
    {'bias': Array([0.], dtype=float32), 'kernel': Array([0.2], dtype=float32)}

    Source: I. Loshchilov, F. Hutter, Decoupled weight decay regularization, 2019, algorithm 2.
    """
    decays = mask is None or mask
    return lambda u, param: u + weight_decay * param if decays else u
