"""Weight decay as a proximal step: applied to the new parameters, not to the old ones."""

from gdlab.core.authoring import LeafFunctions
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import leafwise


@leafwise(reads="param")
def descend_with_proximal_decay(
    learning_rate: Hyperparameter, weight_decay: Hyperparameter, mask: Mask = None
) -> LeafFunctions:
    """Turn a direction of ascent into a step of descent, and shrink the new weights.

    uₜ = (wₜ − η·gₜ)/(1 + η·λ) − wₜ, and −η·gₜ where the mask does not hold

    Put it in place of :func:`scale_by_learning_rate`. It is the implicit form of decoupled decay:
    the two agree to first order in η·λ, but this form is stable for any λ, and the explicit one
    diverges beyond η·λ = 2.

    Args:
        learning_rate: η.
        weight_decay: λ.
        mask: which leaves decay, as in :func:`add_decayed_weights`.

    Raises:
        ValueError: if ``params`` are missing, or if a pattern matches no leaf.

    >>> import jax.numpy as jnp
    >>> from gdlab import descend_with_proximal_decay
    >>> tx = descend_with_proximal_decay(1.0, 3.0)
    >>> params = jnp.array([5.0])
    >>> tx.update(jnp.array([1.0]), tx.init(params), params)[0]
    Array([-4.], dtype=float32)

    Source: Z. Zhuang, M. Liu, A. Cutkosky, F. Orabona, Understanding AdamW through proximal methods
    and scale-freeness, 2022, eq. 4.
    """
    if not (mask is None or mask):
        return lambda u, param: -learning_rate * u  # noqa: ARG005
    shrinking = learning_rate * weight_decay
    return lambda u, param: -(learning_rate * u + shrinking * param) / (1 + shrinking)
