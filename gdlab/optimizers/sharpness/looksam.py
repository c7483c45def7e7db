"""LookSAM: the adversarial gradient at some steps, and its orthogonal part reused in between."""

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter, NonNegative, Period
from gdlab.core.numerics import widen
from gdlab.core.rarely import rarely
from gdlab.core.rules import EVERYTHING
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.norms.components import orthogonal_part, unit_and_length
from gdlab.transforms.norms.inner_products import add_scaled, chosen, inner_product
from gdlab.transforms.probes.ascent import ascent
from gdlab.transforms.probes.gradient_at import gradient_at
from gdlab.transforms.steps.periods import is_complete


@transformation(reads=EVERYTHING, slots=("phase", "vertical", "adversary"))
def reuse_vertical(
    adversary: GradientTransformation, every: Period, alpha: Hyperparameter
) -> TreeFunctions:
    """Compute an adversarial gradient at some steps, and reuse its part orthogonal to g at others.

    At the steps 1, 1 + every, …: u = ĝ = adversary(g), v = ĝ − (⟨g, ĝ⟩/‖g‖²)·g. At the others: u =
    g + alpha·(‖g‖/‖v‖)·v, and ``adversary`` is not run, not even in a sweep. The state has the
    direction v/‖v‖.

    Args:
        adversary: the transformation that computes the adversarial gradient, such as
            :func:`gradient_at`.
        every: the number of steps from one adversarial gradient to the next, at least 1.
        alpha: α, the weight of the part that is reused.

    >>> import jax.numpy as jnp
    >>> from gdlab import reuse_vertical, scale
    >>> tx = reuse_vertical(scale(2.0), every=2, alpha=0.5)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (1.0, 3.0):
    ...     u, state = tx.update(jnp.array([g]), state)
    ...     print(u)
    [2.]
    [3.]

    Source: Y. Liu, S. Mai, X. Chen, C.-J. Hsieh, Y. You, Towards efficient and scalable
    sharpness-aware minimization, 2022, algorithm 1.
    """

    def init(params):
        vertical = jax.tree.map(jnp.zeros_like, widen(params))
        return jnp.zeros((), jnp.int32), vertical, adversary.init(params)

    def update(updates, state, params, **extra):
        phase, vertical, inner_state = state
        unit, length = unit_and_length(updates)

        def renew(_, inner_state):
            sharp, inner_state = adversary.update(updates, inner_state, params, **extra)
            direction, size = unit_and_length(orthogonal_part(unit, sharp))
            # For parallel gradients only rounding errors remain, which must not be scaled up.
            rounding = 100 * jnp.finfo(size.dtype).eps * jnp.abs(inner_product(unit, sharp))
            nothing = jax.tree.map(jnp.zeros_like, direction)
            return sharp, chosen(size > rounding, direction, nothing), inner_state

        def reuse(vertical, inner_state):
            return add_scaled(updates, alpha * length, vertical), vertical, inner_state

        new, vertical, inner_state = rarely(phase == 0, renew, reuse, vertical, inner_state)
        phase = phase + 1
        over = is_complete(phase, every)
        return new, (jnp.where(over, 0, phase), vertical, inner_state)

    return init, update


@transformation
def looksam(
    inner: GradientTransformation,
    rho: NonNegative = 0.05,
    every: Period = 5,
    alpha: Hyperparameter = 0.7,
) -> GradientTransformation:
    """LookSAM: sharpness-aware minimisation at some steps, and an approximation at the others.

    At the steps 1, 1 + every, …: ĝₜ = ∇f(wₜ + rho·gₜ/‖gₜ‖), and v is the part of ĝₜ orthogonal to
    gₜ. At the others: ĝₜ = gₜ + alpha·(‖gₜ‖/‖v‖)·v. uₜ = inner(ĝₜ)

    At every = 1 it is :func:`sam`. v can be reused since it changes slowly.

    When to use:
        Where :func:`sam` helps but twice the time is too much: a step costs 1 + 1/every gradients.

    Args:
        inner: the method, including its learning rate.
        rho: ρ, the radius of the ball with the worst point.
        every: the number of steps from one adversarial gradient to the next.
        alpha: α, the weight of the part that is reused, in [0.5, 1].

    Raises:
        ValueError: if ``params`` or the keyword ``grad_fn`` are missing; ``minimize`` and ``sweep``
            supply them.

    >>> from gdlab import expand, looksam, sgd
    >>> expand(looksam(sgd(0.1)))
    chain(reuse_vertical(gradient_at(ascent(0.05)), 5.0, 0.7), sgd(0.1))

    Source: Y. Liu, S. Mai, X. Chen, C.-J. Hsieh, Y. You, Towards efficient and scalable
    sharpness-aware minimization, 2022, algorithm 1.
    """
    return chain(reuse_vertical(gradient_at(ascent(rho)), every, alpha), inner)
