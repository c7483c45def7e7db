"""Hutchinson's estimate of the diagonal of the Hessian."""

import functools

import jax
import jax.numpy as jnp

from gdlab.core.authoring import TreeFunctions
from gdlab.core.returned import gradient_at_params
from gdlab.core.structure import Params
from gdlab.core.transformation import transformation
from gdlab.transforms.norms.inner_products import filled


@transformation(reads=("params", "grad_fn", "key", "step"))
def hutchinson() -> TreeFunctions:
    """Replace the gradient by an estimate of the diagonal of the Hessian.

    z ⊙ (H·z) with a probe z whose elements are −1 or 1, each with probability ½. The product costs
    about as much as two gradients. The estimate's mean over probes is the diagonal; if the Hessian
    is diagonal, each estimate is exact.

    Raises:
        ValueError: if ``params``, ``grad_fn`` or ``key`` are missing.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import hutchinson
    >>> tx, w = hutchinson(), jnp.ones(2)
    >>> grad_fn = jax.grad(lambda w: 3 * w[0] ** 2 + 4 * w[1] ** 2)
    >>> tx.update(grad_fn(w), tx.init(w), w, grad_fn=grad_fn, key=jax.random.key(0))[0]
    Array([6., 8.], dtype=float32)

    Source: M. F. Hutchinson, A stochastic estimator of the trace of the influence matrix for
    Laplacian smoothing splines, 1989; C. Bekas, E. Kokiopoulou, Y. Saad, An estimator for the
    diagonal of a matrix, 2007.
    """

    def update(updates, *, params, grad_fn, key, step):
        # With the step folded in, one key serves for a whole run.
        probe = rademacher_like(jax.random.fold_in(key, step), filled(updates, params))
        gradient = functools.partial(gradient_at_params, grad_fn)
        product = jax.jvp(gradient, (params,), (probe,))[1]
        return jax.tree.map(lambda z, h: z * h, probe, product)

    return update


def rademacher_like(key: jax.Array, like: Params) -> Params:
    """A tree of −1 and 1, each with probability ½."""
    leaves, treedef = jax.tree.flatten(like)
    signs = [
        jax.random.rademacher(jax.random.fold_in(key, index), jnp.shape(leaf), leaf.dtype)
        for index, leaf in enumerate(leaves)
    ]
    return treedef.unflatten(signs)
