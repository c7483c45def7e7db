"""BCOS: step sizes from the mean square of the search direction, block by block."""

from typing import Literal

from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.joins import join
from gdlab.core.numerics import abs_squared, safe_divide, safe_sqrt, squarable
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork, identity
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.first_value import from_first
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.scaling import scale_by_learning_rate

Mode = Literal["g", "m", "c"]


@join
def conditional_ratio(beta: Hyperparameter, eps: NonNegative) -> Function:
    """Join a gradient and the average before it: the next average, scaled by its conditional RMS.

    u = d/(√v + eps), d = β·m + (1 − β)·g, v = β²·m² + 2β(1 − β)·m·d + (1 − β)²·g²: the mean square
    of d given m, with d in place of the unknown mean gradient. v is positive wherever g or m is not
    0, and |u| < √2.

    Args:
        beta: β, the decay of the average.
        eps: ε, outside the root.

    >>> import jax.numpy as jnp
    >>> from gdlab import conditional_ratio
    >>> conditional_ratio(0.5, 0.0)(jnp.array([3.0]), jnp.array([3.0]))
    Array([1.], dtype=float32)
    """

    def divide(g, m):
        g, m = squarable(g), squarable(m)
        d = beta * m + (1 - beta) * g
        crossed = 2 * beta * (1 - beta) * (m.conj() * d).real
        v = beta**2 * abs_squared(m) + crossed + (1 - beta) ** 2 * abs_squared(g)
        return safe_divide(d, safe_sqrt(v) + eps, at_least=eps)

    return divide


@transformation
def bcos(
    learning_rate: Hyperparameter = 1e-3,
    beta: Hyperparameter = 0.9,
    beta2: Fraction | None = None,
    mode: Mode = "c",
    weight_decay: Hyperparameter = 0.1,
    eps: NonNegative = 1e-6,
    mask: Mask = None,
) -> GradientTransformation:
    """Block-coordinate optimal step sizes (BCOS): a direction over the root of its mean square.

    wₜ₊₁ = wₜ − η·(dₜ/(√vₜ + ε) + λ·wₜ), where in mode "g": dₜ = gₜ, vₜ = ema(β₂)(dₜ²), which is
    RMSProp; "m": dₜ = ema(β)(gₜ), vₜ = ema(β₂)(dₜ²); "c": d as in "m", and v its mean square given
    dₜ₋₁, which needs no state: :func:`conditional_ratio`. All averages start at their first value.

    Scaling the loss changes nothing (ε → 0). In mode "c" and at λ = 0 no
    element moves by more than √2·η.

    When to use:
        In mode "c", in place of AdamW if memory is short: its state has one number per parameter,
        and it does as well with the same learning rate and decay.

    Args:
        learning_rate: η, which also scales the decay.
        beta: β, the decay of the average of gradients.
        beta2: β₂, the decay of the average of squares, in modes "g" and "m"; β unless given.
        mode: which direction is used, and how its mean square is estimated.
        weight_decay: λ, decoupled.
        eps: ε, outside the root.
        mask: which leaves decay, as in :func:`add_decayed_weights`.

    Raises:
        ValueError: if ``mode`` is not one of these three.

    >>> import jax.numpy as jnp
    >>> from gdlab import bcos
    >>> tx = bcos(0.1, weight_decay=0.0)
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)), jnp.zeros(1))[0]
    Array([-0.1], dtype=float32)

    Source: L. Xiao et al., Stochastic approximation with block coordinate optimal stepsizes, 2025,
    algorithms 2–4.
    """
    mean_square = chain(square(), from_first(ema(beta if beta2 is None else beta2)))
    scaling = fork(ratio(eps), identity(), nu=mean_square)
    if mode == "g":
        direction = scaling
    elif mode == "m":
        direction = chain(from_first(ema(beta)), scaling)
    else:
        before = from_first(ema(beta, lagged=True))
        direction = fork(conditional_ratio(beta, eps), identity(), mu=before)
    return chain(
        direction,
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
