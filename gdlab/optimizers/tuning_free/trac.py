"""TRAC: a wrapper that stays near the initial parameters until gradients agree."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gdlab.core.annotations import NonEmpty
from gdlab.core.authoring import TreeFunctions
from gdlab.core.export import is_exported
from gdlab.core.hyperparameter import Fraction, NonNegative, Positive
from gdlab.core.numerics import safe_divide, safe_sqrt
from gdlab.core.rules import EVERYTHING
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.optimizers.tuning_free.displacement import scaled_displacement

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


def erfi(x: jax.Array) -> jax.Array:
    """The imaginary error function, (2/√π)·∫₀ˣ exp(t²) dt.

    It is a Gauss–Legendre sum of 64 terms, cut off at the largest value that does not overflow.
    """
    farthest = float(np.sqrt(np.log(jnp.finfo(x.dtype).max))) - 0.1
    x = jnp.clip(x, -farthest, farthest)
    t = jnp.asarray((_NODES + 1) / 2, x.dtype)
    integrand = jnp.exp(jnp.multiply.outer(jnp.square(x), jnp.square(t)))
    weights = jnp.asarray(_WEIGHTS / np.sqrt(np.pi), x.dtype)
    return x * jnp.sum(jnp.broadcast_to(weights, integrand.shape) * integrand, -1)


@is_exported
class Tuners(NamedTuple):
    """The scales that tuners of different decays propose, and their statistics."""

    s: jax.Array
    """The scales, whose sum is used."""
    sigma: jax.Array
    """The decayed sums of h."""
    variance: jax.Array
    """The decayed sums of squares of h."""


@transformation(
    reads=("params", EVERYTHING),
    slots=("base_optimizer_state", "displacement", "tuners"),
    squares=True,
)
def trac(
    base_optimizer: GradientTransformation,
    betas: Annotated[Sequence[Fraction], NonEmpty] = (0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999),
    eps: NonNegative = 1e-8,
    s_init: Positive = 1e-8,
) -> TreeFunctions:
    """Learn how far to follow another optimizer away from the initial parameters (TRAC).

    wₜ₊₁ = w₀ + max(Σᵢ sᵢ, 0)·Δₜ₊₁ where Δ is the sum of the updates of ``base_optimizer``, and for
    each βᵢ, with hₜ = −⟨Δₜ, gₜ⟩: σ ← β·σ + h, v ← β²·v + h²,
    s = s_init·erfi(σ/(√(2v) + ε))/erfi(1/√2), erfi(x) = (2/√π)·∫₀ˣ exp(t²) dt

    Scaling the loss changes nothing (ε → 0, after the first step). Inner products run over all
    parameters together. The scale grows exponentially while the gradients agree, and the parameters
    return to the start when they no longer agree.

    When to use:
        In lifelong learning, where tasks change without notice and networks lose their plasticity.
        Wrap the optimizer with its learning rate. It keeps one more number per parameter.

    Args:
        base_optimizer: an optimizer, including its learning rate.
        betas: the decay of each tuner.
        eps: ε, also the initial value of σ.
        s_init: the unit of the scales.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import minimize, sgd, trac
    >>> tx = trac(sgd(0.1))
    >>> run = minimize(lambda w: jnp.sum((w - 3.0) ** 2), jnp.zeros(2), tx, steps=100)
    >>> jnp.all(jnp.abs(run.params - 3.0) < 1.0)
    Array(True, dtype=bool)

    Source: A. Muppidi, Z. Zhang, H. Yang, Fast TRAC: a parameter-free optimizer for lifelong
    reinforcement learning, 2024, algorithms 1 and 2.
    """

    def start(zero):
        zeros = jnp.full(len(betas), zero)
        return Tuners(zeros, zeros + eps, zeros)

    def learn(tuners, h):
        beta = jnp.stack([jnp.asarray(b, h.dtype) for b in betas])
        sigma, variance = beta * tuners.sigma + h, beta**2 * tuners.variance + h**2
        bet = safe_divide(sigma, safe_sqrt(2 * variance) + eps)
        s = s_init * erfi(bet) / erfi(jnp.asarray(0.5**0.5, h.dtype))
        return Tuners(s, sigma, variance)

    def scale(tuners):
        return jnp.maximum(jnp.sum(tuners.s), 0)

    return scaled_displacement(base_optimizer, start, learn, scale, lambda g, *_: g)
