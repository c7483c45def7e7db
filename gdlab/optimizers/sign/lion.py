"""Lion: the sign of an average, with additional weight on the current gradient."""

from gdlab.checks.kinds import StorageDType
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain, fork, identity
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.joins import interpolate
from gdlab.transforms.signals.pointwise import scale_by_sign
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@transformation
def scale_by_lion(
    b1: Hyperparameter = 0.9, b2: Fraction = 0.99, mu_dtype: StorageDType | None = None
) -> GradientTransformation:
    """The direction of Lion: the sign of a mixture of the gradient and its average.

    uₜ = sign(b1·mₜ₋₁ + (1 − b1)·gₜ), mₜ = b2·mₜ₋₁ + (1 − b2)·gₜ

    Args:
        b1: the weight of the average in the mixture.
        b2: decay of the average.
        mu_dtype: dtype in which the average is stored.

    >>> from gdlab import expand, scale_by_lion
    >>> expand(scale_by_lion(0.5, 0.9))
    chain(fork(interpolate(0.5), mu=ema(0.9, lagged=True), gradient=identity()), scale_by_sign())

    Source: X. Chen et al., Symbolic discovery of optimization algorithms, 2023, program 1.
    """
    average = ema(b2, accumulator_dtype=mu_dtype, lagged=True)
    return chain(fork(interpolate(b1), mu=average, gradient=identity()), scale_by_sign())


@transformation
def lion(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.99,
    mu_dtype: StorageDType | None = None,
    weight_decay: Hyperparameter = 1e-3,
    mask: Mask = None,
) -> GradientTransformation:
    """Lion: steps of one size along the sign of a mixture of the gradient and its average.

    wₜ₊₁ = wₜ − η·(sign(b1·mₜ₋₁ + (1 − b1)·gₜ) + λ·wₜ), mₜ = b2·mₜ₋₁ + (1 − b2)·gₜ

    Without decay each element moves by η or not at all, and scaling the gradients by a positive
    number changes nothing. With decay, weights within 1/λ stay there. At b1 = b2 it is
    :func:`signum`, at b1 = 0 :func:`sign_sgd`. Since it is discontinuous in the gradient, no
    learning rate is stable: near a minimum it oscillates by steps of size η.

    When to use:
        Large batches and transformers, where it does about as well as AdamW with one array less in
        its state. Start with a learning rate of a third to a tenth of AdamW's, and a decay larger
        by the same factor. With small batches signs are mostly noise.

    Args:
        learning_rate: η, which also scales the decay.
        b1: the weight of the average in the mixture whose sign is taken.
        b2: decay of the average.
        mu_dtype: dtype in which the average is stored.
        weight_decay: λ.
        mask: which leaves decay, as in :func:`add_decayed_weights`.

    >>> import jax.numpy as jnp
    >>> from gdlab import lion
    >>> tx = lion(0.1, weight_decay=0.0)
    >>> tx.update(jnp.array([3.0, -4e-9]), tx.init(jnp.zeros(2)), jnp.zeros(2))[0]
    Array([-0.1,  0.1], dtype=float32)

    Source: X. Chen et al., Symbolic discovery of optimization algorithms, 2023, program 1.
    """
    return chain(
        expand(scale_by_lion(b1, b2, mu_dtype)),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
