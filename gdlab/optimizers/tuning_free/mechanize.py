"""Mechanic: a wrapper that learns the scale of another optimizer's steps."""

from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp

from gdlab.checks.kinds import Between
from gdlab.core.authoring import TreeFunctions
from gdlab.core.export import is_exported
from gdlab.core.hyperparameter import Hyperparameter, NonNegative, Positive
from gdlab.core.numerics import safe_divide, safe_sqrt
from gdlab.core.rules import EVERYTHING
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.optimizers.tuning_free.displacement import scaled_displacement
from gdlab.transforms.norms.inner_products import add_scaled
from gdlab.transforms.norms.norms import tree_norm


@is_exported
class Bettors(NamedTuple):
    """The scales on which bettors of different decays bet, and their statistics."""

    s: jax.Array
    """The scales, whose sum is used."""
    r: jax.Array
    """The rewards."""
    m: jax.Array
    """The decayed maxima of |h|."""
    v: jax.Array
    """The decayed sums of squares of h."""


@transformation(
    reads=("params", EVERYTHING),
    slots=("base_optimizer_state", "displacement", "bettors"),
    squares=True,
)
def mechanize(
    base_optimizer: GradientTransformation,
    weight_decay: Hyperparameter = 1e-2,
    eps: NonNegative = 1e-8,
    s_init: Positive = 1e-6,
    num_betas: Annotated[int, Between(1, 1000)] = 6,
) -> TreeFunctions:
    """Learn the scale of another optimizer's steps (Mechanic).

    wₜ₊₁ = w₀ + (Σᵢ sᵢ)·Δₜ₊₁ where Δ is the sum of the updates of ``base_optimizer``, and for each
    βᵢ = 1 − 10⁻ⁱ, i = 1 … num_betas, with hₜ = −⟨Δₜ, gₜ + λ·(Σᵢ sᵢ)·‖gₜ‖·wₜ/(‖wₜ‖ + ε)⟩:
    r ← β·r + s·clip(h, −m, m), m ← max(β·m, |h| + ε), v ← β²·v + h²,
    s ← (s_init·m/num_betas + max(r, 0))/(√v + ε)

    Scaling the gradients does not change the scales (ε → 0). Inner products and norms run over all
    parameters together.

    When to use:
        Around a method with a schedule and learning rate 1, in place of a search of the learning
        rate. It keeps one more number per parameter.

    Args:
        base_optimizer: an optimizer, including its learning rate, of which only the schedule
            matters.
        weight_decay: λ, the weight decay in the gradient of the scale.
        eps: ε.
        s_init: the scale of the first steps.
        num_betas: the number of bettors.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import mechanize, minimize, sgd
    >>> tx = mechanize(sgd(1.0))
    >>> run = minimize(lambda w: jnp.sum((w - 3.0) ** 2), jnp.zeros(2), tx, steps=200)
    >>> jnp.all(jnp.abs(run.params - 3.0) < 0.5)
    Array(True, dtype=bool)

    Source: A. Cutkosky, A. Defazio, H. Mehta, Mechanic: a learning rate tuner, 2023, algorithm 1.
    """

    def start(zero):
        zeros = jnp.full(num_betas, zero)
        return Bettors(zeros + s_init, zeros, zeros, zeros)

    def learn(bettors, h):
        s, r, m, v = bettors
        beta = 1 - 0.1 ** jnp.arange(1, num_betas + 1, dtype=s.dtype)
        r = beta * r + s * jnp.clip(h, -m, m)
        m = jnp.maximum(beta * m, jnp.abs(h) + eps)
        v = beta**2 * v + h**2
        wealth = s_init / num_betas * m + jnp.maximum(r, 0)
        return Bettors(safe_divide(wealth, safe_sqrt(v) + eps), r, m, v)

    def regularised(g, params, scale):
        pull = weight_decay * scale * safe_divide(tree_norm(g), tree_norm(params) + eps)
        return add_scaled(g, pull, params)

    return scaled_displacement(
        base_optimizer, start, learn, lambda bettors: jnp.sum(bettors.s), regularised
    )
