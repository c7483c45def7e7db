"""CAME: Adafactor with momentum, with smaller steps where single updates differ from it."""

import operator

from gdlab.checks.kinds import Size
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.joins import as_join, bus
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork, identity, on_wires, wire
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.factored import FactoredAxes, factored_ema, scale_by_factored_rms
from gdlab.transforms.norms.clipping import clip_by_block_rms
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.pointwise import shift
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def came(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    b3: Fraction = 0.9999,
    eps: NonNegative = 1e-30,
    eps_residual: NonNegative = 1e-16,
    clipping_threshold: NonNegative = 1.0,
    weight_decay: Hyperparameter = 0.0,
    mask: Mask = None,
    *,
    min_dim_size_to_factor: Size = 1,
    axes: FactoredAxes = "last",
) -> GradientTransformation:
    """CAME: Adafactor with momentum, divided by the deviation of single updates from it.

    ûₜ = gₜ/√vₜ, clipped to the root mean square d, mₜ = b1·mₜ₋₁ + (1 − b1)·ûₜ, wₜ₊₁ = wₜ −
    η·(mₜ/√Sₜ + λ·wₜ), with v the factored average of gₜ² + ε₁, of decay b2, and S the factored
    average of (ûₜ − mₜ)² + ε₂, of decay b3

    Averages have no bias correction, so v and S are small at first and the first steps are longer.
    Vectors have a second moment for each element, and no S. Scaling the loss changes nothing (ε₁ →
    0).

    When to use:
        Large language models, in place of AdamW at about its learning rate and with less than half
        of its memory, if :func:`adafactor` is unstable or slow.

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the momentum.
        b2: decay of the squares.
        b3: decay of the squared residuals.
        eps: ε₁, added to the squares.
        eps_residual: ε₂, added to the squared residuals.
        clipping_threshold: d, the largest root mean square of û.
        weight_decay: λ.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        min_dim_size_to_factor: the least length of two axes to be factored.
        axes: "last" to factor the last two axes of an array, "largest" the longest.

    >>> import jax.numpy as jnp
    >>> from gdlab import came
    >>> tx, w = came(0.1, b1=0.0), jnp.zeros(2)
    >>> tx.update(jnp.array([3.0, -4.0]), tx.init(w), w)[0]
    Array([-0.1,  0.1], dtype=float32)

    Source: Y. Luo, X. Ren, Z. Zheng, Z. Jiang, X. Jiang, Y. You, CAME: confidence-guided adaptive
    memory efficient optimization, 2023, algorithm 2.
    """
    residuals = chain(
        on_wires(as_join(operator.sub)),
        square(),
        shift(eps_residual),
        factored_ema(b3, min_dim_size_to_factor, axes=axes, matrices_only=True),
    )
    return chain(
        scale_by_factored_rms(
            epsilon=eps, min_dim_size_to_factor=min_dim_size_to_factor, axes=axes, decay=b2
        ),
        clip_by_block_rms(clipping_threshold),
        fork(bus(), identity(), mu=ema(b1)),
        fork(ratio(), wire(1), residual=residuals),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
