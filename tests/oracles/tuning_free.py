"""Methods that are free of tuning, beside their papers and libraries."""

from functools import partial

import optax

import gdlab
from tests.oracles.method import PARAMS, Method
from tests.paths import half_square
from tests.references import distance_adaptation as distance
from tests.references import distance_over_gradients as over_gradients
from tests.references import momo
from tests.references import tuning_free as papers
from tests.references.betting import cocob, mechanic_of_sgd
from tests.references.schedule_free import schedule_free_adamw, schedule_free_sgd

contrib = optax.contrib


def one_ahead(learning_rate):
    """A schedule for optax's Schedule-Free, which reads it a step too early for the weights."""
    return lambda count: learning_rate(count - 1)


def training(optimizer):
    """An optimizer of ``schedulefree``, told that it is to train."""
    optimizer.train()
    return optimizer


def optax_schedule_free_adamw(lr, **options):
    base = optax.chain(
        optax.scale_by_rms(0.99, 1e-3, eps_in_sqrt=False, bias_correction=True),
        optax.add_decayed_weights(0.1),
        optax.scale_by_learning_rate(lr),
    )
    return contrib.schedule_free(base, one_ahead(lr), **options)


def told_the_loss(tx):
    """A transformation of optax that is given the loss that gdlab's is given."""

    def update(updates, state, params):
        return tx.update(updates, state, params, value=half_square(params))

    return optax.GradientTransformation(tx.init, update)


def schedule_free_radam(learning_rate, b2, eps):
    rate = gdlab.multiply_schedules(learning_rate, gdlab.rectification(b2, 4.0))
    base = gdlab.chain(
        gdlab.scale_by_rms(b2, eps, eps_in_sqrt=False, bias_correction=True),
        gdlab.scale_by_learning_rate(rate),
    )
    return gdlab.schedule_free(base, rate)


# The authors and optax recompute x from y and z, with roundings of their own at each of 200 steps.
RECOMPUTED = 1e-11

