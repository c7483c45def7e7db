"""AdEMAMix: Adam with a second, very slow average of gradients."""

import jax.numpy as jnp

from gdlab.checks.kinds import StorageDType
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.joins import weighted_sum
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@schedule
def half_life_warmup(
    init_decay: Fraction, end_decay: Fraction, transition_steps: NonNegative
) -> Function:
    """The decay of an average whose half-life grows linearly.

    1/log βₜ = (1 − p)/log init_decay + p/log end_decay, p = min(t/transition_steps, 1), t = 1, 2, …

    It is the warm-up of β₃ in AdEMAMix, which keeps the first gradients from dominating a slow
    average. With a linear warm-up of the decay itself, the half-life would grow mostly at the very
    end.

    Args:
        init_decay: the decay at t = 0, in (0, 1).
        end_decay: the decay from t = transition_steps on, in (0, 1).
        transition_steps: T, the number of steps of the warm-up.

    >>> from gdlab import half_life_warmup
    >>> [round(float(half_life_warmup(0.9, 0.9999, 100)(t)), 4) for t in (0, 49, 99, 500)]
    [0.9909, 0.9998, 0.9999, 0.9999]
    """

    def decay(count):
        progress = jnp.minimum((count.astype(float) + 1) / transition_steps, 1)
        rate = (1 - progress) / jnp.log(init_decay) + progress / jnp.log(end_decay)
        # At the end the decay is exactly ``end_decay``.
        return jnp.where(progress < 1, jnp.exp(1 / rate), end_decay)

    return decay


@transformation
def scale_by_ademamix(
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    b3: Hyperparameter = 0.9999,
    alpha: Hyperparameter = 6.0,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    mu_dtype: StorageDType | None = None,
) -> GradientTransformation:
    """The direction of AdEMAMix: a fast and a slow average over the root of the average square.

    uₜ = (debias(ema(b1))(gₜ) + alpha·ema(b3)(gₜ))/(√(v̂ₜ + eps_root) + eps)

    Args:
        b1: decay of the fast average of gradients.
        b2: decay of the average of squares.
        b3: decay of the slow average of gradients, which has no bias correction.
        alpha: α, the weight of the slow average.
        eps: ε outside the root.
        eps_root: ε inside the root; none unless given.
        mu_dtype: dtype in which both averages of gradients are stored.

    >>> from gdlab import expand, scale_by_ademamix
    >>> expand(scale_by_ademamix())
    fork(ratio(eps=1e-08), fork(weighted_sum(1.0, 6.0), mu=debias(ema(0.9)), \
mu_slow=ema(0.9999)), nu=chain(square(), debias(ema(0.999))))

    Source: M. Pagliardini, P. Ablin, D. Grangier, The AdEMAMix optimizer: better, faster, older,
    2024, algorithm 1.
    """
    mixture = fork(
        weighted_sum(1.0, alpha),
        mu=debias(ema(b1, accumulator_dtype=mu_dtype)),
        mu_slow=ema(b3, accumulator_dtype=mu_dtype),
    )
    return fork(ratio(eps, eps_root), mixture, nu=chain(square(), debias(ema(b2))))


@transformation
def ademamix(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    b3: Hyperparameter = 0.9999,
    alpha: Hyperparameter = 5.0,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    mu_dtype: StorageDType | None = None,
    weight_decay: Hyperparameter = 0.0,
    mask: Mask = None,
) -> GradientTransformation:
    """AdEMAMix: AdamW whose direction also averages gradients over ten thousand steps.

    m₁ₜ = b1·m₁ₜ₋₁ + (1 − b1)·gₜ, m₂ₜ = b3·m₂ₜ₋₁ + (1 − b3)·gₜ, vₜ as in Adam,
    wₜ₊₁ = wₜ − η·((m̂₁ₜ + α·m₂ₜ)/(√v̂ₜ + ε) + λ·wₜ)

    With α = 0 it is AdamW. On a constant gradient the steps grow from η·(1 + α(1 − b3)) to
    η·(1 + α) (ε → 0). Scaling the loss changes nothing (ε → 0).

    When to use:
        Runs of tens of thousands of steps or more, where old gradients still point the right way,
        such as training language models. ``b3`` and ``alpha`` need a warm-up over most of the run,
        as below, since the slow average is unstable early. In short runs AdamW does as well with
        less memory.

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the fast average of gradients.
        b2: decay of the average of squares.
        b3: decay of the slow average of gradients, which has no bias correction;
            :func:`half_life_warmup` is the paper's warm-up.
        alpha: α, the weight of the slow average; the paper's warm-up over T steps is
            ``linear_schedule(alpha / T, alpha, T - 1)``.
        eps: ε, outside the root and after the correction.
        eps_root: ε inside the root; none unless given.
        mu_dtype: dtype in which both averages of gradients are stored.
        weight_decay: λ, decoupled.
        mask: which leaves decay, as in :func:`add_decayed_weights`.

    >>> from gdlab import ademamix, half_life_warmup, hyperparameters, linear_schedule
    >>> tx = ademamix(
    ...     1e-3,
    ...     b3=half_life_warmup(0.9, 0.9999, 10_000),
    ...     alpha=linear_schedule(5e-4, 5.0, 9_999),
    ... )
    >>> hyperparameters(tx)["b3.end_decay"]
    0.9999

    Source: M. Pagliardini, P. Ablin, D. Grangier, The AdEMAMix optimizer: better, faster, older,
    2024, algorithm 1.
    """
    return chain(
        expand(scale_by_ademamix(b1, b2, b3, alpha, eps, eps_root, mu_dtype)),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
