"""Adaptive methods of the years after Adam, beside their papers and libraries."""

from functools import partial

import numpy as np
import optax

import gdlab
from tests import references as ref
from tests.oracles.adaptive import after_correction
from tests.oracles.method import STEPS, Method
from tests.paths import per_step
from tests.references import ademamix as of_ademamix
from tests.references.adopt import adopt
from tests.references.mars import cautious_adamw, mars

ALPHA = of_ademamix.alpha_warmup(STEPS, 5.0, 150)
B3 = of_ademamix.beta3_warmup(STEPS, 0.9, 0.999, 150)

MATRICES = ("matrix", "wide", "cube")


def mars_of_pytorch_optimizer(learning_rate, eps, **others):
    """MARS with its ε and the 1e-15 beside the square before the correction of the bias."""
    return gdlab.mars(
        learning_rate,
        eps=per_step(after_correction(eps, 0.99)),
        eps_root=per_step(after_correction(1e-15**0.5, 0.99) ** 2),
        adam_b2=0.99,
        **others,
    )


def mars_lion(learning_rate):
    return gdlab.chain(
        gdlab.reduce_variance(0.025, 0.9),
        gdlab.clip_by_norm(1.0),
        gdlab.ema(0.9),
        gdlab.scale_by_sign(),
        gdlab.scale_by_learning_rate(learning_rate),
    )


def adamw_with_caution(learning_rate, eps, weight_decay):
    return gdlab.chain(
        gdlab.cautious(gdlab.scale_by_adam(eps=eps), descends=False),
        gdlab.add_decayed_weights(weight_decay),
        gdlab.scale_by_learning_rate(learning_rate),
    )


def mars_by_rank(grads, params0, *, learning_rate, eps):
    """Algorithm 2 for matrices, AdamW for the rest."""
    if np.ndim(params0) >= 2:
        return mars(grads, params0, learning_rate=learning_rate, eps=eps, weight_decay=0.1)
    return ref.adamw(
        grads,
        params0,
        learning_rate=learning_rate,
        b1=0.9,
        b2=0.95,
        eps=eps,
        weight_decay=0.2,
    )


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
    "mars": Method(
        partial(gdlab.mars, eps=1e-3, weight_decay=0.1, adam_weight_decay=0.2),
        partial(mars_by_rank, eps=1e-3),
        also="the next, pytorch_optimizer's",
    ),
    "mars, pytorch_optimizer's": Method(
        partial(mars_of_pytorch_optimizer, eps=1e-3, weight_decay=0.1),
        # Its 1e-15 is within the tolerance here: a gradient of 1e-3 is the least but a few.
        partial(mars, eps=after_correction(1e-3, 0.99), weight_decay=0.1),
        others={
            "pytorch_optimizer": lambda o, p: o.MARS(
                p, lr=1.0, lr_1d=1.0, betas_1d=(0.9, 0.99), eps=1e-3, weight_decay=0.1
            )
        },
        leaves=MATRICES,
        rtol=1e-9,
    ),
    "mars_lion as a chain": Method(
        mars_lion,
        partial(mars, b1=0.9, sign=True),
        others={
            "pytorch_optimizer": lambda o, p: o.MARS(p, lr=1.0, betas=(0.9, 0.99), mars_type="lion")
        },
        leaves=MATRICES,
    ),
    "cautious adamw": Method(
        partial(adamw_with_caution, eps=1e-3, weight_decay=0.1),
        partial(cautious_adamw, eps=1e-3, weight_decay=0.1),
        others={
            "pytorch_optimizer": lambda o, p: o.AdEMAMix(
                p, alpha=0.0, eps=1e-3, weight_decay=0.1, weight_decouple=True, cautious=True
            )
        },
    ),
}
