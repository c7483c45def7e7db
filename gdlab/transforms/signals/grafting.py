"""Grafting: the norm of one step with the direction of another."""

from gdlab.core.joins import join
from gdlab.core.numerics import safe_divide
from gdlab.core.structure import Function
from gdlab.transforms.norms.norms import norm


@join
def grafted() -> Function:
    """Join two steps: the norm of the first, in the direction of the second, array by array.

    u = ‖a‖·b/‖b‖, and 0 where b is 0

    >>> import jax.numpy as jnp
    >>> from gdlab import grafted
    >>> grafted()(jnp.array([3.0, 4.0]), jnp.array([0.0, 2.0]))
    Array([0., 5.], dtype=float32)

    Source: N. Agarwal, R. Anil, E. Hazan, T. Koren, C. Zhang, Disentangling adaptive gradient
    methods from learning rates, 2020, algorithm 1.
    """
    # This order cannot overflow, as the ratio of the norms could.
    return lambda a, b: safe_divide(b, norm(b)) * norm(a)
