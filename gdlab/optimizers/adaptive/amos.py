"""Amos: Adam with one scale per array, and a decay and learning rate that adapt."""

from gdlab.core.by_leaf import by_leaf
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.parameters.model_scale import descend_by_amos, expected_scales


@transformation
def amos(
    learning_rate: Hyperparameter,
    eta: Hyperparameter | None = None,
    beta: Fraction = 0.999,
    momentum: Hyperparameter | None = None,
    c_coef: Hyperparameter = 0.25,
    d_coef: Hyperparameter = 0.25,
    eps: NonNegative = 1e-18,
) -> GradientTransformation:
    """Amos: one second moment for each array, and decays that fall as training goes on.

    γₜ = ξ²·mean(gₜ²)/v̂ₜ/√(1 + c·√ξ·b), wₜ₊₁ = wₜ − (ξη·gₜ/√v̂ₜ + ½γₜ·wₜ)/(1 + d·√(ξη)·b),
    b ← b + γₜ·(1 + b), with v̂ the corrected average of mean(g²), array by array

    The first step of each array has the root mean square ξη. Learning rate and weight decay need no
    schedule: both fall as b grows, by about ξ² per step. Scaling the gradients of an array changes
    nothing (ε → 0), and scaling its weights and η scales its path, if d is scaled too.

    When to use:
        Pre-training language models if the size of trained weights is known and memory is short:
        the state has two numbers per array. Set ``eta`` by hand for embeddings and the scales of
        normalisations, whose shapes say nothing about their size.

    Args:
        learning_rate: ξ, the relative change of weights in the first step.
        eta: η, the size that weights are expected to have in the end, usually one for each leaf;
            :func:`expected_scales` of the parameters unless given.
        beta: β, the decay of the average of squares.
        momentum: decay of an average of steps; none unless given.
        c_coef: c, which sets how fast the weight decay falls.
        d_coef: d, which sets how fast the learning rate falls.
        eps: ε, added to the mean square.

    >>> import jax.numpy as jnp
    >>> from gdlab import amos
    >>> tx, params = amos(0.1), {"kernel": jnp.zeros((8, 2)), "scale": jnp.zeros(1)}
    >>> updates, _ = tx.update(
    ...     {"kernel": jnp.ones((8, 2)), "scale": jnp.ones(1)}, tx.init(params), params
    ... )
    >>> updates["kernel"][0].round(4), updates["scale"].round(4)
    (Array([-0.05, -0.05], dtype=float32), Array([-0.05], dtype=float32))

    Source: R. Tian, A. P. Parikh, Amos: an Adam-style optimizer with adaptive weight decay towards
    model-oriented scale, 2022, algorithm 1.
    """
    sizes = by_leaf(expected_scales) if eta is None else eta
    step = descend_by_amos(learning_rate, sizes, beta, c_coef, d_coef, eps)
    return step if momentum is None else chain(step, ema(momentum))
