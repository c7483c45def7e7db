"""GSAM: minimise the worst loss nearby, and its gap to the loss itself."""

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.rules import EVERYTHING
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.norms.components import orthogonal_part, unit_and_length
from gdlab.transforms.norms.inner_products import add_scaled
from gdlab.transforms.probes.ascent import ascent
from gdlab.transforms.probes.gradient_at import gradient_at


@transformation(reads=EVERYTHING, slots=("adversary",))
def close_surrogate_gap(
    adversary: GradientTransformation, alpha: Hyperparameter = 0.1
) -> TreeFunctions:
    """Subtract from an adversarial gradient the part of the gradient orthogonal to it.

    ĝ = adversary(g), u = ĝ − alpha·(g − (⟨g, ĝ⟩/‖ĝ‖²)·ĝ), with products over the whole tree

    To first order this raises f without changing the adversarial loss, and so narrows the gap.

    Args:
        adversary: the transformation that computes the adversarial gradient, such as
            :func:`gradient_at`.
        alpha: α, the weight of the orthogonal part.

    >>> import jax.numpy as jnp
    >>> from gdlab import close_surrogate_gap, identity
    >>> tx = close_surrogate_gap(identity())
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)))[0]
    Array([3.], dtype=float32)

    Source: J. Zhuang et al., Surrogate gap minimization improves sharpness-aware training, 2022,
    algorithm 1.
    """

    def update(updates, state, params, **extra):
        adversarial, after = adversary.update(updates, state[0], params, **extra)
        unit, _ = unit_and_length(adversarial)
        combined = add_scaled(adversarial, -alpha, orthogonal_part(unit, updates))
        return combined, (after,)

    return lambda params: (adversary.init(params),), update


@transformation
def gsam(
    inner: GradientTransformation, rho: NonNegative = 0.05, alpha: Hyperparameter = 0.1
) -> GradientTransformation:
    """GSAM: sharpness-aware minimisation that also closes the gap to the loss itself.

    ĝₜ = ∇f(wₜ + rho·gₜ/‖gₜ‖), uₜ = inner(ĝₜ − alpha·g⊥), with g⊥ the part of gₜ orthogonal to ĝₜ

    At alpha = 0 it is :func:`sam`. In the paper rho falls with the learning rate: pass a schedule.

    When to use:
        As :func:`sam`, mostly for vision transformers, at the same cost.

    Args:
        inner: the method, including its learning rate.
        rho: ρ, the radius of the ball with the worst point.
        alpha: α, the weight of the orthogonal part.

    Raises:
        ValueError: if ``params`` or the keyword ``grad_fn`` are missing; ``minimize`` and ``sweep``
            supply them.

    >>> from gdlab import expand, gsam, sgd
    >>> expand(gsam(sgd(0.1)))
    chain(close_surrogate_gap(gradient_at(ascent(0.05))), sgd(0.1))

    Source: J. Zhuang et al., Surrogate gap minimization improves sharpness-aware training, 2022,
    algorithm 1.
    """
    return chain(close_surrogate_gap(gradient_at(ascent(rho)), alpha), inner)
