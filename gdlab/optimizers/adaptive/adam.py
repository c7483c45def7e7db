"""Adam: momentum ∘ RMS scaling ∘ bias correction."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork
from gdlab.transforms.averages.averaging import ema, nesterov_ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def scale_by_adam(
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    mu_dtype: StorageDType | None = None,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """The direction of Adam: the average gradient over the root of the average square.

    m̂ₜ = debias(ema(b1))(gₜ), v̂ₜ = debias(ema(b2))(gₜ²), uₜ = m̂ₜ/(√(v̂ₜ + eps_root) + eps)

    Args:
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε outside the root.
        eps_root: ε inside the root; none unless given.
        mu_dtype: dtype in which the average of gradients is stored.
        nesterov: whether that average looks one step ahead, as in Nadam.

    >>> from gdlab import expand, scale_by_adam
    >>> expand(scale_by_adam())
    fork(ratio(eps=1e-08), mu=debias(ema(0.9)), nu=chain(square(), debias(ema(0.999))))

    Source: D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, 2015, algorithm 1.
    """
    momentum = (
        nesterov_ema(b1, accumulator_dtype=mu_dtype)
        if nesterov
        else debias(ema(b1, accumulator_dtype=mu_dtype))
    )
    return fork(ratio(eps, eps_root), mu=momentum, nu=chain(square(), debias(ema(b2))))


@transformation
def adam(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    mu_dtype: StorageDType | None = None,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """Adam: momentum ∘ RMS scaling ∘ bias correction.

    mₜ = b1·mₜ₋₁ + (1 − b1)·gₜ, vₜ = b2·vₜ₋₁ + (1 − b2)·gₜ²,
    wₜ₊₁ = wₜ − η·m̂ₜ/(√v̂ₜ + ε) with m̂ₜ = mₜ/(1 − b1ᵗ), v̂ₜ = vₜ/(1 − b2ᵗ)

    On a constant gradient every step has the size η (ε → 0). With v frozen it is stable on
    curvature λ, measured in the metric √v̂ + ε, iff η < 2(1 + b1)/((1 − b1)λ): 38/λ at b1 = 0.9.

    When to use:
        As the first method to try on a network. Its steps have about the size η whatever the scale
        of the loss, so learning rates carry over from problem to problem.

    Args:
        learning_rate: η.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        eps_root: ε inside the root; none unless given.
        mu_dtype: dtype in which the average of gradients is stored.
        nesterov: whether that average looks one step ahead, as in :func:`nadam`.

    >>> import jax.numpy as jnp
    >>> from gdlab import adam, expand
    >>> tx = adam(0.1)
    >>> tx.update(jnp.array([3.0, -4.0]), tx.init(jnp.zeros(2)))[0].round(4)
    Array([-0.1,  0.1], dtype=float32)

    Source: D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, 2015, algorithm 1.
    """
    direction = scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov)
    return chain(expand(direction), scale_by_learning_rate(learning_rate))


@transformation
def adamw(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    mu_dtype: StorageDType | None = None,
    weight_decay: Hyperparameter = 1e-4,
    mask: Mask = None,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """Adam with decoupled weight decay.

    wₜ₊₁ = wₜ − η·(m̂ₜ/(√v̂ₜ + ε) + λ·wₜ)

    When to use:
        For transformers, and wherever weights should decay. Weights with large gradients decay as
        fast as the others, unlike with an L² term in the loss.

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        eps_root: ε inside the root; none unless given.
        mu_dtype: dtype in which the average of gradients is stored.
        weight_decay: λ; optax has 1e-4, torch 1e-2, Keras 4e-3.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        nesterov: whether the average of gradients looks one step ahead.

    >>> import jax.numpy as jnp
    >>> from gdlab import adamw
    >>> tx = adamw(0.1, weight_decay=0.5, mask="kernel")
    >>> params = {"kernel": jnp.ones(1), "bias": jnp.ones(1)}
    >>> tx.update(params, tx.init(params), params)[0]
    {'bias': Array([-0.1], dtype=float32), 'kernel': Array([-0.15], dtype=float32)}

    Source: I. Loshchilov, F. Hutter, Decoupled weight decay regularization, 2019, algorithm 2.
    """
    return chain(
        expand(scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov)),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
