"""Examples of methods that keep less than one number for each parameter."""

import jax.numpy as jnp

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    # The length and the weights of an array, and blocks, are those of a whole array.
    "adafactor": [
        Example(
            gdlab.adafactor(0.1, 2, momentum=0.9, weight_decay_rate=0.1),
            rests=False,
            by_element=False,
        )
    ],
    "adam_mini": [
        Example(
            gdlab.adam_mini(0.1, weight_decay=0.0, block="array"),
            keeps_nan=False,
            by_element=False,
        )
    ],
    "came": [Example(gdlab.came(0.1), by_element=False)],
    "factored_ema": [Example(gdlab.factored_ema(0.9, 2), on_complex=None)],
    "mean_over_block": [
        Example(
            gdlab.fork(jnp.subtract, gdlab.identity(), gdlab.mean_over_block()),
            source=False,  # its join has no name among gdlab's
            keeps_nan=False,
            by_element=False,
        )
    ],
    "scale_by_factored_rms": [Example(gdlab.scale_by_factored_rms(min_dim_size_to_factor=2))],
    "scale_by_sm3": [Example(gdlab.scale_by_sm3(b2=0.9))],
    "sm3": [Example(gdlab.sm3(0.1))],
    "sum_by_covers": [Example(gdlab.sum_by_covers(), on_complex=None)],
    # The limit of growth is on the norm of a whole array of two axes and more.
    "apollo": [Example(gdlab.apollo(0.1, 1), random=True)],
    "galore": [Example(gdlab.galore(0.1, 1, 2))],
    "in_subspace": [Example(gdlab.in_subspace(gdlab.ema(0.9), 1, 2))],
    "limit_norm_growth": [Example(gdlab.limit_norm_growth(), keeps_nan=False, by_element=False)],
    "scale_from_subspace": [
        Example(gdlab.scale_from_subspace(gdlab.ema(0.9), 1, share="tensor"), random=True)
    ],
}
