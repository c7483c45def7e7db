"""ADOPT: Adam that divides each gradient by the second moment estimated before it."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork, identity, named_chain
from gdlab.schedules.power_of_count import power_of_count
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.first_value import from_first
from gdlab.transforms.norms.clipping import clip
from gdlab.transforms.signals.joins import over_maximum
from gdlab.transforms.signals.ratios import square
from gdlab.transforms.signals.scaling import scale_by_learning_rate
from gdlab.transforms.steps.waiting import wait


@transformation
def scale_by_adopt(
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.9999,
    eps: NonNegative = 1e-6,
    mu_dtype: StorageDType | None = None,
    *,
    nesterov: bool = False,
    use_clipping: bool = True,
    clip_value_fn: Hyperparameter | None = None,
) -> GradientTransformation:
    """The direction of ADOPT: an average of gradients, each scaled by the moment before it.

    zₜ = clip(gₜ/max(√vₜ₋₁, eps), ±cₜ), uₜ = b1·uₜ₋₁ + (1 − b1)·zₜ, u₁ = 0,
    vₜ = b2·vₜ₋₁ + (1 − b2)·gₜ², v₁ = g₁²

    Args:
        b1: decay of the average of scaled gradients.
        b2: decay of the average of squares.
        eps: ε, the least denominator.
        mu_dtype: dtype in which the average of scaled gradients is stored.
        nesterov: whether that average looks one step ahead.
        use_clipping: whether scaled gradients are clipped.
        clip_value_fn: c, the bound on scaled gradients; (t − 1)^¼ unless given.

    >>> from gdlab import expand, scale_by_adopt
    >>> expand(scale_by_adopt(use_clipping=False))
    chain(fork(over_maximum(1e-06), identity(), nu=chain(square(), \
from_first(ema(0.9999, lagged=True)))), wait(named_chain(('mu', ema(0.9)))))

    Source: S. Taniguchi et al., ADOPT: modified Adam can converge with any β₂ with the optimal
    rate, 2024, algorithm 2.
    """
    second = chain(square(), from_first(ema(b2, lagged=True)))
    average = named_chain(("mu", ema(b1, nesterov, mu_dtype)))
    if use_clipping:
        bound = power_of_count(0.25) if clip_value_fn is None else clip_value_fn
        average = chain(clip(bound), average)
    return chain(fork(over_maximum(eps), identity(), nu=second), wait(average))


@transformation
def adopt(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.9999,
    eps: NonNegative = 1e-6,
    mu_dtype: StorageDType | None = None,
    *,
    nesterov: bool = False,
    use_clipping: bool = True,
    clip_value_fn: Hyperparameter | None = None,
) -> GradientTransformation:
    """ADOPT: Adam that scales a gradient by the moment before it, and averages afterwards.

    zₜ = clip(gₜ/max(√vₜ₋₁, ε), ±cₜ), mₜ = b1·mₜ₋₁ + (1 − b1)·zₜ, wₜ₊₁ = wₜ − η·mₜ,
    vₜ = b2·vₜ₋₁ + (1 − b2)·gₜ², cₜ = (t − 1)^¼

    The first step only sets v₁ = g₁² and moves nothing. The scale of a gradient is independent of
    that gradient, so the method converges for any b2. On a constant gradient step t is η·(1 − b1^(t
    − 1)) (ε → 0). Scaling the loss changes nothing (ε → 0).

    When to use:
        Where Adam is unstable, with small batches, heavy noise or a b2 that cannot be tuned. Its
        default b2 forgets so slowly that steps become short if gradients shrink over a run.

    Args:
        learning_rate: η.
        b1: decay of the average of scaled gradients.
        b2: decay of the average of squares.
        eps: ε, the least denominator.
        mu_dtype: dtype in which the average of scaled gradients is stored.
        nesterov: whether that average looks one step ahead.
        use_clipping: whether scaled gradients are clipped.
        clip_value_fn: c, the bound on scaled gradients: a schedule that counts from 0, or a number;
            (t − 1)^¼, as in the paper, unless given.

    >>> import jax.numpy as jnp
    >>> from gdlab import adopt
    >>> tx = adopt(0.1)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (2.0, 2.0):
    ...     u, state = tx.update(jnp.array([g]), state)
    ...     print(u.round(4))
    [-0.]
    [-0.01]

    Source: S. Taniguchi et al., ADOPT: modified Adam can converge with any β₂ with the optimal
    rate, 2024, algorithm 2.
    """
    direction = scale_by_adopt(
        b1,
        b2,
        eps,
        mu_dtype,
        nesterov=nesterov,
        use_clipping=use_clipping,
        clip_value_fn=clip_value_fn,
    )
    return chain(expand(direction), scale_by_learning_rate(learning_rate))
