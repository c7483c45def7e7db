"""Examples of parts and wrappers."""

import jax

import gdlab
from tests.contract.example import Example


def is_even(step):
    return step % 2 == 0


def halved(params):
    return jax.tree.map(lambda w: w / 2, params)


def doubled(u, _):
    return 2 * u


def twice(updates, _):
    return jax.tree.map(lambda u: 2 * u, updates)


def as_one_example(u, _):
    return u[None]


one_example = gdlab.stateless_with_tree_map(as_one_example)

EXAMPLES = {
    "accumulate": [Example(gdlab.accumulate(gdlab.sgd(0.1, 0.9), 2), counts_calls=False)],
    "adaptive_grad_clip": [
        Example(gdlab.adaptive_grad_clip(0.1), by_element=False),
    ],
    "add_decayed_weights": [
        Example(gdlab.add_decayed_weights(0.1, mask=r"^matrix"), rests=False),
    ],
    "add_noise": [
        Example(
            gdlab.add_noise(0.1, 0.55), rests=False, random=True, by_element=False, on_complex=None
        ),
    ],
    "apply_every": [
        Example(gdlab.apply_every(2.0), counts_calls=False),
    ],
    "apply_if_finite": [Example(gdlab.apply_if_finite(gdlab.sgd(0.1, 0.9)), keeps_nan=False)],
    "bias_correction": [Example(gdlab.bias_correction(0.9, 0.99))],
    "centralize": [
        Example(gdlab.centralize()),
    ],
    "clip": [Example(gdlab.clip(0.5), on_complex=None)],
    "clip_by_block_rms": [
        Example(gdlab.clip_by_block_rms(0.5), by_element=False),
    ],
    "clip_by_global_norm": [Example(gdlab.clip_by_global_norm(1.0))],
    "clip_by_norm": [
        Example(gdlab.clip_by_norm(0.5), by_element=False),
    ],
    "conditionally_mask": [
        Example(
            gdlab.conditionally_mask(gdlab.sgd(0.1, 0.9), is_even),
            source=False,
            counts_calls=False,
            keeps_nan=False,
        ),
    ],
    "conditionally_transform": [
        Example(
            gdlab.conditionally_transform(gdlab.sgd(0.1, 0.9), is_even),
            source=False,
            counts_calls=False,
        ),
    ],
    "debias": [
        Example(gdlab.debias(gdlab.ema(0.9))),
        Example(gdlab.debias(gdlab.chain(gdlab.ema(0.9), gdlab.trace(0.5)))),
    ],
    "decay_weights": [
        Example(gdlab.decay_weights(0.1, mask=r"^matrix"), rests=False),
    ],
    "descend_with_corrected_decay": [
        Example(
            gdlab.descend_with_corrected_decay(0.1, 0.2, 0.3, gdlab.matrices, cautious=True),
            rests=False,
        ),
    ],
    "differentially_private_aggregate": [
        # It takes gradients of single examples.
        Example(
            gdlab.chain(one_example, gdlab.differentially_private_aggregate(1.0, 0.0)), source=False
        ),
    ],
    "ema": [
        Example(gdlab.ema(0.9)),
        Example(gdlab.ema(0.9, True, "bfloat16", initial_value=0.5), rests=False, on_complex=None),
    ],
    "flatten": [
        Example(gdlab.flatten(gdlab.clip_by_norm(0.5)), on_complex=None),
    ],
    "freeze": [
        Example(gdlab.freeze(False)),
    ],
    "infinity_norm": [
        Example(gdlab.infinity_norm(0.9), on_complex="size"),
        Example(gdlab.infinity_norm(0.9, 0.1), rests=False, on_complex="size"),
    ],
    "keep_params_nonnegative": [
        Example(gdlab.keep_params_nonnegative(), rests=False, on_complex=None),
    ],
    "look_ahead": [
        Example(gdlab.look_ahead(gdlab.sgd(0.1, 0.9)), on_complex=None, keeps_nan=False)
    ],
    "lookahead": [
        Example(gdlab.lookahead(gdlab.sgd(0.1, 0.9), 2, 0.5), counts_calls=False, keeps_nan=False),
    ],
    "masked": [
        Example(gdlab.masked(gdlab.clip_by_global_norm(0.1), "matrix")),
    ],
    "monitor": [
        # A plain function has no name of gdlab by which to write it.
        Example(
            gdlab.monitor(
                {
                    "norm": gdlab.global_norm,
                    "mean_norm": gdlab.measure_with_ema(gdlab.global_norm, 0.9),
                }
            ),
            source=False,
        ),
    ],
    "moving_average": [Example(gdlab.moving_average(3))],
    "nesterov_ema": [
        Example(gdlab.nesterov_ema(0.9)),
        Example(gdlab.nesterov_ema(0.8, 0.9, average_decay=0.7)),
    ],
    "normalize": [
        Example(gdlab.normalize()),
    ],
    "normalize_by_update_norm": [
        Example(gdlab.normalize_by_update_norm(2.0)),
    ],
    "params_ema": [Example(gdlab.params_ema(0.9))],
    "params_mean": [
        Example(gdlab.params_mean(1.0, 2.0)),
    ],
    "params_window_mean": [
        Example(gdlab.params_window_mean(2, every=2.0)),
    ],
    "partition": [
        Example(
            gdlab.partition(
                {"train": gdlab.adam(0.1), "slowly": gdlab.clip_by_global_norm(1.0)},
                [("matrix", "train"), ("", "slowly")],
            )
        ),
    ],
    "project_onto_box": [
        # The box holds none of the parameters, so that every element is cut off.
        Example(gdlab.project_onto_box(-0.4, 0.3), rests=False, on_complex=None),
    ],
    "project_params": [
        Example(gdlab.project_params(halved), rests=False, source=False, keeps_nan=False),
    ],
    "reduce_on_plateau": [
        Example(gdlab.reduce_on_plateau(patience=2), derivatives=False),
    ],
    "running_maximum": [Example(gdlab.running_maximum(), on_complex=None)],
    "scale": [Example(gdlab.scale(-0.5))],
    "scale_by_learning_rate": [
        Example(gdlab.scale_by_learning_rate(0.1, flip_sign=False)),
    ],
    "scale_by_param_block_norm": [
        Example(gdlab.scale_by_param_block_norm(), by_element=False),
    ],
    "scale_by_param_block_rms": [
        Example(gdlab.scale_by_param_block_rms(), by_element=False),
    ],
    "scale_by_rms": [Example(gdlab.scale_by_rms(0.9, 0.0))],
    "scale_by_rss": [Example(gdlab.scale_by_rss())],
    "scale_by_schedule": [Example(gdlab.scale_by_schedule(0.5))],
    "scale_by_stddev": [
        Example(gdlab.scale_by_stddev()),
        Example(gdlab.scale_by_stddev(initial_scale=0.1, bias_correction=True)),
    ],
    "scale_by_trust_ratio": [
        Example(gdlab.scale_by_trust_ratio(eps=1e-3), by_element=False),
    ],
    "selective_transform": [
        Example(gdlab.selective_transform(gdlab.sgd(0.1, 0.9), freeze_mask=gdlab.matrices)),
    ],
    "set_to_zero": [Example(gdlab.set_to_zero(), keeps_nan=False)],
    "skip_outliers": [
        Example(
            gdlab.skip_outliers(gdlab.sgd(0.1, 0.9), window=2), counts_calls=False, keeps_nan=False
        ),
    ],
    "slow_weights": [
        Example(
            gdlab.slow_weights(gdlab.sgd(0.1, 0.9), gdlab.sgd(0.7), 2),
            counts_calls=False,
            keeps_nan=False,
        ),
    ],
    "snapshot": [
        Example(gdlab.snapshot("norm", gdlab.global_norm), source=False),
    ],
    "split_real_and_imaginary": [
        Example(gdlab.split_real_and_imaginary(gdlab.sgd(0.1, 0.9))),
    ],
    "square": [Example(gdlab.square(), on_complex="size", bears_extremes=False)],
    "stateless": [
        Example(gdlab.stateless(twice), source=False),
    ],
    "stateless_with_tree_map": [
        Example(gdlab.stateless_with_tree_map(doubled), source=False),
    ],
    # Rounding to few bits keeps no law to the last digit; formats have tests of their own.
    "stacked": [Example(gdlab.stacked(gdlab.adam(0.1)))],
    "stored": [Example(gdlab.stored(gdlab.adam(0.1), "float32"))],
    "stored_slots": [Example(gdlab.stored_slots(gdlab.sgd(0.1, 0.9), {"trace": "float32"}))],
    "kahan_params": [Example(gdlab.kahan_params(gdlab.adam(0.1)), keeps_dtypes=False)],
    "master_params": [Example(gdlab.master_params(gdlab.adam(0.1)), keeps_dtypes=False)],
    "split_params": [Example(gdlab.split_params(gdlab.adam(0.1)), keeps_dtypes=False)],
    "stochastic_params": [Example(gdlab.stochastic_params(gdlab.adam(0.1)), keeps_dtypes=False)],
    "sum_of_squares": [
        Example(gdlab.sum_of_squares(), on_complex="size", bears_extremes=False),
        Example(gdlab.sum_of_squares(0.1), rests=False, on_complex="size", bears_extremes=False),
    ],
    "trace": [Example(gdlab.trace(0.9, nesterov=True))],
    "variance": [
        Example(gdlab.variance(0.9), on_complex="size", bears_extremes=False),
        Example(
            gdlab.variance(0.9, 0.1, bias_correction=True),
            rests=False,
            on_complex="size",
            bears_extremes=False,
        ),
    ],
    "cautious": [Example(gdlab.cautious(gdlab.sgd(0.1, 0.9)), by_element=False)],
    "delay": [Example(gdlab.delay()), Example(gdlab.delay(starts_at_first=True))],
    "difference": [Example(gdlab.difference())],
    "hold": [Example(gdlab.hold(gdlab.scale(0.5), 2), counts_calls=False, keeps_nan=False)],
    "mean_over": [
        Example(
            gdlab.fork(
                gdlab.ratio(0.1),
                gdlab.identity(),
                gdlab.chain(gdlab.square(), gdlab.mean_over(-1, 0)),
            ),
            by_element=False,
            keeps_nan=False,
        )
    ],
    "sum_over": [
        Example(
            gdlab.fork(
                gdlab.weighted_sum(0.5, 2.0),
                gdlab.sum_over(),
                gdlab.fork(gdlab.interpolate(0.25), gdlab.identity(), gdlab.scale(3.0)),
            ),
            by_element=False,
            bears_extremes=False,
            keeps_nan=False,
        )
    ],
    "scale_by_sign": [Example(gdlab.scale_by_sign(), on_complex=None)],
    "shift": [Example(gdlab.shift(0.1), rests=False, on_complex=None)],
    "zero_nans": [
        Example(gdlab.zero_nans(), keeps_nan=False),
    ],
}
