"""Parts and wrappers beside their papers and other libraries."""

from functools import partial

import gdlab
from tests.oracles.method import LEARNING_RATE, Method
from tests.references import weight_decay

LARGEST = float(LEARNING_RATE.max())
ROUNDED_ROOT = 1e-10
"""pytorch_optimizer adds 1e-15 to the average square, which falls to 1e-6 with the gradients."""
LAW = "decays where the step shrinks and nowhere else: tests/transforms/parameters/test_decay.py"


def with_adam(*links):
    return gdlab.chain(gdlab.scale_by_adam(eps=1e-30), *links)


METHODS = {
    "add_decayed_weights, cautious": Method(
        gdlab=lambda eta: with_adam(
            gdlab.add_decayed_weights(0.3, cautious=True), gdlab.scale_by_learning_rate(eta)
        ),
        paper=partial(weight_decay.adam_with_cautious_decay, weight_decay=0.3),
        also=LAW,
    ),
    "decay_weights": Method(
        gdlab=lambda eta: with_adam(gdlab.scale_by_learning_rate(eta), gdlab.decay_weights(0.02)),
        paper=partial(weight_decay.adam_with_independent_decay, weight_decay=0.02),
        rtol=ROUNDED_ROOT,
        others={
            "pytorch_optimizer": lambda o, p: o.AdamC(
                p, weight_decay=0.02, fixed_decay=True, eps=1e-30
            ),
        },
    ),
    "decay_weights, cautious": Method(
        gdlab=lambda eta: with_adam(
            gdlab.scale_by_learning_rate(eta), gdlab.decay_weights(0.02, cautious=True)
        ),
        paper=partial(weight_decay.adam_with_independent_decay, weight_decay=0.02, cautious=True),
        also=LAW,
    ),
    "descend_with_corrected_decay": Method(
        gdlab=lambda eta: with_adam(gdlab.descend_with_corrected_decay(eta, LARGEST, 0.3)),
        paper=partial(weight_decay.adamc, weight_decay=0.3),
        rtol=ROUNDED_ROOT,
        others={
            "pytorch_optimizer": lambda o, p: o.AdamC(
                [{"params": p, "normalized": True}], lr=LARGEST, weight_decay=0.3, eps=1e-30
            ),
        },
    ),
}
