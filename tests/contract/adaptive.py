"""Examples of adaptive methods."""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "adadelta": [
        Example(gdlab.adadelta(0.5)),
        Example(gdlab.adadelta(weight_decay=0.1, weight_decay_mask="matrix"), rests=False),
    ],
    "adagrad": [Example(gdlab.adagrad(0.1, 0.0, 1e-10, eps_in_sqrt=False))],
    "adam": [
        Example(gdlab.adam(0.1)),
        Example(gdlab.adam(0.1, 0.8, 0.99, 1e-3, 1e-2, "bfloat16", nesterov=True), on_complex=None),
    ],
    "adamax": [
        Example(gdlab.adamax(0.1, eps_in_maximum=False)),
    ],
    "adamw": [
        Example(gdlab.adamw(0.1, weight_decay=0.1, mask=["matrix"]), rests=False),
    ],
    "amsgrad": [
        Example(gdlab.amsgrad(0.1), on_complex=None),
        Example(gdlab.amsgrad(0.1, eps_root=1e-3, maximum_of_corrected=True), on_complex=None),
    ],
    "full_matrix_adagrad": [
        Example(gdlab.full_matrix_adagrad(0.1), derivatives=False, keeps_nan=False)
    ],
    "nadam": [
        Example(gdlab.nadam(0.1, momentum_decay=0.004)),
        Example(gdlab.nadam(0.1, momentum_decay=1.0, scheduled_average=False)),
    ],
    "rmsprop": [
        Example(gdlab.rmsprop(0.1)),
        Example(gdlab.rmsprop(0.1, momentum=0.9, nesterov=True, bias_correction=True)),
        Example(
            gdlab.rmsprop(
                0.1,
                initial_scale=1.0,
                eps_in_sqrt=False,
                centered=True,
                momentum=0.5,
                learning_rate_in_momentum=False,
            )
        ),
    ],
    "scale_by_adadelta": [Example(gdlab.scale_by_adadelta())],
    "scale_by_adam": [Example(gdlab.scale_by_adam())],
    "scale_by_full_rss": [
        Example(gdlab.scale_by_full_rss(0.1, 1e-3, eps_in_sqrt=False), keeps_nan=False),
    ],
}
