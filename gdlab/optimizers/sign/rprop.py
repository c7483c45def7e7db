"""Rprop: a step size for each element, which grows while the gradient keeps its sign."""

from typing import Annotated

import jax.numpy as jnp

from gdlab.core.annotations import AtLeast
from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative, OneOrMore
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.signals.scaling import scale


@leafwise(slots=("step_sizes", "previous_sign"), nonnegative=("step_sizes",))
def scale_by_rprop(
    learning_rate: Hyperparameter,
    eta_minus: Fraction = 0.5,
    eta_plus: OneOrMore = 1.2,
    min_step_size: NonNegative = 1e-6,
    max_step_size: Annotated[NonNegative, AtLeast("min_step_size")] = 50.0,
) -> LeafFunctions:
    """The direction of Rprop: the sign of the gradient times a size that adapts.

    sₜ = sign(gₜ); Δₜ = Δₜ₋₁·eta_plus where sₜ·sₜ₋₁ > 0, Δₜ₋₁·eta_minus where it is < 0, and Δₜ₋₁
    where it is 0, within [min_step_size, max_step_size]; uₜ = Δₜ·sₜ. Where the sign has changed
    uₜ = sₜ = 0, so that the size does not change again at the next step.

    Args:
        learning_rate: Δ₀.
        eta_minus: η⁻ < 1, the factor of the size after the sign has changed.
        eta_plus: η⁺ > 1, the factor of the size while the sign stays the same.
        min_step_size: the least size.
        max_step_size: the largest size.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_rprop
    >>> tx = scale_by_rprop(0.1)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (7.0, 3.0, -1.0, -1.0):
    ...     u, state = tx.update(jnp.array([g]), state)
    ...     print(u.round(4))
    [0.1]
    [0.12]
    [0.]
    [-0.06]

    Source: C. Igel, M. Hüsken, Empirical evaluation of the improved Rprop learning algorithms,
    2003, the algorithm called iRprop⁻; M. Riedmiller, H. Braun, A direct adaptive method for
    faster backpropagation learning: the RPROP algorithm, 1993.
    """

    def init(like):
        return jnp.full_like(like.real, learning_rate), jnp.zeros_like(like)

    def update(u, state):
        size, previous = state
        sign = jnp.sign(u)
        agreement = (sign * jnp.conj(previous)).real
        turned = agreement < 0
        grown = size * jnp.where(agreement > 0, eta_plus, 1.0).astype(size.dtype)
        within = lambda size: jnp.clip(size, min_step_size, max_step_size)  # noqa: E731
        # Clipped before the selection: otherwise XLA would recompute the clipped value at each use.
        size = jnp.where(turned, within(size * eta_minus), within(grown))
        sign = jnp.where(turned, 0, sign)
        return size * sign, (size, sign)

    return init, update


@transformation
def rprop(
    learning_rate: Hyperparameter,
    eta_minus: Fraction = 0.5,
    eta_plus: OneOrMore = 1.2,
    min_step_size: NonNegative = 1e-6,
    max_step_size: Annotated[NonNegative, AtLeast("min_step_size")] = 50.0,
) -> GradientTransformation:
    """Rprop: a step size for each element, which grows while the gradient keeps its sign.

    wₜ₊₁ = wₜ − Δₜ·sign(gₜ); Δ is multiplied by eta_plus while the sign stays the same, by eta_minus
    when it changes, and then that element waits for one step.

    Only signs are used: scaling any element of the gradient by a positive number changes nothing.
    With eta_plus = eta_minus = 1 it is :func:`sign_sgd` with a pause of one step after each change
    of sign.

    When to use:
        Full batches on small networks, where it needs no tuning. With mini-batches, noise changes
        the signs, which shrinks all steps: use :func:`rmsprop`.

    Args:
        learning_rate: Δ₀, the first size; a schedule is evaluated only at the start.
        eta_minus: η⁻ < 1, the factor of the size after the sign has changed.
        eta_plus: η⁺ > 1, the factor of the size while the sign stays the same.
        min_step_size: the least size.
        max_step_size: the largest size.

    >>> import jax.numpy as jnp
    >>> from gdlab import rprop
    >>> tx = rprop(0.1)
    >>> tx.update(jnp.array([3.0, -4e-9]), tx.init(jnp.zeros(2)))[0]
    Array([-0.1,  0.1], dtype=float32)

    Source: C. Igel, M. Hüsken, Empirical evaluation of the improved Rprop learning algorithms,
    2003, the algorithm called iRprop⁻.
    """
    sizes = scale_by_rprop(learning_rate, eta_minus, eta_plus, min_step_size, max_step_size)
    return chain(sizes, scale(-1.0))
