"""Updates without the elements that would go against the gradient."""

from gdlab.core.hyperparameter import NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import fork, identity
from gdlab.transforms.signals.joins import agreeing
from gdlab.transforms.signals.scaling import scale


@transformation
def cautious(
    inner: GradientTransformation, eps: NonNegative = 1.0, *, descends: bool = True
) -> GradientTransformation:
    """Drop the elements of an update that go against the gradient, and scale up the others.

    u = inner(g); uᵢ ← uᵢ·φᵢ·n/(Σⱼφⱼ + eps), with φᵢ = 1 where uᵢ descends along gᵢ and 0 elsewhere

    To first order no element of such an update raises the loss. An update that agrees everywhere,
    such as that of gradient descent without momentum, is only scaled by n/(n + eps).

    Args:
        inner: a method, such as ``adamw``, or the direction of one, such as ``scale_by_adam``.
        eps: ξ, added to the number of elements that agree.
        descends: whether the output of ``inner`` is a step of descent; False for a direction of
            ascent, before the learning rate.

    >>> import jax.numpy as jnp
    >>> from gdlab import cautious, sgd
    >>> tx = cautious(sgd(1.0, momentum=0.9), eps=0.0)
    >>> state = tx.init(jnp.zeros(2))
    >>> for g in ([4.0, 1.0], [-1.0, 1.0]):
    ...     updates, state = tx.update(jnp.array(g), state)
    >>> updates
    Array([ 0. , -3.8], dtype=float32)

    Source: K. Liang, L. Chen, B. Liu, Q. Liu, Cautious optimizers: improving training with one line
    of code, 2024, algorithm 1.
    """
    return fork(agreeing(eps), inner, scale(-1.0) if descends else identity())
