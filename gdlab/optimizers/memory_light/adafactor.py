"""Adafactor: second moments as matrices of rank one, and steps relative to the weights."""

from gdlab.checks.kinds import Size, StorageDType
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.schedules.power_of_count import at_most_inverse_root
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.factored import FactoredAxes, scale_by_factored_rms
from gdlab.transforms.norms.clipping import clip_by_block_rms
from gdlab.transforms.norms.trust_ratio import scale_by_param_block_rms
from gdlab.transforms.parameters.decay import decay_weights
from gdlab.transforms.signals.scaling import scale, scale_by_learning_rate


@transformation
def adafactor(
    learning_rate: Hyperparameter | None = None,
    min_dim_size_to_factor: Size = 128,
    decay_rate: NonNegative = 0.8,
    decay_offset: Hyperparameter = 0,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: NonNegative | None = 1.0,
    momentum: Hyperparameter | None = None,
    dtype_momentum: StorageDType | None = None,
    weight_decay_rate: Hyperparameter | None = None,
    eps: NonNegative = 1e-30,
    factored: bool = True,
    weight_decay_mask: Mask = None,
    *,
    axes: FactoredAxes = "largest",
) -> GradientTransformation:
    """Adafactor: Adam without momentum, with second moments that need almost no memory.

    rₜ, cₜ = averages of the row and column means of gₜ² + ε with the decay βₜ = 1 − t^(−0.8),
    Uₜ = gₜ/√(rₜ·cₜᵀ/mean(rₜ)), wₜ₊₁ = wₜ − ηₜ·max(10⁻³, rms(wₜ))·Uₜ/max(1, rms(Uₜ)/d)

    The first step is a sign step if the squares of the gradient have rank one. Scaling the loss
    changes nothing (ε → 0), and scaling all weights scales the steps. Vectors and small matrices
    have a second moment for each element.

    When to use:
        If Adam's two moments do not fit into memory. With the defaults it needs no learning rate.
        To use a small, constant learning rate, turn off ``multiply_by_parameter_scale`` and tune as
        for :func:`adam`.

    Args:
        learning_rate: η, relative to the weights; min(0.01, 1/√t) unless given.
        min_dim_size_to_factor: the least length of two axes to be factored.
        decay_rate: the exponent in βₜ.
        decay_offset: the number of steps after which t starts from 1, for fine-tuning.
        multiply_by_parameter_scale: whether steps are multiplied by max(10⁻³, rms(w)).
        clipping_threshold: d, the largest root mean square of Uₜ; None clips nothing.
        momentum: decay of an average of the steps, including the learning rate; none unless given.
        dtype_momentum: dtype in which that average is stored.
        weight_decay_rate: λ, decoupled, which the learning rate scales; none unless given.
        eps: ε, added to the squares.
        factored: False to keep a second moment for each element.
        weight_decay_mask: which leaves decay, as in :func:`add_decayed_weights`.
        axes: "largest" to factor the two longest axes of an array, "last" the last two.

    >>> import jax.numpy as jnp
    >>> from gdlab import adafactor
    >>> tx, w = adafactor(0.1), jnp.array([2.0, -2.0])
    >>> tx.update(jnp.array([3.0, 4.0]), tx.init(w), w)[0]
    Array([-0.2, -0.2], dtype=float32)

    Source: N. Shazeer, M. Stern, Adafactor: adaptive learning rates with sublinear memory cost,
    2018, algorithms 4 and 5.
    """
    rate = at_most_inverse_root(0.01) if learning_rate is None else learning_rate
    links = [
        scale_by_factored_rms(
            factored, decay_rate, decay_offset, min_dim_size_to_factor, eps, axes=axes
        )
    ]
    if clipping_threshold is not None:
        links.append(clip_by_block_rms(clipping_threshold))
    links.append(scale_by_learning_rate(rate, flip_sign=False))
    if multiply_by_parameter_scale:
        links.append(scale_by_param_block_rms())
    if momentum is not None:
        links.append(ema(momentum, accumulator_dtype=dtype_momentum))
    links.append(scale(-1.0))
    if weight_decay_rate is not None:
        links.append(decay_weights(weight_decay_rate, weight_decay_mask, learning_rate=rate))
    return chain(*links)
