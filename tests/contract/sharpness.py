"""Examples of sharpness-aware methods, whose gradient is the one that they evaluate."""

from functools import partial

import gdlab
from tests.contract.example import Example

evaluates = partial(Example, rests=False, keeps_nan=False, on_complex=None)
inner = gdlab.sgd(0.1, 0.9)
probe = gdlab.scale(0.5)

EXAMPLES = {
    "adaptive_ascent": [Example(gdlab.adaptive_ascent(0.5, mask="matrix"))],
    "asam": [evaluates(gdlab.asam(inner))],
    "ascent": [Example(gdlab.ascent(0.05))],
    "close_surrogate_gap": [
        Example(gdlab.close_surrogate_gap(gdlab.ema(0.5)), keeps_nan=False, rests=False)
    ],
    "friendly_sam": [evaluates(gdlab.friendly_sam(inner))],
    "gradient_at": [evaluates(gdlab.gradient_at(probe))],
    # What is orthogonal to the whole gradient may be more than float16 holds.
    "gsam": [evaluates(gdlab.gsam(inner), bears_extremes=False)],
    # Uncompiled, each step traces both kinds of steps anew, which takes long with many leaves.
    "looksam": [
        evaluates(
            gdlab.looksam(inner, every=2),
            counts_calls=False,
            by_element=False,
            bears_extremes=False,
        )
    ],
    "msam": [Example(gdlab.msam(inner), keeps_nan=False)],
    "reuse_vertical": [
        Example(
            gdlab.reuse_vertical(gdlab.ema(0.5), 2, 0.5),
            keeps_nan=False,
            counts_calls=False,
            by_element=False,
        )
    ],
    "sam": [evaluates(gdlab.sam(inner))],
    "scale_by_magnitude": [Example(gdlab.scale_by_magnitude())],
    "train_ahead": [Example(gdlab.train_ahead(inner, gdlab.trace(0.5)))],
    "wsam": [
        evaluates(gdlab.wsam(inner)),
        evaluates(gdlab.wsam(inner, sharpness_learning_rate=0.1)),
    ],
}
