"""Averaged stochastic gradient descent: long steps, and the mean of the iterates."""

from gdlab.core.hyperparameter import Hyperparameter, NonNegative
from gdlab.core.schedule import schedule
from gdlab.core.structure import Function
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain
from gdlab.transforms.parameters.decay import add_decayed_weights
from gdlab.transforms.parameters.snapshots import params_mean
from gdlab.transforms.signals.scaling import scale_by_learning_rate


@schedule
def bottou_decay(
    init_value: Hyperparameter, lambd: Hyperparameter = 1e-4, alpha: Hyperparameter = 0.75
) -> Function:
    """The learning rate of averaged descent, which falls more slowly than 1/t.

    η(t) = η₀/(1 + lambd·η₀·t)^alpha, t = 0, 1, …

    Args:
        init_value: η₀.
        lambd: λ, the curvature of the regulariser, which sets the time scale 1/(λη₀).
        alpha: the exponent, between ½ and 1; 1 is best for the last iterate, ¾ for the mean.

    >>> from gdlab import bottou_decay
    >>> [round(float(bottou_decay(1.0, 1.0, 1.0)(t)), 4) for t in range(3)]
    [1.0, 0.5, 0.3333]

    Source: L. Bottou, Stochastic gradient descent tricks, 2012, section 5.
    """
    return lambda count: init_value / (1 + lambd * init_value * count.astype(float)) ** alpha


@transformation
def asgd(
    learning_rate: Hyperparameter,
    lambd: Hyperparameter = 1e-4,
    alpha: Hyperparameter = 0.75,
    t0: NonNegative = 1e6,
) -> GradientTransformation:
    """Averaged stochastic gradient descent: weight decay, and the mean of the iterates.

    ηₜ = η₀/(1 + lambd·η₀·t)^alpha, wₜ₊₁ = wₜ − ηₜ·(gₜ + lambd·wₜ), t = 0, 1, …; the iterate that is
    evaluated is the mean of those after more than t0 steps, and before that the last one.

    On a convex problem the mean is asymptotically as good as the best estimate from the same data,
    although the steps are too long for the iterates themselves to converge.

    When to use:
        Convex problems such as linear classifiers, in one or a few passes over the data. For
        networks, :func:`params_ema` or :func:`schedule_free` are better. :func:`evaluation_params`
        returns the mean.

    Args:
        learning_rate: η₀.
        lambd: λ, the weight decay, which also sets how fast the learning rate falls.
        alpha: the exponent of its decay.
        t0: the number of steps before the averaging begins.

    Raises:
        ValueError: if ``params`` are missing.

    >>> import jax.numpy as jnp
    >>> from gdlab import apply_updates, asgd, evaluation_params
    >>> tx, w = asgd(1.0, lambd=0.0, t0=1), jnp.array(8.0)
    >>> state = tx.init(w)
    >>> for g in (1.0, 2.0, 4.0):
    ...     updates, state = tx.update(jnp.array(g), state, w)
    ...     w = apply_updates(w, updates)
    ...     print(w, evaluation_params(state, w))
    7.0 7.0
    5.0 5.0
    1.0 3.0

    Source: B. T. Polyak, A. B. Juditsky, Acceleration of stochastic approximation by averaging,
    1992; L. Bottou, Stochastic gradient descent tricks, 2012, section 5.
    """
    return chain(
        add_decayed_weights(lambd),
        scale_by_learning_rate(bottou_decay(learning_rate, lambd, alpha)),
        params_mean(t0),
    )
