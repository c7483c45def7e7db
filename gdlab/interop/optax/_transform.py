"""optax's parts of optimizers: gdlab's, with optax's defaults and a count in the state."""

from typing import Literal

import jax.numpy as jnp

import gdlab
from gdlab.core.hyperparameter import Hyperparameter
from gdlab.core.structure import DType, Function
from gdlab.core.transformation import GradientTransformation, transformation
from gdlab.core.wiring import chain, fork, identity
from gdlab.interop.optax._adapting import adapted
from gdlab.interop.optax._counting import counted
from gdlab.transforms.averages.averaging import ema
from gdlab.transforms.signals.functions import stateless_with_tree_map
from gdlab.transforms.signals.joins import interpolate

scale_by_adam = adapted(gdlab.scale_by_adam, __name__, eps_root=0.0)
scale_by_adamax = adapted(gdlab.scale_by_adamax, __name__)
scale_by_adan = adapted(gdlab.scale_by_adan, __name__, eps_root=0.0)
scale_by_amsgrad = adapted(gdlab.scale_by_amsgrad, __name__, eps_root=0.0)
scale_by_belief = adapted(gdlab.scale_by_belief, __name__)
scale_by_distance_over_gradients = adapted(
    gdlab.scale_by_distance_over_gradients, __name__, finish=None, param_dtype=jnp.float32
)
scale_by_novograd = adapted(gdlab.scale_by_novograd, __name__, eps_root=0.0)
scale_by_radam = adapted(gdlab.scale_by_radam, __name__, eps_root=0.0)
scale_by_rms = adapted(gdlab.scale_by_rms, __name__, finish=None, initial_scale=0.0)
scale_by_stddev = adapted(gdlab.scale_by_stddev, __name__, finish=None, initial_scale=0.0)
scale_by_yogi = adapted(gdlab.scale_by_yogi, __name__, eps_root=0.0, initial_accumulator_value=1e-6)


@transformation
def scale_by_learning_rate(
    learning_rate: Hyperparameter | None = None, *, flip_sign: bool = True
) -> GradientTransformation:
    """Multiply by −learning_rate; without a learning rate, leave updates unchanged.

    Args:
        learning_rate: the learning rate η.
        flip_sign: False to multiply by +learning_rate.

    >>> from gdlab import expand
    >>> from gdlab.interop import optax
    >>> expand(optax.scale_by_learning_rate())
    identity()
    """
    if learning_rate is None:
        return identity()
    return gdlab.scale_by_learning_rate(learning_rate, flip_sign=flip_sign)


@transformation
def scale_by_factored_rms(
    factored: bool = True,
    decay_rate: Hyperparameter = 0.8,
    step_offset: int = 0,
    min_dim_size_to_factor: int = 128,
    epsilon: Hyperparameter = 1e-30,
    decay_rate_fn: Function | None = None,
) -> GradientTransformation:
    """Divide by the root of a factored average of squares.

    Args:
        factored: False to keep an average for each element.
        decay_rate: the exponent in the decay.
        step_offset: the number of steps by which the count of the decay is shifted.
        min_dim_size_to_factor: the smallest length of two axes that are factored.
        epsilon: ε, added to the squares.
        decay_rate_fn: ``decay_rate_fn(step, decay_rate)``, the decay; by default 1 − (t +
            1)^(−decay_rate).

    >>> from gdlab.interop import optax
    >>> tx = optax.scale_by_factored_rms()
    """
    decay = None
    if decay_rate_fn is not None:
        decay = lambda count: decay_rate_fn(count - step_offset, decay_rate)  # noqa: E731
    made = gdlab.scale_by_factored_rms(
        factored, decay_rate, step_offset, min_dim_size_to_factor, epsilon, decay=decay
    )
    return counted(made)


@transformation
def scale_by_lion(
    b1: Hyperparameter = 0.9,
    b2: Hyperparameter = 0.99,
    mu_dtype: DType | None = None,
    *,
    mode: Literal["hard", "smooth", "refined"] = "hard",
    smooth_beta: Hyperparameter = 1.0,
) -> GradientTransformation:
    """The direction of Lion, by the sign or by a smooth function in its place.

    Args:
        b1: weight of the average in the mixture.
        b2: decay of the average.
        mu_dtype: dtype in which the average is stored.
        mode: "hard" for the sign, "smooth" for tanh(smooth_beta·x), "refined" for x where it is
            below 1 in modulus.
        smooth_beta: the steepness of the smooth function.

    >>> from gdlab.interop import optax
    >>> tx = optax.scale_by_lion(mode="smooth", smooth_beta=10.0)
    """
    if mode == "hard":
        return counted(gdlab.scale_by_lion(b1, b2, mu_dtype))
    functions = {
        "smooth": lambda x, _: jnp.tanh(smooth_beta * x),
        "refined": lambda x, _: jnp.clip(x, -1, 1),
    }
    if mode not in functions:
        raise ValueError(f"mode is 'hard', 'smooth' or 'refined', not {mode!r}")
    average = ema(b2, accumulator_dtype=mu_dtype, lagged=True)
    mixture = fork(interpolate(b1), mu=average, gradient=identity())
    return counted(chain(mixture, stateless_with_tree_map(functions[mode])))
