"""NovoGrad: momentum of gradients that are normalised layer by layer."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork, identity, named_chain
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.first_value import from_first
from gdlab.transforms.averages.momentum import trace
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.reductions import sum_over
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def scale_by_novograd(
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.25,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    weight_decay: Hyperparameter = 0.0,
    mu_dtype: StorageDType | None = None,
) -> GradientTransformation:
    """The direction of NovoGrad: a decaying sum of gradients, normalised array by array.

    vₜ = b2·vₜ₋₁ + (1 − b2)·‖gₜ‖², v₁ = ‖g₁‖², one number for each array;
    mₜ = b1·mₜ₋₁ + gₜ/(√(vₜ + eps_root) + eps) + weight_decay·wₜ

    Args:
        b1: decay of the sum.
        b2: decay of the average of squared norms.
        eps: ε outside the root.
        eps_root: ε inside the root; none unless given.
        weight_decay: λ, inside the sum.
        mu_dtype: dtype in which the sum is stored.

    >>> from gdlab import expand, scale_by_novograd
    >>> expand(scale_by_novograd())
    chain(fork(ratio(eps=1e-08), identity(), nu=chain(square(), sum_over(), \
from_first(ema(0.25)))), add_decayed_weights(), named_chain(('mu', trace(0.9))))

    Source: B. Ginsburg et al., Stochastic gradient methods with layer-wise adaptive moments for
    training of deep networks, 2019, algorithm 1.
    """
    squared_norm = chain(square(), sum_over(), from_first(ema(b2)))
    return chain(
        fork(ratio(eps, eps_root), identity(), nu=squared_norm),
        add_decayed_weights(weight_decay),
        named_chain(("mu", trace(b1, accumulator_dtype=mu_dtype))),
    )


@transformation
def novograd(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.25,
    eps: NonNegative = 1e-6,
    eps_root: NonNegative | None = None,
    weight_decay: Hyperparameter = 0.0,
) -> GradientTransformation:
    """NovoGrad: one second moment for each layer, and momentum after the division.

    vₜ = b2·vₜ₋₁ + (1 − b2)·‖gₜ‖², v₁ = ‖g₁‖², array by array;
    mₜ = b1·mₜ₋₁ + gₜ/(√vₜ + ε) + λ·wₜ, wₜ₊₁ = wₜ − η·mₜ

    Its state has one array where Adam's has two. Scaling the loss, or the gradients of one array,
    changes nothing (ε → 0), and rotating an array rotates its path. On a constant gradient step t
    has the norm η·(1 − b1ᵗ)/(1 − b1) for each array (ε → 0).

    When to use:
        Large batches if memory is short, such as in speech recognition, for which it was designed.
        Its learning rate is that of momentum on gradients of norm 1, and not like Adam's.

    Args:
        learning_rate: η.
        b1: decay of the sum of gradients.
        b2: decay of the average of squared norms; 0.25 in the paper, and 0.95 to 0.99 for long
            runs.
        eps: ε, outside the root.
        eps_root: ε inside the root; none unless given.
        weight_decay: λ, inside the momentum, but not divided by the norm.

    >>> import jax.numpy as jnp
    >>> from gdlab import novograd
    >>> tx = novograd(0.1)
    >>> params = jnp.zeros(2)
    >>> tx.update(jnp.array([3.0, 4.0]), tx.init(params), params)[0].round(4)
    Array([-0.06, -0.08], dtype=float32)

    Source: B. Ginsburg et al., Stochastic gradient methods with layer-wise adaptive moments for
    training of deep networks, 2019, algorithm 1.
    """
    return chain(
        expand(scale_by_novograd(b1, b2, eps, eps_root, weight_decay)),
        scale_by_learning_rate(learning_rate),
    )
