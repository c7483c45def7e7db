"""Optimizers out of what one writes or puts together oneself."""

import operator

import jax.numpy as jnp

import gdlab
from gdlab import GradientTransformation, Hyperparameter


@gdlab.leafwise(reads="step", slots=("second", "root"))
def over_a_root_taken_rarely(decay: Hyperparameter, every: Hyperparameter):
    """Divide by the root of a second moment, which is taken at every few steps only."""

    def update(u, state, step):
        second = decay * state[0] + (1 - decay) * u**2
        root = gdlab.rarely(step % every == 0, jnp.sqrt, lambda _: state[1], second)
        return u / (root + 1e-8), (second, root)

    return lambda like: (jnp.zeros_like(like), jnp.zeros_like(like)), update


@gdlab.leaf_wrapper(slots=("largest",))
def in_units_of_the_largest(inner: GradientTransformation, decay: Hyperparameter):
    """Give the inner rule an input of about 1, and its output the size that the input had."""

    def init(like, init_inner):
        return init_inner(like), jnp.ones((), like.dtype)

    def update(u, state, update_inner):
        kept, largest = state
        largest = jnp.maximum(decay * largest, jnp.max(jnp.abs(u)))
        u, kept = update_inner(u / largest, kept)
        return largest * u, (kept, largest)

    return init, update


def adabelief(learning_rate):
    """An average and the second moment about it, which share it on a bus."""
    about = gdlab.chain(gdlab.on_wires(operator.sub), gdlab.square(), gdlab.ema(0.99))
    return gdlab.chain(
        gdlab.fork(gdlab.bus(), gdlab.identity(), mu=gdlab.ema(0.9)),
        gdlab.fork(gdlab.ratio(1e-8), gdlab.wire(1), nu=about),
        gdlab.scale(-learning_rate),
    )


def parts(learning_rate):
    """What optimizers of one's own are made of."""
    rare, window = over_a_root_taken_rarely(0.9, 5.0), gdlab.moving_average(4)
    rates = [("", learning_rate)]
    return {
        "rarely": gdlab.chain(rare, gdlab.scale(-learning_rate)),
        "rarely within accumulate": gdlab.accumulate(gdlab.sgd(learning_rate, 0.9), 3),
        "a wrapper": in_units_of_the_largest(gdlab.sgd(learning_rate, 0.5), 0.9),
        "a bus": adabelief(learning_rate),
        "a window": gdlab.chain(gdlab.debias(window), gdlab.scale(-learning_rate)),
        "by leaf": gdlab.chain(gdlab.add_decayed_weights(0.1, mask=""), gdlab.sgd(rates)),
    }
