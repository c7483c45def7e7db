"""AMSGrad: Adam whose denominator never shrinks."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork, named_chain
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.averages.maxima import running_maximum
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def scale_by_amsgrad(
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    mu_dtype: StorageDType | None = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
    *,
    maximum_of_corrected: bool = False,
) -> GradientTransformation:
    """The direction of AMSGrad: Adam's with the largest second moment so far.

    v̄ₜ = max(v̄ₜ₋₁, vₜ), uₜ = m̂ₜ/(√(v̄ₜ/(1 − b2ᵗ) + eps_root) + eps)

    Args:
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε outside the root.
        eps_root: ε inside the root; none unless given.
        mu_dtype: dtype in which the average of gradients is stored.
        bias_correction_mu: whether m is divided by 1 − b1ᵗ.
        bias_correction_nu: whether v̄ is divided by 1 − b2ᵗ.
        maximum_of_corrected: whether to take the maximum after the correction of the average of
            squares.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_amsgrad
    >>> tx = scale_by_amsgrad()
    >>> tx.update(jnp.array([-2.0]), tx.init(jnp.zeros(1)))[0].round(4)
    Array([-1.], dtype=float32)

    Source: S. Reddi, S. Kale, S. Kumar, On the convergence of Adam and beyond, 2018, algorithm 2.
    """
    first = ema(b1, accumulator_dtype=mu_dtype)
    momentum = debias(first) if bias_correction_mu else first
    second = largest_moment(b2, bias_correction_nu, maximum_of_corrected)
    return fork(ratio(eps, eps_root), mu=momentum, nu=second)


def largest_moment(
    b2: Fraction, bias_correction: bool, maximum_of_corrected: bool
) -> GradientTransformation:
    """The largest average of squares so far, with bias correction before, after or not at all."""
    mean_square, largest = ("nu", ema(b2)), ("nu_max", running_maximum())
    if not bias_correction:
        return chain(square(), named_chain(mean_square, largest))
    if maximum_of_corrected:
        return chain(square(), named_chain(("nu", debias(ema(b2))), largest))
    # The maximum does not change a constant, so the weight for the correction is the average's.
    return chain(square(), debias(named_chain(mean_square, largest)))


@transformation
def amsgrad(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    mu_dtype: StorageDType | None = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
    *,
    maximum_of_corrected: bool = False,
) -> GradientTransformation:
    """AMSGrad: Adam with the largest second moment so far.

    mₜ, vₜ as in Adam; v̄ₜ = max(v̄ₜ₋₁, vₜ); wₜ₊₁ = wₜ − η·m̂ₜ/(√(v̄ₜ/(1 − b2ᵗ)) + ε)

    It converges on the online problem of Reddi et al. on which Adam does not.

    When to use:
        Where Adam does not converge because it forgets rare but informative large gradients. It is
        rarely better than Adam with a larger b2, and one large gradient slows it down permanently.

    Args:
        learning_rate: η.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        eps_root: ε inside the root; none unless given.
        mu_dtype: dtype in which the average of gradients is stored.
        bias_correction_mu: whether m is divided by 1 − b1ᵗ; in the paper it is not.
        bias_correction_nu: whether v̄ is divided by 1 − b2ᵗ; in the paper it is not.
        maximum_of_corrected: whether to take the maximum after the correction of v (optax), which
            keeps the noise of the first few corrected values for ever, or before it (paper, torch,
            Keras).

    >>> import jax.numpy as jnp
    >>> from gdlab import amsgrad
    >>> tx = amsgrad(0.1, b1=0.0, b2=0.0)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (4.0, 1.0):
    ...     u, state = tx.update(jnp.array([g]), state)
    ...     print(u)
    [-0.1]
    [-0.025]

    Source: S. Reddi, S. Kale, S. Kumar, On the convergence of Adam and beyond, 2018, algorithm 2.
    """
    direction = scale_by_amsgrad(
        b1,
        b2,
        eps,
        eps_root,
        mu_dtype,
        bias_correction_mu,
        bias_correction_nu,
        maximum_of_corrected=maximum_of_corrected,
    )
    return chain(expand(direction), scale_by_learning_rate(learning_rate))
