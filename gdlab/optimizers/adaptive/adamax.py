"""AdaMax: Adam with the infinity norm in place of the root mean square."""

from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork
from gdlab.transforms.averaging import ema
from gdlab.transforms.debiasing import debias
from gdlab.transforms.maxima import infinity_norm
from gdlab.transforms.ratios import quotient
from gdlab.transforms.scaling import scale_by_learning_rate


@transformation
def adamax(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Hyperparameter = 0.999,
    eps: Hyperparameter = 1e-8,
    *,
    eps_in_maximum: bool = True,
) -> GradientTransformation:
    """AdaMax: the average gradient over the decayed maximum of its size.

    mₜ = b1·mₜ₋₁ + (1 − b1)·gₜ, nₜ = max(b2·nₜ₋₁, |gₜ| + ε), wₜ₊₁ = wₜ − η/(1 − b1ᵗ)·mₜ/nₜ

    When to use:
        Where gradients have outliers, or are sparse, as those of embeddings.

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
    divide, size = (
        (quotient(), infinity_norm(b2, eps))
        if eps_in_maximum
        else (quotient(eps), infinity_norm(b2))
    )
    return chain(fork(divide, mu=debias(ema(b1)), nu=size), scale_by_learning_rate(learning_rate))
