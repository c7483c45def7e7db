"""Adaptive methods that ask how far a second moment can be trusted, beside papers and libraries."""

from functools import partial

import jax.numpy as jnp
import optax

import gdlab
from tests.oracles.adaptive import after_correction
from tests.oracles.method import Method
from tests.paths import per_step
from tests.references import variance_aware as ref

EPS, EPS_ROOT = 0.01, 1e-4


def acprop_of_optax(learning_rate):
    """The paper's steps, made of optax's.

    It measures deviations from the average before the gradient, which are 1/b1 times as long, so
    that its steps are b1 times as long but for the first, which knows no deviation.
    """
    b1 = 0.8
    eps, eps_root = EPS / b1, EPS_ROOT / b1**2
    longer = lambda count: jnp.where(count == 0, (1 + eps) / (1 + EPS), 1 / b1)  # noqa: E731
    return optax.chain(
        optax.contrib.scale_by_acprop(b1, 0.95, eps, eps_root),
        optax.scale_by_schedule(longer),
        optax.scale_by_learning_rate(learning_rate),
    )


METHODS = {
    "radam": Method(
        partial(gdlab.radam, b2=0.95, eps=1e-3),
        partial(ref.radam, b2=0.95, eps=1e-3),
        partial(optax.radam, b2=0.95, eps=1e-3),
    ),
    "radam with its defaults": Method(
        gdlab.radam,
        ref.radam,
        optax.radam,
    ),
    "radam without an epsilon": Method(
        partial(gdlab.radam, b2=0.97, eps=0.0),
        partial(ref.radam, b2=0.97, eps=0.0),
        # Theirs stands before the correction of the bias, where so small a one is none.
        torch=lambda o, p: o.RAdam(p, betas=(0.9, 0.97), eps=1e-300),
        others={
            "pytorch_optimizer": lambda o, p: o.RAdam(
                p, betas=(0.9, 0.97), eps=1e-300, degenerated_to_sgd=True
            )
        },
    ),
    "radam, torch's": Method(
        lambda lr: gdlab.radam(lr, b2=0.97, eps=per_step(after_correction(1e-3, 0.97))),
        partial(ref.radam, b2=0.97, eps=after_correction(1e-3, 0.97)),
        torch=lambda o, p: o.RAdam(p, betas=(0.9, 0.97), eps=1e-3),
    ),
    "radam, one step ahead, from the least number of gradients on": Method(
        partial(gdlab.radam, b2=0.95, eps=1e-3, threshold=4.0, nesterov=True),
        partial(ref.radam, b2=0.95, eps=1e-3, threshold=4.0, nesterov=True),
        partial(optax.radam, b2=0.95, eps=1e-3, threshold=4.0, nesterov=True),
    ),
    "adabelief": Method(
        partial(gdlab.adabelief, b2=0.95, eps=1e-3, eps_root=1e-3),
        partial(ref.adabelief, b2=0.95, eps=1e-3),
        partial(optax.adabelief, b2=0.95, eps=1e-3, eps_root=1e-3),
        others={"pytorch_optimizer": lambda o, p: o.AdaBelief(p, betas=(0.9, 0.95), eps=1e-3)},
    ),
    "adabelief one step ahead": Method(
        partial(gdlab.adabelief, b2=0.95, eps=1e-3, eps_root=1e-3, nesterov=True),
        partial(ref.adabelief, b2=0.95, eps=1e-3, nesterov=True),
        partial(optax.adabelief, b2=0.95, eps=1e-3, eps_root=1e-3, nesterov=True),
    ),
    "acprop": Method(
        partial(gdlab.acprop, b1=0.8, b2=0.95, eps=EPS, eps_root=EPS_ROOT),
        partial(ref.acprop, b1=0.8, b2=0.95, eps=EPS, eps_root=EPS_ROOT),
        acprop_of_optax,
    ),
    "acprop with decay": Method(
        partial(gdlab.acprop, eps=EPS, eps_root=EPS_ROOT, weight_decay=0.1),
        partial(ref.acprop, eps=EPS, eps_root=EPS_ROOT, weight_decay=0.1),
        also="without decay as above",
    ),
    "yogi": Method(
        partial(gdlab.yogi, b2=0.95),
        partial(ref.yogi, b2=0.95, bias_correction=True),
        lambda lr: optax.chain(
            optax.scale_by_yogi(b2=0.95, initial_accumulator_value=0.0),
            optax.scale_by_learning_rate(lr),
        ),
        others={
            "pytorch_optimizer": lambda o, p: o.Yogi(p, betas=(0.9, 0.95), initial_accumulator=0.0)
        },
    ),
    "yogi, the paper's": Method(
        partial(gdlab.yogi, b2=0.95, initial_accumulator_value=0.1, bias_correction=False),
        partial(ref.yogi, b2=0.95, initial_value=0.1),
        also="Adagrad while gradients grow: test_yogi.py",
    ),
    "adan": Method(
        partial(gdlab.adan, b1=0.9, eps=1e-3, weight_decay=0.1),
        partial(ref.adan, beta1=0.1, eps=1e-3, decay=0.1),
        others={
            "pytorch_optimizer": lambda o, p: o.Adan(
                p, betas=(0.9, 0.92, 0.99), eps=1e-3, weight_decay=0.1
            )
        },
    ),
    "adan with equal weights": Method(
        partial(gdlab.adan, b2=0.5, eps=1e-3),
        partial(ref.adan, beta2=0.5, eps=1e-3),
        # It weighs the change by 1 − b2.
        partial(optax.adan, b2=0.5, eps=1e-3, eps_root=0.0),
    ),
}
