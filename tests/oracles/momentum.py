"""Gradient descent and momentum, beside their papers and libraries."""

from functools import partial

import numpy as np
import optax

import gdlab
from tests import references as ref
from tests.oracles.method import Method
from tests.references import averaged_descent as averaged
from tests.references import mixed_momentum as mixed
from tests.references import norm_scaled as scaled


def half_square(theta):
    """The loss of which every step is told: `tests.paths.half_square`."""
    return 0.5 * np.sum(theta**2)


def alig_of_pytorch_optimizer(o, params):
    """ALI-G with its cap as the learning rate, and with the loss of which every step is told."""
    optimizer = o.AliG(params, max_lr=1.0, momentum=0.8)
    step = optimizer.step

    def told():
        for group in optimizer.param_groups:
            group["max_lr"] = group["lr"]
        return step(lambda: 0.5 * sum(float((p * p).sum()) for p in params))

    optimizer.step = told
    return optimizer


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
    # Mixtures
    "qhm": Method(
        partial(gdlab.qhm, beta=0.9, nu=0.6),
        partial(mixed.qhm, beta=0.9, nu=0.6),
        others={"pytorch_optimizer": lambda o, p: o.QHM(p, momentum=0.9, nu=0.6)},
    ),
    "aggmo": Method(
        partial(gdlab.aggmo, betas=(0.0, 0.5, 0.95)),
        partial(mixed.aggmo, betas=(0.0, 0.5, 0.95)),
        others={"pytorch_optimizer": lambda o, p: o.AggMo(p, betas=(0.0, 0.5, 0.95))},
    ),
    "pnm": Method(
        partial(gdlab.pnm, b1=0.8, b0=0.5),
        partial(mixed.pnm, b1=0.8, b0=0.5),
        others={"pytorch_optimizer": lambda o, p: o.PNM(p, betas=(0.8, 0.5))},
    ),
    "accsgd": Method(
        partial(gdlab.accsgd, kappa=50.0, xi=5.0),
        partial(mixed.accsgd, kappa=50.0, xi=5.0),
        others={"pytorch_optimizer": lambda o, p: o.AccSGD(p, kappa=50.0, xi=5.0)},
    ),
    "optimistic_gradient_descent": Method(
        partial(gdlab.optimistic_gradient_descent, alpha=0.7, beta=0.4),
        partial(mixed.optimistic_gradient_descent, alpha=0.7, beta=0.4),
        partial(optax.optimistic_gradient_descent, alpha=0.7, beta=0.4),
    ),
    # Steps whose length is set by norms
    "polyak_sgd": Method(
        partial(gdlab.polyak_sgd, 0.3, f_min=1.0, eps=0.1),
        partial(scaled.polyak_sgd, value=half_square, max_learning_rate=0.3, f_min=1.0, eps=0.1),
        also="optax's, whose scaling is inverse: test_polyak_sgd.py",
        whole=True,
    ),
    "alig": Method(
        partial(gdlab.alig, momentum=0.8, eps=1e-6),
        partial(scaled.alig, value=half_square, momentum=0.8, eps=1e-6),
        others={"pytorch_optimizer": alig_of_pytorch_optimizer},
        whole=True,
    ),
    "lars": Method(
        partial(gdlab.lars, trust_coefficient=0.02, momentum=0.8),
        partial(scaled.lars, trust_coefficient=0.02, momentum=0.8),
        partial(optax.lars, trust_coefficient=0.02, momentum=0.8),
    ),
    "lars with Nesterov momentum": Method(
        partial(gdlab.lars, trust_coefficient=0.02, nesterov=True),
        partial(scaled.lars, trust_coefficient=0.02, nesterov=True),
        partial(optax.lars, trust_coefficient=0.02, nesterov=True),
    ),
    # pytorch_optimizer scales only matrices, and keeps the learning rate outside the velocity.
    "lars with weight decay": Method(
        partial(gdlab.lars, trust_coefficient=0.02, weight_decay=0.1, momentum=0.0),
        partial(scaled.lars, trust_coefficient=0.02, weight_decay=0.1, momentum=0.0),
        others={
            "pytorch_optimizer": lambda o, p: o.LARS(
                p, trust_coefficient=0.02, weight_decay=0.1, momentum=0.0
            )
        },
        leaves=("matrix", "wide", "cube"),
    ),
    "fromage": Method(
        gdlab.fromage,
        scaled.fromage,
        optax.fromage,
        others={"pytorch_optimizer": lambda o, p: o.Fromage(p)},
    ),
    # Averaged and noisy descent
    "asgd": Method(
        partial(gdlab.asgd, lambd=0.1, alpha=0.6),
        partial(averaged.asgd, lambd=0.1, alpha=0.6),
        also="torch's, which takes each learning rate a step late: test_asgd.py",
    ),
    "noisy_sgd without noise": Method(
        partial(gdlab.noisy_sgd, eta=0.0),
        partial(averaged.noisy_sgd, eta=0.0, noise=0.0),
        lambda lr: optax.noisy_sgd(lr, eta=0.0, key=0),
    ),
}
