"""Adagrad: steps divided by the root of the sum of all squared gradients."""

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from gdlab.core.authoring import TreeFunctions
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.placement import placed_like, whole
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.averages.rss import scale_by_rss
from gdlab.transforms.matrices.decompositions import eigh
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def adagrad(
    learning_rate: Hyperparameter,
    initial_accumulator_value: NonNegative = 0.1,
    eps: NonNegative = 1e-7,
    *,
    eps_in_sqrt: bool = True,
) -> GradientTransformation:
    """Adagrad, diagonal: the learning rate of each parameter falls with its gradients so far.

    Gₜ = Gₜ₋₁ + gₜ², wₜ₊₁ = wₜ − η·gₜ/√(Gₜ + ε)

    On a constant gradient the steps fall as η/√t (with G₀ = ε = 0).

    When to use:
        On sparse features and on convex problems. On networks its steps become too short too soon.

    Args:
        learning_rate: η.
        initial_accumulator_value: the initial value G₀; 0 in the paper and torch, 0.1 in optax and
            Keras.
        eps: ε.
        eps_in_sqrt: whether ε is added inside the root (optax, Keras) or outside (torch).

    >>> from gdlab import adagrad, expand
    >>> expand(adagrad(0.1))
    chain(scale_by_rss(), scale_by_learning_rate(0.1))

    Source: J. Duchi, E. Hazan, Y. Singer, Adaptive subgradient methods for online learning and
    stochastic optimization, 2011, figure 1.
    """
    return chain(
        scale_by_rss(initial_accumulator_value, eps, eps_in_sqrt),
        scale_by_learning_rate(learning_rate),
    )


@transformation(slots=("outer_products",), squares=True)
def scale_by_full_rss(
    initial_accumulator_value: NonNegative = 0.0,
    eps: NonNegative = 1e-7,
    eps_in_sqrt: bool = True,
) -> TreeFunctions:
    """Multiply by the inverse root of the sum of outer products of all gradients so far.

    Gₜ = Gₜ₋₁ + gₜ·gₜᵀ, uₜ = (Gₜ + εI)^(−½)·gₜ, with all n parameters in one vector g

    The updates are zero in directions orthogonal to all gradients. It costs n² memory and n³ time
    per step.

    Args:
        initial_accumulator_value: G₀ is this times the identity.
        eps: ε.
        eps_in_sqrt: whether ε is added to G or to its root.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_full_rss
    >>> tx = scale_by_full_rss(eps=0.0)
    >>> tx.update(jnp.array([3.0, 4.0]), tx.init(jnp.zeros(2)))[0].round(4)
    Array([0.6, 0.8], dtype=float32)

    Source: J. Duchi, E. Hazan, Y. Singer, Adaptive subgradient methods for online learning and
    stochastic optimization, 2011, figure 1.
    """

    def init(params):
        flat, _ = ravel_pytree(jax.tree.map(whole, params))
        return (initial_accumulator_value * jnp.eye(flat.size, dtype=flat.dtype),)

    def update(updates, state):
        g, unravel = ravel_pytree(jax.tree.map(whole, updates))
        total = state[0] + jnp.outer(g, g.conj())
        eigenvalues, basis = eigh(total)
        # Eigenvalues below the rounding of the largest are directions without gradients.
        floor = jnp.finfo(eigenvalues.dtype).eps * g.size * jnp.max(eigenvalues, initial=0)
        present = eigenvalues > floor
        kept = jnp.where(present, eigenvalues, 0)
        root = jnp.sqrt(kept + eps) if eps_in_sqrt else jnp.sqrt(kept) + eps
        inverse = jnp.where(present & (root > 0), 1 / jnp.where(root > 0, root, 1), 0)
        new = unravel(basis @ (inverse * (basis.conj().T @ g)))
        return jax.tree.map(placed_like, new, updates), (total,)

    return init, update


@transformation
def full_matrix_adagrad(
    learning_rate: Hyperparameter,
    initial_accumulator_value: NonNegative = 0.0,
    eps: NonNegative = 1e-7,
    *,
    eps_in_sqrt: bool = True,
) -> GradientTransformation:
    """Adagrad with the full matrix: it adapts to any directions, not only to the coordinates.

    Gₜ = Gₜ₋₁ + gₜ·gₜᵀ, wₜ₊₁ = wₜ − η·(Gₜ + εI)^(−½)·gₜ

    Rotating the problem rotates the trajectory, unlike in diagonal methods. It suits problems of up
    to some thousand parameters: it costs n² memory and n³ time per step.

    When to use:
        On small problems whose eigenvectors are not along the coordinates, and to see what a
        rotation costs the diagonal form.

    Args:
        learning_rate: η.
        initial_accumulator_value: G₀ is this times the identity.
        eps: ε.
        eps_in_sqrt: whether ε is added to G or to its root.

    >>> from gdlab import expand, full_matrix_adagrad
    >>> expand(full_matrix_adagrad(0.1))
    chain(scale_by_full_rss(), scale_by_learning_rate(0.1))

    Source: J. Duchi, E. Hazan, Y. Singer, Adaptive subgradient methods for online learning and
    stochastic optimization, 2011, figure 1.
    """
    return chain(
        scale_by_full_rss(initial_accumulator_value, eps, eps_in_sqrt),
        scale_by_learning_rate(learning_rate),
    )
