"""AdaHessian: Adam whose second moment averages the squared diagonal of the Hessian."""

import jax.numpy as jnp

from gdlab.core.authoring import LeafFunctions
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Fraction, Hyperparameter, NonNegative, Period
from gdlab.core.joins import join
from gdlab.core.numerics import safe_divide, safe_sqrt
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, leafwise, transformation
from gdlab.core.wiring import chain, fork
from gdlab.optimizers.curvature.sophia import HUTCHINSON
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.averages.debiasing import debias
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.signals.ratios import square
from gdlab.transforms.signals.scaling import scale_by_learning_rate
from gdlab.transforms.steps.holding import hold


@leafwise
def spatial_mean() -> LeafFunctions:
    """Average the updates of convolution kernels over their window; other arrays pass unchanged.

    Kernels in JAX have the shape (…, in, out): each element is replaced by the average over all
    axes but the last two.

    >>> import jax.numpy as jnp
    >>> from gdlab import spatial_mean
    >>> tx = spatial_mean()
    >>> kernel = jnp.array([1.0, 2.0, 6.0]).reshape(3, 1, 1)
    >>> tx.update(kernel, tx.init(kernel))[0].ravel()
    Array([3., 3., 3.], dtype=float32)

    Source: Z. Yao et al., ADAHESSIAN, 2021, eq. 9.
    """

    def update(u):
        window = tuple(range(u.ndim - 2))
        return jnp.broadcast_to(jnp.mean(u, window, keepdims=True), u.shape) if window else u

    return update


@join
def over_root_to_power(power: Hyperparameter, eps: NonNegative) -> Function:
    """Join a direction and a second moment: m/((√v)^power + eps), and 0 where that is 0."""

    def divide(m, v):
        positive = v > 0
        root = jnp.where(positive, safe_sqrt(jnp.where(positive, v, 1)) ** power, 0)
        return safe_divide(m, root + eps)

    return divide


@transformation
def adahessian(
    learning_rate: Hyperparameter,
    b1: Hyperparameter = 0.9,
    b2: Fraction = 0.999,
    eps: NonNegative = 1e-4,
    weight_decay: Hyperparameter = 0.0,
    weight_decay_mask: Mask = None,
    hessian_power: Hyperparameter = 1.0,
    update_interval: Period = 1.0,
    hessian_diagonal_fn: GradientTransformation = HUTCHINSON,
) -> GradientTransformation:
    """AdaHessian: Adam whose second moment averages the squared diagonal of the Hessian.

    mₜ = b1·mₜ₋₁ + (1 − b1)·gₜ, vₜ = b2·vₜ₋₁ + (1 − b2)·Dₜ², with Dₜ an estimate of the diagonal of
    the Hessian, averaged over the window of a convolution;
    wₜ₊₁ = wₜ − η·(m̂ₜ/((√v̂ₜ)ᵏ + ε) + λ·wₜ), with both averages corrected for their start

    On a quadratic with a diagonal Hessian a step is η·m̂/curvature (k = 1, ε → 0), which does not
    depend on the units of the parameters.

    When to use:
        If the curvatures of the parameters differ by orders of magnitude and a step may cost three
        gradients; a longer ``update_interval`` makes it cheaper.

    Args:
        learning_rate: η; 0.15 in the paper, where Adam uses 0.001.
        b1: decay of the average of gradients.
        b2: decay of the average of squared curvatures.
        eps: ε, in the units of the curvature to the power k.
        weight_decay: λ, decoupled.
        weight_decay_mask: which leaves decay, as in :func:`add_decayed_weights`.
        hessian_power: k, in (0, 1].
        update_interval: the number of steps from one estimate to the next.
        hessian_diagonal_fn: the transformation that computes the estimate in place of the gradient.

    ``update`` needs ``params`` and the keywords ``grad_fn(params)`` and ``key``.

    >>> import jax, jax.numpy as jnp
    >>> from gdlab import adahessian, minimize
    >>> loss = lambda w: 0.5 * jnp.sum(jnp.array([1.0, 100.0]) * w**2)
    >>> run = minimize(
    ...     loss, jnp.ones(2), adahessian(0.5, b1=0.0, eps=0.0), 3, key=jax.random.key(0)
    ... )
    >>> run.path[:, 1]
    Array([1.   , 0.5  , 0.25 , 0.125], dtype=float32)

    Source: Z. Yao, A. Gholami, S. Shen, M. Mustafa, K. Keutzer, M. Mahoney, ADAHESSIAN: an adaptive
    second order optimizer for machine learning, 2021, algorithm 1.
    """
    diagonal = hold(chain(hessian_diagonal_fn, spatial_mean()), update_interval)
    second = chain(diagonal, square(), debias(ema(b2)))
    return chain(
        fork(over_root_to_power(hessian_power, eps), mu=debias(ema(b1)), nu=second),
        add_decayed_weights(weight_decay, weight_decay_mask),
        scale_by_learning_rate(learning_rate),
    )
