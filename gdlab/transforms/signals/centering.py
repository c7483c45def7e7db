"""Gradients without the mean that the inputs of a unit share."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.transformation import leafwise
from gdlab.transforms.norms.norms import Axes, require_axis


@leafwise
def centralize(*, axis: Axes = None) -> LeafFunctions:
    """Subtract, from the gradient of each kernel, the mean over the inputs of each output.

    uₜ = gₜ − mean(gₜ), with the mean over all axes but the last, along which kernels in JAX have
    their outputs; arrays with fewer than two axes pass unchanged

    The sum of the weights that feed an output then stays constant. Centralizing twice is the same
    as centralizing once.

    Args:
        axis: the axes to average over, if not these. optax averages over all axes but the first, as
            suits kernels in torch: ``axis=1`` for a matrix.

    >>> import jax.numpy as jnp
    >>> from gdlab import centralize
    >>> tx = centralize()
    >>> tx.update(jnp.array([[1.0, 2.0], [3.0, 8.0]]), tx.init(jnp.zeros((2, 2))))[0]
    Array([[-1., -3.],
           [ 1.,  3.]], dtype=float32)

    Source: H. Yong, J. Huang, X. Hua, L. Zhang, Gradient centralization: a new optimization
    technique for deep neural networks, 2020, eq. 1.
    """

    def update(u):
        over = tuple(range(u.ndim - 1)) if axis is None else axis
        if u.ndim < 2 or u.size == 0:
            return u
        require_axis(axis, u.shape)
        return u - jnp.mean(u, over, keepdims=True)

    return update
