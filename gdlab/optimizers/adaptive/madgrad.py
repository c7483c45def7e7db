"""MADGRAD: dual averaging with a cube root, and momentum."""

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.parameters.dual_averaging import scale_by_madgrad


@transformation
def madgrad(
    learning_rate: Hyperparameter,
    momentum: Hyperparameter = 0.9,
    weight_decay: Hyperparameter = 0.0,
    eps: NonNegative = 1e-6,
) -> GradientTransformation:
    """MADGRAD: dual averaging of all gradients, later ones weighted more, with a cube root.

    γₜ = η·√t, sₜ = Σγ·g, νₜ = Σγ·g², zₜ = w₀ − sₜ/(∛νₜ + ε), wₜ₊₁ = c·wₜ + (1 − c)·zₜ

    Scaling the loss by a scales the displacement from the start by a^⅓, and the learning rate by
    a^⅔ (ε → 0). On a constant gradient g, without momentum, the displacement at step t is
    (g·Λ²)^⅓ with Λ = η·Σ√i.

    When to use:
        Image classification, reconstruction and other tasks on which :func:`sgd` is better than
        Adam but hard to tune. Search the learning rate anew, in powers of 10; weight decay should
        be far smaller than usual, often 0.

    Args:
        learning_rate: η, applied inside the sums, so a schedule changes the weights of later
            gradients.
        momentum: c, the weight of the old parameters.
        weight_decay: λ, coupled: λw is added to the gradient.
        eps: ε, outside the cube root.

    >>> import jax.numpy as jnp
    >>> from gdlab import madgrad
    >>> tx, params = madgrad(1.0, momentum=0.5), jnp.zeros(1)
    >>> tx.update(jnp.array([8.0]), tx.init(params), params)[0].round(4)
    Array([-1.], dtype=float32)

    Source: A. Defazio, S. Jelassi, Adaptivity without compromise: a momentumized, adaptive, dual
    averaged gradient method for stochastic optimization, 2021, algorithm 1.
    """
    return chain(
        add_decayed_weights(weight_decay), expand(scale_by_madgrad(learning_rate, momentum, eps))
    )
