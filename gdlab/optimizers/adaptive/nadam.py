"""Nadam: Adam with Nesterov's momentum."""

from gdlab.checks.kinds import Size, StorageDType
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork
from gdlab.optimizers.adaptive.adam import scale_by_adam
from gdlab.transforms.averages.averaging import ema, nesterov_ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@schedule
def dozat_momentum(
    b1: Hyperparameter, momentum_decay: NonNegative = 0.004, steps_ahead: Size = 0
) -> Function:
    """The momentum of Nadam, which rises from half of b1 to b1.

    μₜ = b1·(1 − ½·0.96^(t·momentum_decay)), t = 1, 2, …

    >>> from gdlab import dozat_momentum
    >>> dozat_momentum(0.9, 1.0)(0).round(4)
    Array(0.468, dtype=float32)

    Source: T. Dozat, Incorporating Nesterov momentum into Adam, 2016, section 2.
    """
    return lambda count: (
        b1 * (1 - 0.5 * 0.96 ** ((count.astype(float) + 1 + steps_ahead) * momentum_decay))
    )


def _direction(b1, b2, eps, eps_root, mu_dtype, momentum_decay, scheduled_average):
    if momentum_decay is None:
        return expand(scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=True))
    now, ahead = (dozat_momentum(b1, momentum_decay, steps) for steps in (0, 1))
    momentum = nesterov_ema(now, ahead, mu_dtype, average_decay=None if scheduled_average else b1)
    return fork(ratio(eps, eps_root), mu=momentum, nu=chain(square(), debias(ema(b2))))


@transformation
def nadam(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    mu_dtype: StorageDType | None = None,
    *,
    momentum_decay: NonNegative | None = None,
    scheduled_average: bool = True,
) -> GradientTransformation:
    """Nadam: Adam whose momentum looks one step ahead.

    m̄ₜ = μₜ₊₁·mₜ/(1 − ∏ᵢ₌₁ᵗ⁺¹ μᵢ) + (1 − μₜ)·gₜ/(1 − ∏ᵢ₌₁ᵗ μᵢ), wₜ₊₁ = wₜ − η·m̄ₜ/(√v̂ₜ + ε)

    With v frozen it is stable on curvature λ, measured in the metric √v̂ + ε, iff
    η < 2(1 + b1)/((1 − b1)(1 + 2b1)λ) in the limit: 13.57/λ at b1 = 0.9.

    Without a schedule of the momentum it is ``adam(…, nesterov=True)``.

    When to use:
        In place of Adam, at the same cost: it reacts sooner to a change of direction, and the
        look-ahead damps overshooting.

    Args:
        learning_rate: η.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        eps_root: ε inside the root; none unless given.
        mu_dtype: dtype in which the average of gradients is stored.
        momentum_decay: ψ of Dozat's schedule μₜ = b1·(1 − ½·0.96^(tψ)): 0.004 in the paper and in
            torch, 1 in Keras. Without it μ = b1 throughout, as in optax.
        scheduled_average: whether m is averaged with decay μₜ, for which Dozat's correction by ∏ μᵢ
            is exact, or with b1, as in torch and Keras, which use the same correction.

    >>> from gdlab import hyperparameters, nadam
    >>> hyperparameters(nadam(1e-3, momentum_decay=0.004))["momentum_decay"]
    0.004

    Source: T. Dozat, Incorporating Nesterov momentum into Adam, 2016, algorithm 2.
    """
    direction = _direction(b1, b2, eps, eps_root, mu_dtype, momentum_decay, scheduled_average)
    return chain(direction, scale_by_learning_rate(learning_rate))


@transformation
def nadamw(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    mu_dtype: StorageDType | None = None,
    weight_decay: Hyperparameter = 1e-4,
    mask: Mask = None,
    *,
    momentum_decay: NonNegative | None = None,
    scheduled_average: bool = True,
) -> GradientTransformation:
    """Nadam with decoupled weight decay.

    wₜ₊₁ = wₜ − η·(m̄ₜ/(√v̂ₜ + ε) + λ·wₜ), with m̄ as in :func:`nadam`

    When to use:
        In place of AdamW, at the same cost: in the AlgoPerf benchmark, tuned alike, it needed
        fewer steps. Its b1 is often set higher than Adam's.

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        eps_root: ε inside the root; none unless given.
        mu_dtype: dtype in which the average of gradients is stored.
        weight_decay: λ.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        momentum_decay: as for :func:`nadam`.
        scheduled_average: as for :func:`nadam`.

    >>> import jax.numpy as jnp
    >>> from gdlab import nadamw
    >>> tx = nadamw(0.1, weight_decay=0.5)
    >>> params = jnp.ones(1)
    >>> tx.update(params, tx.init(params), params)[0].round(4)
    Array([-0.1974], dtype=float32)

    Source: T. Dozat, Incorporating Nesterov momentum into Adam, 2016, algorithm 2; I. Loshchilov,
    F. Hutter, Decoupled weight decay regularization, 2019, algorithm 2.
    """
    return chain(
        _direction(b1, b2, eps, eps_root, mu_dtype, momentum_decay, scheduled_average),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
