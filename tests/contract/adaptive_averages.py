"""Examples of adaptive methods of the years after Adam, and of their parts.

The plain form of a method with a direction of its own is that direction's example.
"""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "acprop": [Example(gdlab.acprop(0.1, eps_root=1e-3))],
    "adabelief": [Example(gdlab.adabelief(0.1, eps_root=1e-4, nesterov=True))],
    "adan": [Example(gdlab.adan(0.1, weight_decay=0.1, mask="matrix"), rests=False)],
    "additive_moment": [Example(gdlab.additive_moment(0.9), on_complex=None)],
    "ademamix": [Example(gdlab.ademamix(0.1, alpha=2.0, eps_root=1e-3, mask=["matrix"]))],
    "adopt": [Example(gdlab.adopt(0.1, use_clipping=False, nesterov=True))],
    "belief": [
        Example(gdlab.belief(0.9, 1e-3), rests=False, on_complex=None),
        Example(gdlab.belief(0.9, 1e-3, lagged=True), rests=False, on_complex=None),
    ],
    "descend_with_proximal_decay": [
        Example(gdlab.descend_with_proximal_decay(0.1, 0.5, "matrix"), rests=False)
    ],
    "divide_by_weight": [Example(gdlab.divide_by_weight(0.9, ahead=True))],
    "from_first": [Example(gdlab.from_first(gdlab.ema(0.5)))],
    "mars": [
        Example(gdlab.mars(0.1, adam_weight_decay=0.0), by_element=False, on_complex=None),
        Example(
            gdlab.mars(0.1, exact=True, weight_decay=0.1, adam_learning_rate=0.2),
            by_element=False,
            rests=False,
        ),
    ],
    # The gradient before is not zero where the one that is given is.
    "previous_gradient": [Example(gdlab.previous_gradient(), rests=False, keeps_nan=False)],
    "radam": [Example(gdlab.radam(0.1, b2=0.8, threshold=4.5, eps_root=1e-3, nesterov=True))],
    "reduce_variance": [
        Example(gdlab.reduce_variance()),
        Example(gdlab.reduce_variance(exact=True), rests=False),
    ],
    "scale_by_acprop": [Example(gdlab.scale_by_acprop(eps=1e-2))],
    "scale_by_adan": [Example(gdlab.scale_by_adan())],
    "scale_by_ademamix": [Example(gdlab.scale_by_ademamix(mu_dtype="bfloat16"), on_complex=None)],
    "scale_by_adopt": [Example(gdlab.scale_by_adopt(), on_complex=None)],
    "scale_by_belief": [Example(gdlab.scale_by_belief())],
    "scale_by_radam": [Example(gdlab.scale_by_radam(b2=0.7))],
    "scale_by_simplified_ademamix": [Example(gdlab.scale_by_simplified_ademamix(eps_root=1e-3))],
    "scale_by_yogi": [Example(gdlab.scale_by_yogi(eps_root=1e-3))],
    "simplified_ademamix": [Example(gdlab.simplified_ademamix(0.1, alpha=2.0))],
    "yogi": [
        Example(gdlab.yogi(0.1, initial_accumulator_value=0.1, bias_correction=False)),
    ],
}
