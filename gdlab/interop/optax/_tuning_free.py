"""Methods that tune themselves, under optax's arguments."""

import gdlab
from gdlab.core.by_leaf import Mask
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.state import State, evaluation_params
from gdlab.core.structure import Params
from gdlab.core.transformation import GradientTransformation
from gdlab.optimizers.tuning_free.dog import InitStep

dowg = gdlab.dowg


def dog(
    learning_rate: Hyperparameter = 1.0,
    init_step: tuple[InitStep, Hyperparameter] = ("heuristic", 1e-6),
    eps: Hyperparameter = 1e-8,
    weight_decay: Hyperparameter | None = None,
    mask: Mask = None,
) -> GradientTransformation:
    """Gradient descent whose learning rate is distance over gradients.

    Args:
        learning_rate: a factor of the step size.
        init_step: a pair of the kind of number ("distance", "learning_rate" or "heuristic") and the
            number, which are ``init_step`` and ``init_value`` of :func:`gdlab.dog`.
        eps: ε, inside the root.
        weight_decay: the coupled decay λ; by default none.
        mask: a tree of booleans, or a function from the parameters to one: the leaves that decay.

    >>> from gdlab.interop.optax import contrib
    >>> contrib.dog(init_step=("distance", 1e-3))
    dog(init_step='distance', init_value=0.001)
    """
    kind, value = init_step
    return gdlab.dog(learning_rate, kind, eps, weight_decay, mask, init_value=value)


def schedule_free_eval_params(state: State, params: Params) -> Params:
    """The parameters to evaluate of a Schedule-Free method: :func:`gdlab.evaluation_params`.

    >>> import jax.numpy as jnp
    >>> from gdlab.interop.optax import contrib
    >>> tx = contrib.schedule_free_sgd(0.1)
    >>> params = jnp.ones(1)
    >>> contrib.schedule_free_eval_params(tx.init(params), params)
    Array([1.], dtype=float32)
    """
    return evaluation_params(state, params)
