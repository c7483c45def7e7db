"""Examples of methods for matrices."""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "muon": [
        Example(gdlab.muon(0.1), by_element=False),
        Example(
            gdlab.muon(
                0.1,
                "polar_express",
                weight_decay=0.1,
                weight_decay_mask="matrix",
                mu_dtype="bfloat16",
                nesterov=False,
                adam_learning_rate=0.01,
                adam_weight_decay=0.1,
                muon_weight_dimension_numbers=[("scalar|matrix", None)],
                consistent_rms=0.2,
            ),
            rests=False,
            on_complex=None,
        ),
    ],
    "orthogonalize": [
        Example(gdlab.orthogonalize(), by_element=False),
        Example(
            gdlab.orthogonalize(
                preconditioning="aol",
                adaptive=True,
                iteration="gram",
                weight_dimension_numbers=[("scalar|matrix", None)],
                dtype="float32",
            ),
            on_complex=None,
        ),
    ],
    "scale_by_muon": [Example(gdlab.scale_by_muon(), by_element=False)],
    "scale_by_shape": [
        Example(gdlab.scale_by_shape()),
        Example(gdlab.scale_by_shape([("scalar|matrix", None)], 0.2)),
    ],
}
