"""AdaMax: Adam with the infinity norm in place of the root mean square."""

from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.averages.maxima import infinity_norm
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.ratios import quotient
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def scale_by_adamax(
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    *,
    eps_in_maximum: bool = True,
) -> GradientTransformation:
    """The direction of AdaMax: the average gradient over the decayed maximum of its size.

    uₜ = m̂ₜ/nₜ, nₜ = max(b2·nₜ₋₁, |gₜ| + eps)

    Args:
        b1: decay of the average of gradients.
        b2: decay of the maximum.
        eps: ε; the paper has none.
        eps_in_maximum: whether ε is added to |g| (optax, torch) or to n (Keras).

    >>> from gdlab import expand, scale_by_adamax
    >>> expand(scale_by_adamax())
    fork(quotient(), mu=debias(ema(0.9)), nu=infinity_norm(0.999, eps=1e-08))

    Source: D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, 2015, algorithm 2.
    """
    divide, size = (
        (quotient(), infinity_norm(b2, eps))
        if eps_in_maximum
        else (quotient(eps), infinity_norm(b2))
    )
    return fork(divide, mu=debias(ema(b1)), nu=size)


@transformation
def adamax(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    *,
    eps_in_maximum: bool = True,
) -> GradientTransformation:
    """AdaMax: the average gradient over the decayed maximum of its size.

    mₜ = b1·mₜ₋₁ + (1 − b1)·gₜ, nₜ = max(b2·nₜ₋₁, |gₜ| + ε), wₜ₊₁ = wₜ − η/(1 − b1ᵗ)·mₜ/nₜ

    When to use:
        Where gradients have outliers, or are sparse, such as those of embeddings.

    Args:
        learning_rate: η.
        b1: decay of the average of gradients.
        b2: decay of the maximum.
        eps: ε; the paper has none.
        eps_in_maximum: whether ε is added to |g| (optax, torch) or to n (Keras).

    >>> from gdlab import adamax, expand
    >>> expand(adamax(0.1))
    chain(fork(quotient(), mu=debias(ema(0.9)), nu=infinity_norm(0.999, eps=1e-08)), \
scale_by_learning_rate(0.1))

    Source: D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, 2015, algorithm 2.
    """
    direction = scale_by_adamax(b1, b2, eps, eps_in_maximum=eps_in_maximum)
    return chain(expand(direction), scale_by_learning_rate(learning_rate))


@transformation
def adamaxw(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    weight_decay: Hyperparameter = 1e-4,
    mask: Mask = None,
    *,
    eps_in_maximum: bool = True,
) -> GradientTransformation:
    """AdaMax with decoupled weight decay.

    wₜ₊₁ = wₜ − η·(m̂ₜ/nₜ + λ·wₜ)

    Scaling the loss changes nothing (ε → 0), since the decay does not pass through the scaling.

    When to use:
        As :func:`adamax`, where weights should decay.

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the average of gradients.
        b2: decay of the maximum.
        eps: ε; the paper has none.
        weight_decay: λ.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        eps_in_maximum: whether ε is added to |g| (optax, torch) or to n (Keras).

    >>> import jax.numpy as jnp
    >>> from gdlab import adamaxw
    >>> tx = adamaxw(0.1, weight_decay=0.5)
    >>> params = jnp.ones(1)
    >>> tx.update(params, tx.init(params), params)[0].round(4)
    Array([-0.15], dtype=float32)

    Source: I. Loshchilov, F. Hutter, Decoupled weight decay regularization, 2019, section 2.
    """
    return chain(
        expand(scale_by_adamax(b1, b2, eps, eps_in_maximum=eps_in_maximum)),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
