"""AMSGrad: Adam whose denominator never shrinks."""

from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.structure import DType
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork, named_chain
from gdlab.transforms.averaging import ema
from gdlab.transforms.debiasing import debias
from gdlab.transforms.maxima import running_maximum
from gdlab.transforms.ratios import ratio, square
from gdlab.transforms.scaling import scale_by_learning_rate


@transformation
def amsgrad(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Hyperparameter = 0.999,
    eps: Hyperparameter = 1e-8,
    eps_root: Hyperparameter | None = None,
    mu_dtype: DType | None = None,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
    *,
    maximum_of_corrected: bool = False,
) -> GradientTransformation:
    """AMSGrad: Adam with the largest second moment so far.

    mₜ, vₜ as in Adam; v̄ₜ = max(v̄ₜ₋₁, vₜ); wₜ₊₁ = wₜ − η·m̂ₜ/(√(v̄ₜ/(1 − b2ᵗ)) + ε)

    It converges on the online problem of Reddi et al. on which Adam does not.

    When to use:
        Where rare, large gradients decide, which Adam forgets too soon.

    Args:
        learning_rate: η.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        eps_root: ε inside the root; none unless given.
        mu_dtype: dtype in which the average of gradients is stored.
        bias_correction_mu: whether m is divided by 1 − b1ᵗ; in the paper it is not.
        bias_correction_nu: whether v̄ is divided by 1 − b2ᵗ; in the paper it is not.
        maximum_of_corrected: whether the maximum is taken after that correction (optax), where the
            noise of the first few corrected values stays for good, or before it (paper, torch,
            Keras).

    >>> from gdlab import amsgrad, expand
    >>> print(
    ...     expand(amsgrad(0.1, bias_correction_mu=False, bias_correction_nu=False)).__repr__()[:59]
    ... )
    chain(fork(ratio(eps=1e-08), mu=ema(0.9), nu=chain(square()

    Source: S. Reddi, S. Kale, S. Kumar, On the convergence of Adam and beyond, 2018, algorithm 2.
    """
    first = ema(b1, accumulator_dtype=mu_dtype)
    mean_square, largest = ("nu", ema(b2)), ("nu_max", running_maximum())
    if not bias_correction_nu:
        second = chain(square(), named_chain(mean_square, largest))
    elif maximum_of_corrected:
        second = chain(square(), named_chain(("nu", debias(ema(b2))), largest))
    else:
        # On a constant the maximum changes nothing, so their weight is that of the average.
        second = chain(square(), debias(named_chain(mean_square, largest)))
    momentum = debias(first) if bias_correction_mu else first
    direction = fork(ratio(eps, eps_root), mu=momentum, nu=second)
    return chain(direction, scale_by_learning_rate(learning_rate))
