"""Methods that step along signs, beside their papers and libraries."""

from functools import partial

import optax

import gdlab
from tests.oracles.method import Method
from tests.references import sign as ref

METHODS = {
    "sign_sgd": Method(
        gdlab.sign_sgd,
        ref.sign_sgd,
        optax.sign_sgd,
        others={"pytorch_optimizer": lambda o, p: o.SignSGD(p, momentum=0.0)},
    ),
    "signum": Method(
        partial(gdlab.signum, beta=0.8),
        partial(ref.signum, beta=0.8),
        partial(optax.signum, beta=0.8),
        others={"pytorch_optimizer": lambda o, p: o.SignSGD(p, momentum=0.8)},
    ),
    "lion": Method(
        partial(gdlab.lion, b1=0.8, b2=0.95, weight_decay=0.1),
        partial(ref.lion, b1=0.8, b2=0.95, weight_decay=0.1),
        partial(optax.lion, b1=0.8, b2=0.95, weight_decay=0.1),
        keras=lambda o: o.Lion(beta_1=0.8, beta_2=0.95, weight_decay=0.1),
        others={"pytorch_optimizer": lambda o, p: o.Lion(p, betas=(0.8, 0.95), weight_decay=0.1)},
    ),
    # The bounds of the step sizes are narrow here, so that both are reached.
    "rprop": Method(
        partial(gdlab.rprop, eta_minus=0.6, eta_plus=1.5, min_step_size=0.05, max_step_size=2.0),
        partial(ref.rprop, eta_minus=0.6, eta_plus=1.5, min_step_size=0.05, max_step_size=2.0),
        torch=lambda o, p: o.Rprop(p, etas=(0.6, 1.5), step_sizes=(0.05, 2.0)),
    ),
    "scale_by_rprop with its defaults": Method(
        lambda lr: gdlab.chain(gdlab.scale_by_rprop(lr), gdlab.scale(-1.0)),
        ref.rprop,
        torch=lambda o, p: o.Rprop(p),
    ),
}
