"""PSGD Kron: whitening by triangular factors that are learned."""

from typing import Annotated

import jax
import jax.numpy as jnp

from gdlab.checks.kinds import Size, StorageDType
from gdlab.core.annotations import AtLeast
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.matrices.whitening import scale_by_kron
from gdlab.transforms.norms.clipping import clip_by_block_rms
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@schedule
def kron_update_probability(
    max_prob: Annotated[Fraction, AtLeast("min_prob")] = 1.0,
    min_prob: Fraction = 0.03,
    decay: Hyperparameter = 0.001,
    flat_start: NonNegative = 500,
) -> Function:
    """The fraction of steps at which the factors of :func:`kron` are updated.

    pₜ = max_prob·e^(−decay·(t − flat_start)), between min_prob and max_prob

    >>> from gdlab import kron_update_probability
    >>> [round(float(kron_update_probability()(t)), 3) for t in (0, 1000, 9000)]
    [1.0, 0.607, 0.03]
    """
    return lambda count: jnp.clip(
        max_prob * jnp.exp(-decay * (count.astype(float) - flat_start)), min_prob, max_prob
    )


@transformation
def kron(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    weight_decay: Hyperparameter = 0.0,
    weight_decay_mask: Mask = None,
    preconditioner_update_probability: Fraction | None = None,
    max_size_triangular: Size = 8192,
    min_ndim_triangular: Size = 2,
    preconditioner_lr: NonNegative = 0.1,
    preconditioner_init_scale: NonNegative = 1.0,
    mu_dtype: StorageDType | None = None,
    *,
    max_rms: NonNegative = 1.1,
    probe: Function = jax.random.normal,
) -> GradientTransformation:
    """PSGD Kron: momentum whitened by a learned triangular factor for each axis.

    wₜ₊₁ = wₜ − η·(clip(P·m̂ₜ) + λ·wₜ), with P = QᵀQ, Q = Q₁ ⊗ Q₂ ⊗ … as in
    :func:`scale_by_kron`, and the root mean square of an array clipped to ``max_rms``

    In the long run every direction of an array is scaled to the same mean square, so scaling the
    loss affects only the start. Vectors have a diagonal factor.

    When to use:
        If curvature differs much between directions that are not coordinates, and for recurrent or
        unusually shaped networks; about as good as :func:`soap` with fewer matrix decompositions.
        Start at a third of the learning rate of AdamW.

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the average of gradients, with bias correction.
        weight_decay: λ.
        weight_decay_mask: which leaves decay, as in :func:`add_decayed_weights`.
        preconditioner_update_probability: the fraction of steps at which factors are updated;
            :func:`kron_update_probability` unless given.
        max_size_triangular: the length of the longest axis with a triangular factor.
        min_ndim_triangular: the least number of axes of an array with triangular factors.
        preconditioner_lr: the relative step of the factors.
        preconditioner_init_scale: the initial Q, as a multiple of the identity.
        mu_dtype: dtype in which the average of gradients is stored.
        max_rms: the largest root mean square of the direction of an array.
        probe: the random probes, as in :func:`scale_by_kron`.

    Raises:
        ValueError: if the step has no ``key``.

    >>> from gdlab import hyperparameters, kron
    >>> hyperparameters(kron(1e-3))["preconditioner_lr"]
    0.1

    Source: X.-L. Li, Preconditioned stochastic gradient descent, 2015; O. Pooladzandi, X.-L. Li,
    Curvature-informed SGD via general purpose Lie-group preconditioners, 2024.
    """
    share = preconditioner_update_probability
    whitened = scale_by_kron(
        preconditioner_lr,
        kron_update_probability() if share is None else share,
        max_size_triangular,
        min_ndim_triangular,
        preconditioner_init_scale,
        probe=probe,
    )
    return chain(
        debias(ema(b1, accumulator_dtype=mu_dtype)),
        whitened,
        clip_by_block_rms(max_rms),
        add_decayed_weights(weight_decay, weight_decay_mask),
        scale_by_learning_rate(learning_rate),
    )
