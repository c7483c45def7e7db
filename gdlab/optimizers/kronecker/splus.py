"""SPlus: signs in the eigenbasis of Shampoo's preconditioner."""

from gdlab.checks.kinds import Size
from gdlab.core.authoring import LeafFunctions
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, Period
from gdlab.core.joins import bus
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import chain, fork, identity, wire
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.matrices.eigenbasis import in_eigenbasis
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.parameters.parameter_average import params_ema
from gdlab.transforms.signals.pointwise import scale_by_sign
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@leafwise
def scale_by_mean_dimension(other: Hyperparameter = 1e-3) -> LeafFunctions:
    """Divide the update of a matrix by the mean of its dimensions.

    uₜ = gₜ·2/(m + n) for an m×n matrix, and gₜ·other for all other arrays

    Args:
        other: the factor for arrays that are not matrices.

    >>> import jax.numpy as jnp
    >>> from gdlab import scale_by_mean_dimension
    >>> tx = scale_by_mean_dimension()
    >>> tx.update(jnp.ones((1, 3)), tx.init(jnp.ones((1, 3))))[0]
    Array([[0.5, 0.5, 0.5]], dtype=float32)

    Source: K. Frans, S. Levine, P. Abbeel, A stable whitening optimizer for efficient neural
    network training, 2025, section 4.
    """
    return lambda u: u * (2 / sum(u.shape) if u.ndim == 2 and u.size else other)


@transformation
def splus(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    weight_decay: Hyperparameter = 0.01,
    mask: Mask = None,
    *,
    every: Period = 100,
    average_decay: Fraction = 0.999,
    other_scale: Hyperparameter = 1e-3,
    max_dim: Size = 10000,
) -> GradientTransformation:
    """SPlus: the sign of momentum in the eigenbasis of Shampoo, and an average of the weights.

    Lₜ = b2·Lₜ₋₁ + (1 − b2)·gₜ·gₜᵀ, Rₜ = b2·Rₜ₋₁ + (1 − b2)·gₜᵀ·gₜ with eigenvectors Q and P,
    wₜ₊₁ = wₜ − η·2/(m + n)·(Q·sign(Qᵀ·mₜ·P)·Pᵀ + λ·wₜ)

    Every step of a matrix has the norm of a matrix of signs, however old the bases are, so they can
    be refreshed rarely. :func:`evaluation_params` returns the average of the weights. Scaling the
    gradients by a positive number changes nothing. Other arrays take steps of size
    η·``other_scale``, along signs for vectors, as in :func:`signum`.

    When to use:
        If :func:`soap` is too costly: the bases of SPlus can be a hundred steps old. Its learning
        rate, about 0.1 to 0.5, carries over between widths.

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the momentum.
        b2: decay of the factors.
        weight_decay: λ.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        every: the number of steps from one computation of the bases to the next.
        average_decay: decay of the average of the weights.
        other_scale: the factor for arrays that are not matrices, in place of 2/(m + n).
        max_dim: the length of the longest axis with an eigenbasis.

    >>> import jax.numpy as jnp
    >>> from gdlab import splus
    >>> tx = splus(0.1, weight_decay=0.0)
    >>> w = jnp.zeros((2, 2))
    >>> tx.update(jnp.array([[3.0, -2.0], [1.0, 4.0]]), tx.init(w), w)[0]
    Array([[-0.05,  0.05],
           [-0.05, -0.05]], dtype=float32)

    Source: K. Frans, S. Levine, P. Abbeel, A stable whitening optimizer for efficient neural
    network training, 2025, algorithm 1.
    """
    signs = in_eigenbasis(
        chain(wire(1), scale_by_sign()), b2, every=every, max_dim=max_dim, refresh="eigh"
    )
    return chain(
        fork(bus(), identity(), mu=ema(b1)),
        signs,
        add_decayed_weights(weight_decay, mask),
        scale_by_mean_dimension(other_scale),
        scale_by_learning_rate(learning_rate),
        params_ema(average_decay),
    )
