"""Adaptive methods of the years after Adam, beside their papers and libraries."""

from functools import partial

import optax

import gdlab
from tests.oracles.method import STEPS, Method
from tests.references import ademamix as of_ademamix
from tests.references.adopt import adopt

ALPHA = of_ademamix.alpha_warmup(STEPS, 5.0, 150)
B3 = of_ademamix.beta3_warmup(STEPS, 0.9, 0.999, 150)

METHODS = {
    "ademamix": Method(
        partial(gdlab.ademamix, b3=0.99, alpha=3.0, eps=1e-3, weight_decay=0.1),
        partial(of_ademamix.ademamix, b3=0.99, alpha=3.0, eps=1e-3, weight_decay=0.1),
        partial(optax.contrib.ademamix, b3=0.99, alpha=3.0, eps=1e-3, weight_decay=0.1),
        others={
            "pytorch_optimizer": lambda o, p: o.AdEMAMix(
                p,
                betas=(0.9, 0.999, 0.99),
                alpha=3.0,
                eps=1e-3,
                weight_decay=0.1,
                weight_decouple=True,
            )
        },
    ),
    "ademamix with its warm-ups": Method(
        lambda lr: gdlab.ademamix(
            lr,
            b3=gdlab.half_life_warmup(0.9, 0.999, 150),
            alpha=gdlab.linear_schedule(5.0 / 150, 5.0, 149),
        ),
        partial(of_ademamix.ademamix, b3=B3, alpha=ALPHA),
        others={
            "pytorch_optimizer": lambda o, p: o.AdEMAMix(
                p, betas=(0.9, 0.999, 0.999), alpha=5.0, t_alpha_beta3=150
            )
        },
    ),
    "simplified_ademamix": Method(
        partial(gdlab.simplified_ademamix, alpha=7.0, eps=1e-3, weight_decay=0.1),
        partial(of_ademamix.simplified_ademamix, alpha=7.0, eps=1e-3, weight_decay=0.1),
        partial(optax.contrib.simplified_ademamix, alpha=7.0, eps=1e-3, weight_decay=0.1),
    ),
    "adopt": Method(
        partial(gdlab.adopt, b2=0.99),
        partial(adopt, b2=0.99),
        partial(optax.contrib.adopt, b2=0.99),
        # It counts the first step, which only sets v.
        others={
            "pytorch_optimizer": lambda o, p: o.ADOPT(
                p, betas=(0.9, 0.99), clip_lambda=lambda step: (step - 1) ** 0.25
            )
        },
    ),
    "adopt without clipping, one step ahead": Method(
        partial(gdlab.adopt, b2=0.99, eps=0.1, use_clipping=False, nesterov=True),
        partial(adopt, b2=0.99, eps=0.1, clipping=False, nesterov=True),
        partial(optax.contrib.adopt, b2=0.99, eps=0.1, use_clipping=False, nesterov=True),
    ),
}
