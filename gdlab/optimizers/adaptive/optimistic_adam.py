"""Optimistic Adam: Adam for games, which extrapolates the change of direction."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.adaptive.adam import scale_by_adam
from gdlab.optimizers.momentum.optimistic import scale_by_optimistic_gradient
from gdlab.transforms.signals.scaling import scale, scale_by_learning_rate


@transformation
def optimistic_adam(
    learning_rate: Hyperparameter,
    optimism: Hyperparameter | None = None,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    mu_dtype: StorageDType | None = None,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """Optimistic Adam, with a separate learning rate for the change of direction.

    wₜ₊₁ = wₜ − η·uₜ − ω·(uₜ − uₜ₋₁), u the direction of Adam, u₀ = u₁

    With ω = 0 it is Adam; with ω = η it is :func:`optimistic_adam_v2` with its defaults.

    When to use:
        To sweep the two rates independently; otherwise :func:`optimistic_adam_v2` is easier to
        schedule.

    Args:
        learning_rate: η.
        optimism: ω; η unless given.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        eps_root: ε inside the root; none unless given.
        mu_dtype: dtype in which the average of gradients is stored.
        nesterov: whether that average looks one step ahead, as in optax, but not in the paper.

    >>> import jax.numpy as jnp
    >>> from gdlab import optimistic_adam
    >>> tx = optimistic_adam(0.1, 0.3)
    >>> tx.update(jnp.array([3.0]), tx.init(jnp.zeros(1)))[0].round(4)
    Array([-0.1], dtype=float32)

    Source: C. Daskalakis, A. Ilyas, V. Syrgkanis, H. Zeng, Training GANs with optimism, 2018,
    algorithm 1.
    """
    change = learning_rate if optimism is None else optimism
    return chain(
        expand(scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov)),
        expand(scale_by_optimistic_gradient(learning_rate, change)),
        scale(-1.0),
    )


@transformation
def optimistic_adam_v2(
    learning_rate: Hyperparameter,
    *,
    alpha: Hyperparameter = 1.0,
    beta: Hyperparameter = 1.0,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    eps_root: NonNegative | None = None,
    mu_dtype: StorageDType | None = None,
    nesterov: bool = False,
) -> GradientTransformation:
    """Optimistic Adam: a step along the direction of Adam expected at the next step.

    wₜ₊₁ = wₜ − η·(α·uₜ + β·(uₜ − uₜ₋₁)), u the direction of Adam, u₀ = u₁

    With β = 0 and α = 1 it is Adam. Scaling the loss changes nothing (ε → 0).

    When to use:
        Games, such as adversarial networks, where Adam cycles. For minimisation it gains nothing
        over Adam.

    Args:
        learning_rate: η, which scales both terms.
        alpha: α, the weight of the direction.
        beta: β, the weight of its change.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        eps_root: ε inside the root; none unless given.
        mu_dtype: dtype in which the average of gradients is stored.
        nesterov: whether that average looks one step ahead, as in optax, but not in the paper.

    >>> import jax.numpy as jnp
    >>> from gdlab import optimistic_adam_v2
    >>> tx = optimistic_adam_v2(0.1, b1=0.0, b2=0.0)
    >>> state = tx.init(jnp.zeros(1))
    >>> for g in (2.0, -5.0):
    ...     u, state = tx.update(jnp.array([g]), state)
    ...     print(u.round(4))
    [-0.1]
    [0.3]

    Source: C. Daskalakis, A. Ilyas, V. Syrgkanis, H. Zeng, Training GANs with optimism, 2018,
    algorithm 1.
    """
    return chain(
        expand(scale_by_adam(b1, b2, eps, eps_root, mu_dtype, nesterov=nesterov)),
        expand(scale_by_optimistic_gradient(alpha, beta)),
        scale_by_learning_rate(learning_rate),
    )
