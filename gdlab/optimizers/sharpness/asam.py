"""Adaptive sharpness-aware minimisation: the worst point within a relative distance."""

from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.probes.ascent import adaptive_ascent
from gdlab.transforms.probes.gradient_at import gradient_at


@transformation
def asam(
    inner: GradientTransformation,
    rho: NonNegative = 0.5,
    eta: NonNegative = 0.01,
    mask: Mask = None,
) -> GradientTransformation:
    """Adaptive sharpness-aware minimisation, with distances relative to each weight.

    ĝₜ = ∇f(wₜ + rho·T²gₜ/‖T·gₜ‖) with T = |wₜ| + eta, element by element; uₜ = inner(ĝₜ)

    Rescaling weights without changing the network, such as by c in one layer and 1/c in the next,
    rescales the displacement likewise (eta → 0), unlike in :func:`sam`.

    When to use:
        As :func:`sam`, for networks without normalisation or with layers of different scales. Its
        rho is about ten times that of SAM.

    Args:
        inner: the method, including its learning rate.
        rho: ρ, the radius, relative to the weights.
        eta: η, added to their absolute values.
        mask: which leaves are measured relative to their size; the paper leaves out biases.

    Raises:
        ValueError: if ``params`` or the keyword ``grad_fn`` are missing; ``minimize`` and ``sweep``
            supply them.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import asam, sgd
    >>> tx = asam(sgd(0.1), rho=0.5, eta=0.0)
    >>> grad_fn = jax.grad(lambda w: 0.5 * w**2)
    >>> w = jnp.array(2.0)
    >>> tx.update(grad_fn(w), tx.init(w), w, grad_fn=grad_fn)[0].round(4)
    Array(-0.3, dtype=float32)

    Source: J. Kwon, J. Kim, H. Park, I. K. Choi, ASAM: adaptive sharpness-aware minimization for
    scale-invariant learning of deep neural networks, 2021, algorithm 1.
    """
    return chain(gradient_at(adaptive_ascent(rho, eta, mask)), inner)
