"""DP-SGD: gradient descent with differential privacy."""

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.transformation import GradientTransformation, expand, transformation
from gdlab.core.wiring import chain
from gdlab.optimizers.momentum.sgd import sgd
from gdlab.transforms.signals.privacy import differentially_private_aggregate


@transformation
def dpsgd(
    learning_rate: Hyperparameter,
    l2_norm_clip: NonNegative,
    noise_multiplier: NonNegative,
    momentum: Hyperparameter | None = None,
    nesterov: bool = False,
) -> GradientTransformation:
    """Differentially private gradient descent.

    g̃ = (Σᵢ gᵢ·min(1, C/‖gᵢ‖) + σ·C·ξ)/B over the B examples of a batch, wₜ₊₁ = wₜ − η·g̃

    Its input has a leading axis of examples. One example changes the sum by at most C. Without
    noise, and with a bound that no gradient reaches, it is gradient descent. To compute the privacy
    guarantee of a run, use a privacy accountant, which is not included.

    When to use:
        If a model is to be published but its training data are confidential. The noise costs
        accuracy, but less with large batches.

    Args:
        learning_rate: η.
        l2_norm_clip: C, the norm to which the gradient of each example is clipped.
        noise_multiplier: σ, the standard deviation of the noise in units of C.
        momentum: decay of the velocity; no momentum unless given.
        nesterov: whether momentum looks one step ahead.

    Raises:
        ValueError: if the keyword ``key`` of ``update`` is missing, or an array has no axis of
            examples.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import dpsgd
    >>> def loss(w, x):
    ...     return 0.5 * (w - x) ** 2
    >>> w, x = jnp.array(0.0), jnp.array([1.0, 8.0])
    >>> grads = jax.vmap(jax.grad(loss), (None, 0))(w, x)
    >>> tx = dpsgd(1.0, l2_norm_clip=2.0, noise_multiplier=0.0)
    >>> tx.update(grads, tx.init(w), w, key=jax.random.key(0))[0]
    Array(1.5, dtype=float32)

    Source: M. Abadi et al., Deep learning with differential privacy, 2016, algorithm 1.
    """
    private = differentially_private_aggregate(l2_norm_clip, noise_multiplier)
    return chain(private, expand(sgd(learning_rate, momentum, nesterov)))
