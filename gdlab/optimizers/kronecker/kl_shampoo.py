"""KL-Shampoo: whitening by a Kronecker product that is close to the gradients' covariance."""

from gdlab.checks.kinds import Count
from gdlab.core.by_leaf import Mask, Structure
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative, Period
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.matrices.kl_factors import scale_by_kl_factors
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def kl_shampoo(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.95,
    decay: Fraction = 0.95,
    eps: NonNegative = 1e-4,
    weight_decay: Hyperparameter = 0.0,
    mask: Mask = None,
    *,
    every: Period = 10,
    relative_eps: bool = True,
    block_size: Count | None = 1024,
    axes: Structure | None = None,
) -> GradientTransformation:
    """KL-Shampoo: momentum whitened by the Kronecker product nearest to the covariance in KL.

    Lₜ = β·Lₜ₋₁ + (1 − β)·gₜ·Rₜ₋₁⁻¹·gₜᵀ/n, Rₜ = β·Rₜ₋₁ + (1 − β)·gₜᵀ·Lₜ₋₁⁻¹·gₜ/m, wₜ₊₁ = wₜ −
    η·(m̂(Lₜ^(−1/2)·gₜ·Rₜ^(−1/2)) + λ·wₜ) with m̂ a bias-corrected average

    Unlike :func:`shampoo` it needs no grafting: steps have the size of whitened gradients. Rotating
    an axis of the weights rotates the path, and scaling the loss affects only the start (ε → 0).
    :func:`soap` with ``statistics="kl"`` is Adam in the same bases.

    When to use:
        As :func:`soap`, at about its learning rate, with no second moment in the state.

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the average of whitened gradients.
        decay: β, the decay of the factors.
        eps: ε, added to the eigenvalues of the factors.
        weight_decay: λ.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        every: the number of steps from one computation of eigenvectors to the next.
        relative_eps: whether ε is in units of the largest eigenvalue of a factor.
        block_size: the largest side of the blocks into which an array is split.
        axes: the axes with a factor, as in :func:`scale_by_kronecker_roots`.

    >>> from gdlab import expand, kl_shampoo
    >>> expand(kl_shampoo(0.1)).chain[:2]
    (scale_by_kl_factors(every=10.0), debias(ema(0.95)))

    Source: W. Lin, S. C. Lowe, F. Dangel, R. Eschenhagen, Z. Xu, R. B. Grosse, Understanding and
    improving Shampoo and SOAP via Kullback–Leibler minimization, 2025, section 3.
    """
    whitened = scale_by_kl_factors(
        decay,
        eps,
        every=every,
        relative_eps=relative_eps,
        block_size=block_size,
        axes=axes,
    )
    return chain(
        whitened,
        debias(ema(b1)),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
