"""Examples of adaptive methods of the years after Adam."""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "ademamix": [
        Example(gdlab.ademamix(0.1)),
        Example(
            gdlab.ademamix(
                0.1, alpha=2.0, eps_root=1e-3, mu_dtype="bfloat16", weight_decay=0.1, mask="matrix"
            ),
            rests=False,
            on_complex=None,
        ),
    ],
    "scale_by_ademamix": [Example(gdlab.scale_by_ademamix())],
    "simplified_ademamix": [Example(gdlab.simplified_ademamix(0.1, alpha=2.0))],
    "scale_by_simplified_ademamix": [Example(gdlab.scale_by_simplified_ademamix(eps_root=1e-3))],
    "adopt": [
        Example(gdlab.adopt(0.1), on_complex=None),
        Example(gdlab.adopt(0.1, use_clipping=False, nesterov=True)),
    ],
    "scale_by_adopt": [Example(gdlab.scale_by_adopt(clip_value_fn=0.5), on_complex=None)],
    "from_first": [Example(gdlab.from_first(gdlab.ema(0.5)))],
    "wait": [Example(gdlab.wait(2))],
    "mars": [
        Example(gdlab.mars(0.1, adam_weight_decay=0.0), by_element=False, on_complex=None),
        Example(
            gdlab.mars(0.1, exact=True, weight_decay=0.1, mask=["matrix"], adam_learning_rate=0.2),
            by_element=False,
            rests=False,
        ),
    ],
    "reduce_variance": [
        Example(gdlab.reduce_variance()),
        Example(gdlab.reduce_variance(exact=True), rests=False),
    ],
    "previous_gradient": [Example(gdlab.previous_gradient(), rests=False, keeps_nan=False)],
}