METHODS = {
    # Schedule-Free
    "schedule_free around sgd": Method(
        lambda lr: gdlab.schedule_free(gdlab.sgd(lr), lr, 0.8),
        partial(schedule_free_sgd, beta=0.8),
        lambda lr: contrib.schedule_free(optax.sgd(lr), one_ahead(lr), 0.8),
        others={
            "schedulefree": lambda o, p: training(o.SGDScheduleFree(p, momentum=0.8)),
            "pytorch_optimizer": lambda o, p: training(o.ScheduleFreeSGD(p, momentum=0.8)),
        },
        rtol=RECOMPUTED,
    ),
    "schedule_free without a stored average": Method(
        lambda lr: gdlab.schedule_free(gdlab.sgd(lr), lr, 0.8, keeps_average=False),
        partial(schedule_free_sgd, beta=0.8),
        lambda lr: contrib.schedule_free(optax.sgd(lr), one_ahead(lr), 0.8),
        rtol=RECOMPUTED,
    ),
    "schedule_free whose base reads z": Method(
        lambda lr: gdlab.schedule_free(
            gdlab.chain(gdlab.add_decayed_weights(0.1), gdlab.sgd(lr)),
            lr,
            weight_lr_power=1.0,
            r=0.5,
            decay_at_z=True,
        ),
        partial(schedule_free_sgd, weight_decay=0.1, decay_at_z=True, power=1.0, r=0.5),
        others={
            "schedulefree": lambda o, p: training(
                o.ScheduleFreeWrapperReference(
                    torch_sgd(p, weight_decay=0.1), weight_lr_power=1.0, r=0.5
                )
            )
        },
        rtol=RECOMPUTED,
    ),
    "schedule_free around rectified steps": Method(
        partial(schedule_free_radam, b2=0.99, eps=1e-3),
        partial(schedule_free_adamw, b2=0.99, eps=1e-3, rectified=True),
        others={
            "schedulefree": lambda o, p: training(
                o.RAdamScheduleFree(p, betas=(0.9, 0.99), eps=1e-3)
            )
        },
        rtol=RECOMPUTED,
    ),
    "schedule_free_sgd": Method(
        partial(gdlab.schedule_free_sgd, warmup_steps=20, b1=0.95, weight_decay=0.1, r=1.0),
        partial(schedule_free_sgd, warmup=20, beta=0.95, weight_decay=0.1, r=1.0),
        others={
            "schedulefree": lambda o, p: training(
                o.SGDScheduleFree(p, momentum=0.95, warmup_steps=20, weight_decay=0.1, r=1.0)
            )
        },
        rtol=RECOMPUTED,
    ),
    "schedule_free_adamw": Method(
        partial(gdlab.schedule_free_adamw, b2=0.99, eps=1e-3, weight_decay=0.1),
        partial(schedule_free_adamw, b2=0.99, eps=1e-3, weight_decay=0.1),
        optax_schedule_free_adamw,
        others={
            "schedulefree": lambda o, p: training(
                o.AdamWScheduleFree(p, betas=(0.9, 0.99), eps=1e-3, weight_decay=0.1)
            ),
        },
        rtol=RECOMPUTED,
    ),
    "schedule_free_adamw, Keras's": Method(
        partial(gdlab.schedule_free_adamw, warmup_steps=20, eps=1e-3, weight_lr_power=0.0),
        partial(schedule_free_adamw, warmup=20, eps=1e-3, power=0.0),
        keras=lambda o: o.ScheduleFreeAdamW(epsilon=1e-3, warmup_steps=20),
        rtol=RECOMPUTED,
    ),
    "schedule_free_adamw with a warm-up and decay at z": Method(
        partial(
            gdlab.schedule_free_adamw,
            warmup_steps=20,
            b2=0.99,
            eps=1e-3,
            weight_decay=0.1,
            decay_at_z=True,
        ),
        partial(
            schedule_free_adamw, warmup=20, b2=0.99, eps=1e-3, weight_decay=0.1, decay_at_z=True
        ),
        others={
            "schedulefree": lambda o, p: training(
                o.AdamWScheduleFreeReference(
                    p,
                    betas=(0.9, 0.99),
                    eps=1e-3,
                    weight_decay=0.1,
                    warmup_steps=20,
                    decay_at_z=True,
                )
            )
        },
        rtol=RECOMPUTED,
    ),
    # Distances that stand for learning rates; those that do not grow on noise, do in
    # test_distances.py.
    "prodigy": Method(
        partial(gdlab.prodigy, estim_lr0=0.01, weight_decay=0.1),
        partial(distance.prodigy, d0=0.01, weight_decay=0.1),
        others={
            "prodigyopt": lambda o, p: o.Prodigy(p, d0=0.01, weight_decay=0.1),
            "pytorch_optimizer": lambda o, p: o.Prodigy(p, d0=0.01, weight_decay=0.1),
        },
        whole=True,
    ),
    "prodigy with bias correction": Method(
        partial(
            gdlab.prodigy,
            betas=(0.8, 0.99),
            beta3=0.999,
            eps=1e-3,
            estim_lr0=0.01,
            estim_lr_coef=2.0,
            weight_decay=0.1,
            safeguard_warmup=True,
            bias_correction=True,
        ),
        partial(
            distance.prodigy,
            b1=0.8,
            b2=0.99,
            b3=0.999,
            eps=1e-3,
            d0=0.01,
            d_coef=2.0,
            weight_decay=0.1,
            safeguard=True,
            bias_correction=True,
        ),
        partial(
            contrib.prodigy,
            betas=(0.8, 0.99),
            beta3=0.999,
            eps=1e-3,
            estim_lr0=0.01,
            estim_lr_coef=2.0,
            weight_decay=0.1,
            safeguard_warmup=True,
        ),
        whole=True,
    ),
    "prodigy that grows by a factor at most": Method(
        partial(gdlab.prodigy, estim_lr0=0.001, growth_rate=1.02),
        partial(distance.prodigy, d0=0.001, growth=1.02),
        others={"prodigyopt": lambda o, p: o.Prodigy(p, d0=0.001, growth_rate=1.02)},
        whole=True,
    ),
    "dadapt_sgd": Method(
        partial(gdlab.dadapt_sgd, momentum=0.9, estim_lr0=0.01, growth_rate=1.1),
        partial(distance.dadapt_sgd, momentum=0.9, d0=0.01, growth=1.1),
        others={
            "dadaptation": lambda o, p: o.DAdaptSGD(p, momentum=0.9, d0=0.01, growth_rate=1.1),
        },
        whole=True,
    ),
    "scale_by_dadapt_sgd": Method(
        lambda lr: gdlab.chain(gdlab.scale_by_dadapt_sgd(lr, 0.01), gdlab.from_start()),
        partial(distance.dadapt_sgd, d0=0.01),
        others={"dadaptation": lambda o, p: o.DAdaptSGD(p, d0=0.01)},
        whole=True,
    ),
    "scale_by_dadapt_adagrad": Method(
        lambda lr: gdlab.chain(gdlab.scale_by_dadapt_adagrad(lr, 1e-3, 0.01), gdlab.from_start()),
        partial(distance.dadapt_adagrad, d0=0.01, eps=1e-3),
        others={"dadaptation": lambda o, p: o.DAdaptAdaGrad(p, d0=0.01, eps=1e-3)},
        whole=True,
    ),
    "dadapt_adagrad": Method(
        partial(gdlab.dadapt_adagrad, momentum=0.9, estim_lr0=0.01, growth_rate=1.3),
        partial(distance.dadapt_adagrad, momentum=0.9, d0=0.01, growth=1.3),
        others={
            "dadaptation": lambda o, p: o.DAdaptAdaGrad(p, momentum=0.9, d0=0.01, growth_rate=1.3),
        },
        whole=True,
    ),
    "dadapt_adamw": Method(
        partial(gdlab.dadapt_adamw, estim_lr0=0.01, weight_decay=0.1, growth_rate=1.1),
        partial(distance.dadapt_adam, d0=0.01, weight_decay=0.1, growth=1.1),
        others={
            "dadaptation": lambda o, p: o.DAdaptAdam(
                p, d0=0.01, weight_decay=0.1, decouple=True, growth_rate=1.1
            ),
        },
        whole=True,
    ),
    "dadapt_adamw with bias correction": Method(
        partial(gdlab.dadapt_adamw, estim_lr0=0.01, weight_decay=0.1, bias_correction=True),
        partial(distance.dadapt_adam, d0=0.01, weight_decay=0.1, bias_correction=True),
        partial(contrib.dadapt_adamw, estim_lr0=0.01, weight_decay=0.1),
        whole=True,
    ),
    "dadapt_adam": Method(
        partial(gdlab.dadapt_adam, estim_lr0=0.01, weight_decay=0.1),
        partial(distance.dadapt_adam, d0=0.01, weight_decay=0.1, decoupled=False),
        others={"dadaptation": lambda o, p: o.DAdaptAdam(p, d0=0.01, weight_decay=0.1)},
        whole=True,
    ),
    "dadapt_adan": Method(
        partial(gdlab.dadapt_adan, estim_lr0=0.01),
        partial(distance.dadapt_adan, d0=0.01),
        others={"dadaptation": lambda o, p: o.DAdaptAdan(p, d0=0.01)},
        whole=True,
    ),
    "dadapt_lion": Method(
        partial(gdlab.dadapt_lion, estim_lr0=0.01, weight_decay=0.1),
        partial(distance.dadapt_lion, d0=0.01, weight_decay=0.1),
        others={"dadaptation": lambda o, p: o.DAdaptLion(p, d0=0.01, weight_decay=0.1)},
        whole=True,
    ),
    # Distance over gradients
    "dog": Method(
        partial(gdlab.dog, init_value=1e-3, weight_decay=0.1),
        partial(over_gradients.dog, init_value=1e-3, weight_decay=0.1),
        partial(contrib.dog, init_step=("heuristic", 1e-3), weight_decay=0.1),
        whole=True,
    ),
    "dog from a first distance": Method(
        partial(gdlab.dog, init_step="distance", eps=1e-3, init_value=0.1),
        partial(over_gradients.dog, init_step="distance", eps=1e-3, init_value=0.1),
        partial(contrib.dog, init_step=("distance", 0.1), eps=1e-3),
        whole=True,
    ),
    "dog from a first step": Method(
        partial(gdlab.dog, init_step="learning_rate", init_value=0.1),
        partial(over_gradients.dog, init_step="learning_rate", init_value=0.1),
        partial(contrib.dog, init_step=("learning_rate", 0.1)),
        whole=True,
    ),
    "ldog": Method(
        partial(gdlab.ldog, reps_rel=1e-3),
        partial(over_gradients.dog, init_value=1e-3),
        # Array by array: optax's own layer-wise form broadcasts ranks (test_dog.py).
        lambda lr: optax.partition(
            {name: contrib.dog(lr, ("heuristic", 1e-3)) for name in PARAMS},
            {name: name for name in PARAMS},
        ),
    ),
    "dowg": Method(
        partial(gdlab.dowg, init_estim_sq_dist=0.01, weight_decay=0.1),
        partial(over_gradients.dowg, initial=0.01, weight_decay=0.1),
        partial(contrib.dowg, init_estim_sq_dist=0.01, weight_decay=0.1),
        whole=True,
    ),
    "dowg with its defaults": Method(gdlab.dowg, over_gradients.dowg, contrib.dowg, whole=True),
    # Bets
    "cocob": Method(
        lambda lr: gdlab.cocob(alpha=10.0, weight_decay=0.1),
        partial(cocob, alpha=10.0, weight_decay=0.1, has_rate=False),
        lambda lr: contrib.cocob(alpha=10.0, weight_decay=0.1),
    ),
    "cocob with a factor of the displacement": Method(
        gdlab.cocob, cocob, also="at the factor 1 it is optax's: the one before"
    ),
    "mechanize": Method(
        lambda lr: gdlab.mechanize(gdlab.sgd(lr), 0.1, 1e-20, s_init=0.1),
        partial(mechanic_of_sgd, weight_decay=0.1, eps=1e-20, s_init=0.1),
        lambda lr: contrib.mechanize(optax.sgd(lr), 0.1, 1e-20, s_init=0.1),
        whole=True,
        rtol=1e-10,  # optax divides displacements by the scale again
    ),
    # Models of the loss. The bounds are high, so that they cut off a part of the steps.
    "momo": Method(
        partial(gdlab.momo, lower_bound=32.0),
        partial(momo.momo, bound=32.0),
        lambda lr: told_the_loss(contrib.momo(lr, lower_bound=32.0)),
        whole=True,
    ),
    "momo with decay": Method(
        partial(gdlab.momo, weight_decay=0.1, lower_bound=32.0),
        partial(momo.momo, decay=0.1, bound=32.0),
        # optax divides the parameters alone by 1 + ηλ, and not the step.
        also="it goes to the minimum of its model with decay: test_momo.py",
        whole=True,
    ),
    "momo with an adapted bound": Method(
        partial(gdlab.momo, beta=0.8, lower_bound=25.0, adapt_lower_bound=True),
        partial(momo.momo, beta=0.8, bound=25.0, adapt=True),
        lambda lr: told_the_loss(
            contrib.momo(lr, beta=0.8, lower_bound=25.0, adapt_lower_bound=True)
        ),
        whole=True,
    ),
    "momo_adam": Method(
        partial(gdlab.momo_adam, b2=0.99, eps=1e-3, lower_bound=32.0),
        partial(momo.momo_adam, b2=0.99, eps=1e-3, bound=32.0),
        lambda lr: told_the_loss(contrib.momo_adam(lr, b2=0.99, eps=1e-3, lower_bound=32.0)),
        whole=True,
    ),
    "momo_adam with decay": Method(
        partial(gdlab.momo_adam, b2=0.99, eps=1e-3, weight_decay=0.1, lower_bound=32.0),
        partial(momo.momo_adam, b2=0.99, eps=1e-3, decay=0.1, bound=32.0),
        also="it goes to the minimum of its model with decay: test_momo.py",
        whole=True,
    ),
    "momo_adam with an adapted bound": Method(
        partial(gdlab.momo_adam, lower_bound=25.0, adapt_lower_bound=True),
        partial(momo.momo_adam, bound=25.0, adapt=True),
        lambda lr: told_the_loss(contrib.momo_adam(lr, lower_bound=25.0, adapt_lower_bound=True)),
        whole=True,
    ),
    # Others
    "adamg": Method(
        gdlab.adamg,
        papers.adamg,
        others={"pytorch_optimizer": lambda o, p: o.AdamG(p)},
    ),
    "adamg of other constants": Method(
        partial(gdlab.adamg, b1=0.8, b2=0.9, b3=0.7, p=0.5, q=0.4, eps=1e-3),
        partial(papers.adamg, b1=0.8, b2=0.9, b3=0.7, p=0.5, q=0.4, eps=1e-3),
        others={
            "pytorch_optimizer": lambda o, p: o.AdamG(
                p, betas=(0.8, 0.9, 0.7), p=0.5, q=0.4, eps=1e-3
            )
        },
    ),
    "bcos": Method(
        gdlab.bcos,
        papers.bcos,
        also="v is the second moment that its definition gives: test_bcos.py",
    ),
    "bcos on gradients": Method(
        partial(gdlab.bcos, mode="g", beta=0.8),
        partial(papers.bcos, mode="g", beta=0.8),
        others={"pytorch_optimizer": lambda o, p: o.BCOS(p, mode="g", beta=0.8)},
    ),
    "bcos on momentum": Method(
        partial(gdlab.bcos, mode="m", beta2=0.95),
        partial(papers.bcos, mode="m", beta2=0.95),
        others={"pytorch_optimizer": lambda o, p: o.BCOS(p, mode="m", beta2=0.95)},
    ),
    "kate": Method(
        partial(gdlab.kate, eta=0.1),
        partial(papers.kate, eta=0.1),
        # It adds ε to the sum at each step.
        others={"pytorch_optimizer": lambda o, p: o.Kate(p, delta=0.1, eps=1e-40)},
    ),
    "trac": Method(
        lambda lr: gdlab.trac(gdlab.sgd(lr), s_init=0.1),
        partial(papers.trac_of_sgd, s_init=0.1),
        whole=True,
        also="the scale of agreeing gradients in closed form: test_trac.py",
        rtol=1e-9,  # erfi by a sum of 64 terms, and sums with signs
    ),
}


def torch_sgd(params, **options):
    import torch

    return torch.optim.SGD(params, **options)
