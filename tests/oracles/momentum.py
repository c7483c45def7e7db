"""Gradient descent and momentum, beside their papers and libraries."""

from functools import partial

import optax

import gdlab
from tests import references as ref
from tests.oracles.method import Method

METHODS = {
    # Gradient descent and momentum
    "sgd": Method(
        gdlab.sgd,
        ref.gradient_descent,
        optax.sgd,
        lambda o, p: o.SGD(p),
        lambda o: o.SGD(),
    ),
    "sgd with accumulating momentum": Method(
        partial(gdlab.sgd, momentum=0.9),
        partial(ref.heavy_ball, momentum=0.9),
        partial(optax.sgd, momentum=0.9),
        lambda o, p: o.SGD(p, momentum=0.9),
    ),
    "sgd with averaging momentum": Method(
        partial(gdlab.sgd, momentum=0.9, averaging=True),
        partial(ref.heavy_ball_averaging, decay=0.9),
        lambda lr: optax.chain(optax.ema(0.9, debias=False), optax.scale_by_learning_rate(lr)),
    ),
    "sgd with the learning rate inside the momentum": Method(
        partial(gdlab.sgd, momentum=0.9, learning_rate_in_momentum=True),
        partial(ref.heavy_ball_inside, momentum=0.9),
        lambda lr: optax.chain(optax.scale_by_learning_rate(lr), optax.trace(0.9)),
        keras=lambda o: o.SGD(momentum=0.9),
    ),
    "sgd with Nesterov momentum": Method(
        partial(gdlab.sgd, momentum=0.9, nesterov=True),
        partial(ref.nesterov_rewritten, momentum=0.9),
        partial(optax.sgd, momentum=0.9, nesterov=True),
        lambda o, p: o.SGD(p, momentum=0.9, nesterov=True),
    ),
    "sgd with Nesterov momentum and the learning rate inside it": Method(
        partial(gdlab.sgd, momentum=0.9, nesterov=True, learning_rate_in_momentum=True),
        partial(ref.nesterov_rewritten_inside, momentum=0.9),
        lambda lr: optax.chain(optax.scale_by_learning_rate(lr), optax.trace(0.9, nesterov=True)),
        keras=lambda o: o.SGD(momentum=0.9, nesterov=True),
    ),
}
