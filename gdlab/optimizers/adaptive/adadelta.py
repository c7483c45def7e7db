"""Adadelta: steps in the units of the parameters."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.numerics import abs_squared, safe_divide, safe_sqrt
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@leafwise(
    slots=("mean_square_gradient", "mean_square_step"),
    nonnegative=("mean_square_gradient", "mean_square_step"),
    squares=True,
)
def scale_by_adadelta(rho: Fraction = 0.9, eps: NonNegative = 1e-6) -> LeafFunctions:
    """Scale by the ratio of the root mean squares of past steps and past gradients.

    E[g²]ₜ = ρ·E[g²]ₜ₋₁ + (1 − ρ)·gₜ², uₜ = gₜ·√(E[u²]ₜ₋₁ + ε)/√(E[g²]ₜ + ε),
    E[u²]ₜ = ρ·E[u²]ₜ₋₁ + (1 − ρ)·uₜ²

    Args:
        rho: ρ, the weight of the old value in both averages.
        eps: ε, inside both roots; it also sets the size of the first steps.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_adadelta
    >>> tx = scale_by_adadelta(0.0, 3.0)
    >>> tx.update(jnp.array([1.0]), tx.init(jnp.zeros(1)))[0].round(4)
    Array([0.866], dtype=float32)

    Source: M. D. Zeiler, ADADELTA: an adaptive learning rate method, 2012, algorithm 1.
    """

    def init(like):
        zeros = jnp.zeros_like(like).real
        return zeros, zeros

    def update(u, state):
        of_gradients, of_steps = state
        size = abs_squared(u)
        of_gradients = rho * of_gradients + (1 - rho) * size
        step = u * safe_divide(safe_sqrt(of_steps + eps), safe_sqrt(of_gradients + eps))
        of_steps = rho * of_steps + (1 - rho) * abs_squared(step)
        # The same step, written in the new averages, so that the old ones can be overwritten first:
        # E[u²]ₜ + ρε is (E[u²]ₜ₋₁ + ε)·(ρ + (1 − ρ)g²/(E[g²]ₜ + ε)).
        below = rho * (of_gradients + eps) + (1 - rho) * size
        step = u * safe_divide(safe_sqrt(of_steps + rho * eps), safe_sqrt(below))
        return step, (of_gradients, of_steps)

    return init, update


@transformation
def adadelta(
    learning_rate: Hyperparameter = 1.0,
    rho: Fraction = 0.9,
    eps: NonNegative = 1e-6,
    weight_decay: Hyperparameter | None = None,
    weight_decay_mask: Mask = None,
) -> GradientTransformation:
    """Adadelta: Adagrad with a fading memory, and no learning rate to set.

    Δₜ = gₜ·√(E[Δ²]ₜ₋₁ + ε)/√(E[g²]ₜ + ε), wₜ₊₁ = wₜ − η·Δₜ

    The steps have the units of the parameters: scaling w and g by c and ε by c² scales the path by
    c.

    When to use:
        If no learning rate is to be chosen and a slow start does no harm. Tuned methods do better
        nearly everywhere.

    Args:
        learning_rate: η; 1 is the paper's method.
        rho: ρ, the weight of the old value in both averages.
        eps: ε, inside both roots.
        weight_decay: λ, coupled: λw is added to the gradient. None unless given.
        weight_decay_mask: which leaves decay, as in :func:`add_decayed_weights`.

    >>> from gdlab import adadelta, expand
    >>> expand(adadelta())
    chain(scale_by_adadelta(), scale_by_learning_rate(1.0))

    Source: M. D. Zeiler, ADADELTA: an adaptive learning rate method, 2012, algorithm 1.
    """
    links = [scale_by_adadelta(rho, eps), scale_by_learning_rate(learning_rate)]
    if weight_decay is not None:
        links.insert(0, add_decayed_weights(weight_decay, weight_decay_mask))
    return chain(*links)
