"""Adan: Adam with Nesterov's momentum, estimated from the change of gradients."""

from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.joins import bus
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork, identity, on_wires, wire
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.parameters.proximal_decay import descend_with_proximal_decay
from gdlab.transforms.signals.delays import difference
from gdlab.transforms.signals.joins import weighted_sum
from gdlab.transforms.signals.ratios import ratio, square


@transformation
def scale_by_adan(
    b1: Hyperparameter = 0.98,
    b2: Fraction = 0.92,
    b3: Fraction = 0.99,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
) -> GradientTransformation:
    """The direction of Adan: averages of gradients and their changes, over a root mean square.

    dₜ = gₜ − gₜ₋₁, d₁ = 0; uₜ = (m̂ₜ + b2·v̂ₜ)/(√(n̂ₜ + eps_root) + eps), with the averages
    m̂ = debias(ema(b1))(g), v̂ = debias(ema(b2))(d), n̂ = debias(ema(b3))((g + b2·d)²)

    Args:
        b1: decay of the average of gradients.
        b2: decay of the average of their changes, and the weight of the changes.
        b3: decay of the average of squares.
        eps: ε outside the root.
        eps_root: ε inside the root; none unless given.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_adan
    >>> tx = scale_by_adan()
    >>> tx.update(jnp.array([-3.0]), tx.init(jnp.zeros(1)))[0]
    Array([-1.], dtype=float32)

    Source: X. Xie, P. Zhou, H. Li, Z. Lin, S. Yan, Adan: adaptive Nesterov momentum algorithm for
    faster optimizing deep models, 2022, algorithm 1.
    """
    momentum = fork(
        weighted_sum(1.0, b2),
        mu=chain(wire(0), debias(ema(b1))),
        mu_of_changes=chain(wire(1), debias(ema(b2))),
    )
    mean_square = chain(on_wires(weighted_sum(1.0, b2)), square(), debias(ema(b3)))
    return chain(
        fork(bus(), identity(), difference()),
        fork(ratio(eps, eps_root), momentum, nu=mean_square),
    )


@transformation
def adan(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.98,
    b2: Fraction = 0.92,
    b3: Fraction = 0.99,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    weight_decay: Hyperparameter = 0.0,
    mask: Mask = None,
) -> GradientTransformation:
    """Adan: momentum that looks ahead by the change of gradients, without a second gradient.

    dₜ = gₜ − gₜ₋₁, wₜ₊₁ = (wₜ − η·(m̂ₜ + b2·v̂ₜ)/(√n̂ₜ + ε))/(1 + η·λ), with corrected averages
    m of g, v of d and n of (g + b2·d)², of decays b1, b2 and b3

    On a constant gradient it is Adam with the decays b1 and b3, and every step has the size η (ε →
    0). Scaling the loss changes nothing (ε → 0).

    When to use:
        Vision transformers and other networks trained for many epochs, with five to ten times the
        learning rate of AdamW. Its state has two more arrays than AdamW's.

    Args:
        learning_rate: η.
        b1: decay of the average of gradients; the paper's β₁ is 1 − b1, and likewise for the
            others.
        b2: decay of the average of their changes, and the weight of the changes.
        b3: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        eps_root: ε inside the root; none unless given, 1e-8 in optax.
        weight_decay: λ, applied to the new parameters, as in :func:`descend_with_proximal_decay`.
        mask: which leaves decay, as in :func:`add_decayed_weights`.

    >>> import jax.numpy as jnp
    >>> from gdlab import adan
    >>> tx = adan(0.1, weight_decay=2.5)
    >>> params = jnp.array([5.1])
    >>> tx.update(jnp.array([3.0]), tx.init(params), params)[0].round(4)
    Array([-1.1], dtype=float32)

    Source: X. Xie, P. Zhou, H. Li, Z. Lin, S. Yan, Adan: adaptive Nesterov momentum algorithm for
    faster optimizing deep models, 2022, algorithm 1.
    """
    return chain(
        expand(scale_by_adan(b1, b2, b3, eps, eps_root)),
        descend_with_proximal_decay(learning_rate, weight_decay, mask),
    )
