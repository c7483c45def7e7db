"""Displacements to the point nearby with the highest loss, to first order."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import NonNegative
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.norms.normalizing import normalize
from gdlab.transforms.signals.scaling import scale


@transformation
def ascent(rho: NonNegative) -> GradientTransformation:
    """Turn the gradient into the displacement in a ball that raises the loss most, to first order.

    ε = rho·g/‖g‖, with the norm over the whole tree

    Args:
        rho: ρ, the radius of the ball.

    >>> from gdlab import ascent, expand
    >>> expand(ascent(0.05))
    chain(normalize(), scale(0.05))

    Source: P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur, Sharpness-aware minimization for
    efficiently improving generalization, 2020, eq. 2.
    """
    return chain(normalize(), scale(rho))


@leafwise(reads="param")
def scale_by_magnitude(eta: NonNegative = 0.01, mask: Mask = None) -> LeafFunctions:
    """Multiply each element by the absolute value of its parameter.

    uₜ = (|wₜ| + eta)·gₜ where the mask holds, and gₜ elsewhere

    Args:
        eta: added to the absolute value, so that parameters at zero can move.
        mask: which leaves are scaled; all unless given.

    Raises:
        ValueError: if ``params`` are missing, or if a pattern matches no leaf.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_magnitude
    >>> tx, w = scale_by_magnitude(0.0), jnp.array([-2.0, 0.5])
    >>> tx.update(jnp.ones(2), tx.init(w), w)[0]
    Array([2. , 0.5], dtype=float32)

    Source: J. Kwon, J. Kim, H. Park, I. K. Choi, ASAM: adaptive sharpness-aware minimization, 2021,
    eq. 5.
    """
    chosen = mask is None or mask
    return lambda u, param: (jnp.abs(param) + eta) * u if chosen else u


@transformation
def adaptive_ascent(
    rho: NonNegative, eta: NonNegative = 0.01, mask: Mask = None
) -> GradientTransformation:
    """Turn the gradient into the worst displacement of a given size relative to the weights.

    ε = rho·T²g/‖T·g‖ with T = |w| + eta, element by element, and the norm over the whole tree

    Args:
        rho: ρ, the radius, relative to the weights.
        eta: η, added to their absolute values.
        mask: which leaves are measured relative to their size, all unless given; T = 1 for the
            others.

    Raises:
        ValueError: if ``params`` are missing, or if a pattern matches no leaf.

    >>> from gdlab import adaptive_ascent, expand
    >>> expand(adaptive_ascent(0.5))
    chain(scale_by_magnitude(), normalize(), scale_by_magnitude(), scale(0.5))

    Source: J. Kwon, J. Kim, H. Park, I. K. Choi, ASAM: adaptive sharpness-aware minimization, 2021,
    eq. 8.
    """
    magnitude = scale_by_magnitude(eta, mask)
    return chain(magnitude, normalize(), magnitude, scale(rho))
