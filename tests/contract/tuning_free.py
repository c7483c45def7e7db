"""Examples of methods that are free of tuning."""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "adamg": [Example(gdlab.adamg(0.5, eps=1e-3))],
    "bcos": [
        Example(gdlab.bcos(0.5, weight_decay=0.0, eps=1e-3)),
        Example(gdlab.bcos(0.5, beta2=0.99, mode="m", mask="matrix"), rests=False),
    ],
    "cocob": [
        Example(gdlab.cocob(0.5, 4.0, 0.1), on_complex=None),
    ],
    "coin_betting": [Example(gdlab.coin_betting(4.0, 0.1), on_complex=None)],
    "dadapt_adagrad": [
        Example(gdlab.dadapt_adagrad(0.5, 0.5, estim_lr0=0.1, growth_rate=1.5), keeps_nan=False)
    ],
    "dadapt_adam": [
        Example(
            gdlab.dadapt_adam(0.5, estim_lr0=0.1, weight_decay=0.1), rests=False, keeps_nan=False
        )
    ],
    "dadapt_adamw": [
        Example(
            gdlab.dadapt_adamw(0.5, estim_lr0=0.1, growth_rate=1.5, bias_correction=True),
            keeps_nan=False,
        )
    ],
    "dadapt_adan": [
        Example(gdlab.dadapt_adan(0.5, estim_lr0=0.1), rests=False, keeps_nan=False),
    ],
    "dadapt_lion": [
        Example(gdlab.dadapt_lion(0.5, estim_lr0=0.1), on_complex=None, keeps_nan=False)
    ],
    "dadapt_sgd": [
        Example(gdlab.dadapt_sgd(0.5, 0.5, 0.1, growth_rate=1.5), keeps_nan=False),
    ],
    "dog": [
        Example(gdlab.dog(0.5, init_value=0.1, averaging=8.0), keeps_nan=False),
        Example(
            gdlab.dog(0.5, "learning_rate", 1e-3, 0.1, "matrix", init_value=0.1),
            rests=False,
            keeps_nan=False,
        ),
    ],
    "dowg": [Example(gdlab.dowg(0.5, 0.1), keeps_nan=False)],
    "scale_by_dadapt_sgd": [Example(gdlab.scale_by_dadapt_sgd(0.5, 0.1), keeps_nan=False)],
    "from_start": [Example(gdlab.from_start(0.5))],
    "kate": [Example(gdlab.kate(0.5, 0.1, 0.1), on_complex="direction")],
    "ldog": [Example(gdlab.ldog(0.5, 0.1), by_element=False, keeps_nan=False)],
    "mechanize": [
        Example(gdlab.mechanize(gdlab.sgd(0.5, 0.9), s_init=0.1, num_betas=3), keeps_nan=False)
    ],
    "momo": [
        Example(gdlab.momo(0.5), keeps_nan=False),
        Example(
            gdlab.momo(0.5, 0.8, 0.1, 0.1, adapt_lower_bound=True), rests=False, keeps_nan=False
        ),
    ],
    "momo_adam": [
        Example(gdlab.momo_adam(0.5, eps=1e-3), keeps_nan=False),
        Example(
            gdlab.momo_adam(0.5, 0.8, 0.9, 1e-3, 0.1, 0.1, adapt_lower_bound=True),
            rests=False,
            keeps_nan=False,
        ),
    ],
    "prodigy": [
        Example(gdlab.prodigy(0.5, estim_lr0=0.1), keeps_nan=False),
        Example(
            gdlab.prodigy(
                0.5,
                (0.8, 0.9),
                0.9,
                1e-3,
                0.1,
                2.0,
                0.1,
                True,
                growth_rate=1.5,
                bias_correction=True,
            ),
            rests=False,
            keeps_nan=False,
        ),
    ],
    "scale_by_dadapt_adagrad": [
        Example(gdlab.scale_by_dadapt_adagrad(0.5, estim_lr0=0.1), keeps_nan=False)
    ],
    "schedule_free": [
        Example(gdlab.schedule_free(gdlab.sgd(0.1), 0.1)),
        Example(
            gdlab.schedule_free(gdlab.adamw(0.1), 0.1, 0.5, 1.0, r=1.0, decay_at_z=True),
            rests=False,
        ),
    ],
    "schedule_free_adamw": [
        Example(gdlab.schedule_free_adamw(0.1)),
        Example(
            gdlab.schedule_free_adamw(0.1, 3.0, weight_decay=0.1, keeps_average=False),
            rests=False,
        ),
    ],
    "schedule_free_sgd": [
        Example(gdlab.schedule_free_sgd(0.1)),
        Example(gdlab.schedule_free_sgd(0.1, 3.0, weight_decay=0.1), rests=False),
    ],
    "scale_by_distance_over_gradients": [
        Example(
            gdlab.scale_by_distance_over_gradients(0.1, 1e-3, "bfloat16", -0.5),
            on_complex=None,
            by_element=False,
            keeps_nan=False,
        )
    ],
    "scale_by_dog": [Example(gdlab.scale_by_dog("distance", init_value=0.1), keeps_nan=False)],
    "scale_by_dowg": [Example(gdlab.scale_by_dowg(), keeps_nan=False)],
    "scale_by_cocob": [Example(gdlab.scale_by_cocob(4.0, 0.1), on_complex=None)],
    "scale_by_adamg": [Example(gdlab.scale_by_adamg(eps=1e-3))],
    "scale_by_kate": [Example(gdlab.scale_by_kate(), bears_extremes=False)],
    "trac": [Example(gdlab.trac(gdlab.sgd(0.5), (0.9, 0.99), s_init=0.1), keeps_nan=False)],
}
