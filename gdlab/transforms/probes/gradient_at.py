"""The gradient at the parameters plus the displacement of a probe."""

import jax

from gdlab.core.apply import apply_updates
from gdlab.core.authoring import TreeFunctions
from gdlab.core.returned import gradient_at_params
from gdlab.core.rules import EVERYTHING
from gdlab.core.transformation import GradientTransformation, transformation


@transformation(reads=("params", "grad_fn", EVERYTHING), slots=("probe",))
def gradient_at(probe: GradientTransformation) -> TreeFunctions:
    """Return the gradient at the parameters displaced by a probe.

    uₜ = ∇f(wₜ + probe(gₜ)), which costs one additional evaluation of the gradient

    The links after it in a chain step from wₜ along that gradient. :func:`look_ahead` also
    evaluates the gradient elsewhere: where the method itself is about to go.

    Args:
        probe: a transformation of the gradient into a displacement; a positive multiple of the
            gradient leads uphill.

    Raises:
        ValueError: if ``params`` or the keyword ``grad_fn`` are missing.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import chain, gradient_at, scale, sgd
    >>> tx = chain(gradient_at(scale(0.5)), sgd(0.1))
    >>> grad_fn = jax.grad(lambda w: 0.5 * w**2)
    >>> w = jnp.array(1.0)
    >>> tx.update(grad_fn(w), tx.init(w), w, grad_fn=grad_fn)[0].round(4)
    Array(-0.15, dtype=float32)

    Source: P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur, Sharpness-aware minimization for
    efficiently improving generalization, 2020, algorithm 1.
    """

    def update(updates, state, params, *, grad_fn, **extra):
        move, after = probe.update(updates, state[0], params, grad_fn=grad_fn, **extra)
        gradient = gradient_at_params(grad_fn, apply_updates(params, move))
        return jax.tree.map(lambda u, g: g.astype(u.dtype), updates, gradient), (after,)

    return lambda params: (probe.init(params),), update
