"""Quotients of a direction and the size of past gradients, as in adaptive methods."""

from gdlab.core.authoring import LeafFunctions
from gdlab.core.hyperparameter import NonNegative
from gdlab.core.joins import Join, join
from gdlab.core.numerics import abs_squared, safe_divide, safe_sqrt
from gdlab.core.structure import Function
from gdlab.core.transformation import leafwise


@leafwise(nonnegative=True, squares=True)
def square() -> LeafFunctions:
    """Square the updates, element by element.

    uₜ = |gₜ|²

    >>> import jax.numpy as jnp
    >>> from gdlab import square
    >>> tx = square()
    >>> tx.update(jnp.array([-3.0]), tx.init(jnp.zeros(1)))[0]
    Array([9.], dtype=float32)
    """
    return abs_squared


@join
def ratio(eps: NonNegative | None = None, eps_root: NonNegative | None = None) -> Function:
    """Join a direction and a second moment: the direction divided by the moment's root.

    u = m / (√(v + eps_root) + eps), and 0 where that denominator is 0.

    Args:
        eps: ε, added outside the root, in the units of the gradient.
        eps_root: ε, added inside the root, in the squared units of the gradient.

    >>> import jax.numpy as jnp
    >>> from gdlab import ratio
    >>> ratio(eps=1.0)(jnp.array([6.0, 0.0]), jnp.array([4.0, 0.0]))
    Array([2., 0.], dtype=float32)
    """

    def divide(m, v):
        root = safe_sqrt(v if eps_root is None else v + eps_root)
        return safe_divide(m, root) if eps is None else safe_divide(m, root + eps, at_least=eps)

    return divide


@join
def quotient(eps: NonNegative | None = None) -> Function:
    """Join a direction and a size: the first divided by the second.

    u = m / (n + eps), and 0 where that denominator is 0.

    >>> import jax.numpy as jnp
    >>> from gdlab import quotient
    >>> quotient()(jnp.array([6.0, 0.0]), jnp.array([4.0, 0.0]))
    Array([1.5, 0. ], dtype=float32)
    """

    def divide(m, n):
        return safe_divide(m, n) if eps is None else safe_divide(m, n + eps, at_least=eps)

    return divide


def ratio_with_eps(eps: NonNegative, eps_in_sqrt: bool) -> Join:
    """The ratio with its ε inside or outside the root."""
    return ratio(eps_root=eps) if eps_in_sqrt else ratio(eps=eps)
