"""Adam-mini: Adam with one second moment for each block of weights."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.blocks import Blocks, mean_over_block
from gdlab.transforms.signals.ratios import ratio, square
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def adam_mini(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-8,
    weight_decay: Hyperparameter = 0.1,
    mask: Mask = None,
    *,
    block: Blocks = "unit",
    mu_dtype: StorageDType | None = None,
) -> GradientTransformation:
    """Adam-mini: AdamW whose second moment is one number for each block of weights.

    v(b)ₜ = b2·v(b)ₜ₋₁ + (1 − b2)·(mean of gₜ² over the block b),
    wₜ₊₁ = wₜ − η·(m̂ₜ/(√v̂ₜ + ε) + λ·wₜ)

    Within a block it is momentum, and rotating a block rotates its path; with blocks of one element
    it is :func:`adamw`. The state takes about half as much memory as Adam's.

    When to use:
        Transformers that AdamW trains well, with its hyperparameters, if memory is short. Blocks
        should follow the blocks of the Hessian: heads for queries and keys,
        ``("query|key", (0, 2))`` for kernels (in, heads, size), and tokens for embeddings,
        ``("embed", (1,))`` for (tokens, size).

    Args:
        learning_rate: η, which also scales the decay.
        b1: decay of the average of gradients.
        b2: decay of the average of squares.
        eps: ε, outside the root and after the correction.
        weight_decay: λ.
        mask: which leaves decay, as in :func:`add_decayed_weights`.
        block: the axes that a block spans, as in :func:`mean_over_block`: by default a block is the
            weights that feed one output.
        mu_dtype: dtype in which the average of gradients is stored.

    >>> import jax.numpy as jnp
    >>> from gdlab import adam_mini
    >>> tx, w = adam_mini(0.1, block="array"), jnp.zeros(2)
    >>> tx.update(jnp.array([1.0, -7.0]), tx.init(w), w)[0].round(3)
    Array([-0.02,  0.14], dtype=float32)

    Source: Y. Zhang, C. Chen, Z. Li, T. Ding, C. Wu, D. P. Kingma, Y. Ye, Z.-Q. Luo, R. Sun,
    Adam-mini: use fewer learning rates to gain more, 2024, algorithm 1.
    """
    squares = chain(square(), mean_over_block(block), debias(ema(b2)))
    momentum = debias(ema(b1, accumulator_dtype=mu_dtype))
    return chain(
        fork(ratio(eps), mu=momentum, nu=squares),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
