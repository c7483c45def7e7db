"""Variants of Adam, beside their papers and libraries.

pytorch_optimizer adds ε, and 1e-15 inside the root, before the correction of the bias, in some of
its methods: after it they are the numbers of a schedule.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

import gdlab
from tests.oracles.adaptive import after_correction
from tests.oracles.method import LEARNING_RATE, STEPS, Method
from tests.paths import per_step
from tests.references import adam_variants as ref

CORRECTION = 1 - 0.97 ** np.arange(1, STEPS + 1)
LARGEST = float(LEARNING_RATE.max())


def before_the_correction(method, learning_rate, eps, **others):
    """A method with an ε, and 1e-15 inside the root, that are added to uncorrected moments."""
    return method(
        learning_rate,
        b2=0.97,
        eps=per_step(after_correction(eps, 0.97)),
        eps_root=per_step(1e-15 / CORRECTION),
        **others,
    )


def padam_of_pytorch_optimizer(learning_rate, power):
    """Padam whose v is corrected as if p were ½."""
    return gdlab.chain(
        gdlab.padam(learning_rate, b2=0.97, eps=0.0, partial=power, amsgrad=False),
        gdlab.scale(per_step(CORRECTION ** (0.5 - power))),
    )


def padam_of_pytorch_optimizer_paper(grads, params0, *, learning_rate, power):
    return ref.padam(
        grads,
        params0,
        learning_rate=learning_rate * CORRECTION ** (0.5 - power),
        b2=0.97,
        p=power,
        largest=False,
        bias_correction=True,
    )


def adam_atan2_of_optax(learning_rate):
    angle = lambda u: 1.5 * jnp.arctan(u / 2)  # noqa: E731
    return optax.chain(
        optax.scale_by_adam(b2=0.95, eps=1e-300),
        optax.stateless(lambda updates, _: jax.tree.map(angle, updates)),
        optax.add_decayed_weights(0.1),
        optax.scale_by_learning_rate(learning_rate),
    )


METHODS = {
    "adamaxw": Method(
        partial(gdlab.adamaxw, b2=0.9, eps=0.1, weight_decay=0.1),
        partial(ref.adamaxw, b2=0.9, eps=0.1, weight_decay=0.1),
        partial(optax.adamaxw, b2=0.9, eps=0.1, weight_decay=0.1),
    ),
    "nadamw": Method(
        partial(gdlab.nadamw, b1=0.8, eps=1e-3, weight_decay=0.1),
        partial(ref.nadamw, b1=0.8, eps=1e-3, weight_decay=0.1),
        partial(optax.nadamw, b1=0.8, eps=1e-3, weight_decay=0.1),
    ),
    "nadamw with a schedule of the momentum": Method(
        partial(
            gdlab.nadamw,
            eps=1e-3,
            weight_decay=0.1,
            momentum_decay=0.004,
            scheduled_average=False,
        ),
        partial(ref.nadamw, eps=1e-3, weight_decay=0.1, psi=0.004),
        torch=lambda o, p: o.NAdam(p, eps=1e-3, weight_decay=0.1, decoupled_weight_decay=True),
    ),
    "lamb": Method(
        partial(gdlab.lamb, eps=1e-3),
        partial(ref.lamb, eps=1e-3),
        partial(optax.lamb, eps=1e-3),
        keras=lambda o: o.Lamb(epsilon=1e-3),
    ),
    "lamb with decay": Method(
        partial(gdlab.lamb, weight_decay=0.1),
        partial(ref.lamb, weight_decay=0.1),
        partial(optax.lamb, weight_decay=0.1),
    ),
    "novograd": Method(
        partial(gdlab.novograd, b2=0.8, eps=1e-3, weight_decay=0.1),
        partial(ref.novograd, b2=0.8, eps=1e-3, weight_decay=0.1),
        partial(optax.novograd, b2=0.8, eps=1e-3, weight_decay=0.1),
        others={
            "pytorch_optimizer": lambda o, p: o.NovoGrad(
                p, betas=(0.9, 0.8), eps=1e-3, weight_decay=0.1
            )
        },
    ),
    "laprop": Method(
        partial(gdlab.laprop, b2=0.95, eps=1e-3, weight_decay=0.1),
        partial(ref.laprop, b2=0.95, eps=1e-3, weight_decay=0.1),
        also="the next, where the learning rate is constant: test_variants.py",
    ),
    "laprop with the learning rate in the momentum": Method(
        partial(before_the_correction, gdlab.laprop, eps=1e-3, learning_rate_in_momentum=True),
        partial(
            ref.laprop,
            b2=0.97,
            eps=after_correction(1e-3, 0.97),
            inside=1e-15 / CORRECTION,
            rate_in_momentum=True,
        ),
        others={
            "pytorch_optimizer": lambda o, p: o.LaProp(
                p, betas=(0.9, 0.97), eps=1e-3, foreach=False
            )
        },
    ),
    "stable_adamw": Method(
        partial(gdlab.stable_adamw, b2=0.9, eps=1e-3, weight_decay=0.1),
        partial(ref.stable_adamw, b2=0.9, eps=1e-3, weight_decay=0.1),
        others={
            "pytorch_optimizer": lambda o, p: o.StableAdamW(
                p, betas=(0.9, 0.9), eps=1e-3, weight_decay=0.1
            )
        },
    ),
    "adam_atan2": Method(
        partial(gdlab.adam_atan2, b2=0.95, a=1.5, b=2.0, weight_decay=0.1),
        partial(ref.adam_atan2, b2=0.95, a=1.5, b=2.0, weight_decay=0.1),
        adam_atan2_of_optax,
    ),
    "padam, the paper's": Method(
        partial(gdlab.padam, b2=0.9, partial=0.2, eps=0.01, bias_correction=False),
        partial(ref.padam, b2=0.9, p=0.2, eps=0.01),
        also="AMSGrad at one end and momentum at the other: test_variants.py",
    ),
    "padam": Method(
        partial(gdlab.padam, b2=0.9, eps=0.01),
        partial(ref.padam, b2=0.9, eps=0.01, bias_correction=True),
        also="AMSGrad at one end and momentum at the other: test_variants.py",
    ),
    "padam without a maximum": Method(
        partial(padam_of_pytorch_optimizer, power=0.25),
        partial(padam_of_pytorch_optimizer_paper, power=0.25),
        others={
            "pytorch_optimizer": lambda o, p: o.PAdam(
                p, betas=(0.9, 0.97), partial=0.25, eps=1e-300
            )
        },
    ),
    "grams": Method(
        partial(gdlab.grams, eps=1e-3, weight_decay=0.1),
        partial(ref.grams, eps=1e-3, weight_decay=0.1),
        others={"pytorch_optimizer": lambda o, p: o.Grams(p, eps=1e-3, weight_decay=0.1)},
    ),
    "adamc": Method(
        partial(
            before_the_correction,
            gdlab.adamc,
            eps=1e-3,
            weight_decay=0.1,
            max_learning_rate=LARGEST,
        ),
        partial(
            ref.adamc,
            b2=0.97,
            eps=after_correction(1e-3, 0.97),
            weight_decay=0.1,
            max_learning_rate=LARGEST,
        ),
        others={
            "pytorch_optimizer": lambda o, p: o.AdamC(
                [{"params": p, "normalized": True}],
                lr=LARGEST,
                betas=(0.9, 0.97),
                eps=1e-3,
                weight_decay=0.1,
            )
        },
        # The 1e-15 that is added inside the root is no number of the paper's.
        rtol=1e-9,
    ),
    "qhadam": Method(
        partial(gdlab.qhadam, nu2=0.8, eps=1e-3),
        partial(ref.qhadam, nu2=0.8, eps=1e-3),
        others={
            "pytorch_optimizer": lambda o, p: o.QHAdam(
                p, betas=(0.995, 0.999), nus=(0.7, 0.8), eps=1e-3
            )
        },
        rtol=1e-6,  # the weights of its averages are float32
    ),
}
