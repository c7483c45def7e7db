"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner."""

from gdlab.checks.kinds import Size
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative, Period
from gdlab.core.joins import bus
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork, identity, wire
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.matrices.eigenbasis import in_eigenbasis
from gdlab.transforms.matrices.kl_factors import Statistics
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.scaling import scale_by_learning_rate
from gdlab.transforms.steps.waiting import wait


@transformation
def scale_by_soap(
    b1: Hyperparameter = 0.95,
    b2: Fraction = 0.95,
    eps: NonNegative = 1e-8,
    *,
    factor_decay: Fraction = 0.95,
    every: Period = 10,
    max_dim: Size = 10000,
    statistics: Statistics = "gram",
) -> GradientTransformation:
    """The direction of SOAP: Adam's in the eigenbases of Shampoo's factors.

    uₜ = Q·(Qᵀ·m̂ₜ·P/(√v̂ₜ + eps))·Pᵀ, with m̂ the average of gₜ and v̂ the average of (Qᵀ·gₜ·P)²

    The first gradient only initialises the bases; the first update is zero.

    Args:
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε outside the root.
        factor_decay: decay of the factors L and R.
        every: the number of steps from one refresh of the bases to the next.
        max_dim: the length of the longest axis with an eigenbasis.
        statistics: "kl" for KL-SOAP, as in :func:`in_eigenbasis`.

    >>> from gdlab import hyperparameters, scale_by_soap
    >>> hyperparameters(scale_by_soap())["every"]
    10.0

    Source: N. Vyas and others, SOAP: improving and stabilizing Shampoo using Adam, 2024,
    algorithm 3.
    """
    scaled = fork(ratio(eps), wire(1), nu=chain(wire(0), square(), wait(debias(ema(b2)))))
    turned = in_eigenbasis(
        scaled, factor_decay, every=every, max_dim=max_dim, statistics=statistics
    )
    return chain(fork(bus(), identity(), mu=wait(debias(ema(b1)))), turned)


@transformation
def soap(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.95,
    b2: Fraction = 0.95,
    eps: NonNegative = 1e-8,
    weight_decay: Hyperparameter = 0.01,
    mask: Mask = None,
    *,
    factor_decay: Fraction = 0.95,
    every: Period = 10,
    max_dim: Size = 10000,
    statistics: Statistics = "gram",
) -> GradientTransformation:
    """SOAP: Adam in the eigenbasis of Shampoo's preconditioner.

    Lₜ = β·Lₜ₋₁ + (1 − β)·gₜ·gₜᵀ, Rₜ = β·Rₜ₋₁ + (1 − β)·gₜᵀ·gₜ with eigenvectors Q and P,
    vₜ = b2·vₜ₋₁ + (1 − b2)·(Qᵀ·gₜ·P)², wₜ₊₁ = wₜ − η·(Q·(Qᵀ·m̂ₜ·P/(√v̂ₜ + ε))·Pᵀ + λ·wₜ)

    Rotating an axis of the weights rotates the path. Vectors, scalars, and axes longer than
    ``max_dim`` keep their basis: if all do, it is :func:`adamw` without its first step.

    When to use:
        Matrices of all sizes if gradients cost more than the optimizer, above all with large
        batches. It needs the fewest steps in many comparisons, and is tuned like AdamW, at about
        its learning rate. ``statistics="kl"`` is KL-SOAP, which did better there without further
        tuning.

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        weight_decay: λ.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        factor_decay: β, the decay of the factors.
        every: the number of steps from one refresh of the bases to the next.
        max_dim: the length of the longest axis with an eigenbasis.
        statistics: "kl" for KL-SOAP, as in :func:`in_eigenbasis`.

    >>> import jax.numpy as jnp
    >>> from gdlab import soap
    >>> tx, w = soap(0.1), jnp.zeros((2, 2))
    >>> state = tx.init(w)
    >>> for _ in range(2):
    ...     u, state = tx.update(jnp.array([[3.0, 0.0], [0.0, 2.0]]), state, w)
    >>> u.round(3)
    Array([[-0.1, -0. ],
           [-0. , -0.1]], dtype=float32)

    Source: N. Vyas, D. Morwani, R. Zhao, M. Kwun, I. Shapira, D. Brandfonbrener, L. Janson,
    S. Kakade, SOAP: improving and stabilizing Shampoo using Adam, 2024, algorithm 3; W. Lin,
    S. C. Lowe, F. Dangel and others, Understanding and improving Shampoo and SOAP via
    Kullback–Leibler minimization, 2025.
    """
    direction = scale_by_soap(
        b1,
        b2,
        eps,
        factor_decay=factor_decay,
        every=every,
        max_dim=max_dim,
        statistics=statistics,
    )
    return chain(
        expand(direction),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
