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
    "adago": [Example(gdlab.adago(0.1), by_element=False)],
    "adamuon": [
        Example(gdlab.adamuon(0.1), by_element=False),
        Example(gdlab.adamuon(0.1, weight_decay=0.1, sign=False), rests=False),
    ],
    "descend_on_sphere": [
        Example(gdlab.descend_on_sphere(0.1), on_complex=None, by_element=False, keeps_nan=False),
    ],
    "hyperball": [
        Example(
            gdlab.hyperball(gdlab.scale_by_adam(), 0.1, adam_learning_rate=0.01), by_element=False
        ),
    ],
    "matrix_norm": [
        Example(
            gdlab.fork(gdlab.quotient(0.1), gdlab.identity(), gdlab.matrix_norm()),
            by_element=False,
            keeps_nan=False,
        ),
    ],
    "mean_over_inputs": [
        Example(
            gdlab.fork(
                gdlab.ratio(0.1),
                gdlab.identity(),
                gdlab.chain(gdlab.square(), gdlab.mean_over_inputs()),
            ),
        ),
    ],
    "normuon": [
        Example(gdlab.normuon(0.1), by_element=False),
        Example(
            gdlab.normuon(0.1, nesterov=True, weight_decay=0.1, consistent_rms=None), rests=False
        ),
    ],
    "radial_brake": [
        Example(gdlab.radial_brake(), on_complex=None, by_element=False, keeps_nan=False)
    ],
    "scale_to_rms": [Example(gdlab.scale_to_rms(0.2), by_element=False, keeps_nan=False)],
    "scion": [
        Example(gdlab.scion(0.1, constrained=False), by_element=False, keeps_nan=False),
        Example(
            gdlab.scion(0.1, [("matrix", 2.0), ("", 1.0)], norms=[("no_elements|matrix", "auto")]),
            rests=False,
            keeps_nan=False,
        ),
    ],
    "steepest": [Example(gdlab.steepest(), by_element=False, keeps_nan=False)],
    "dion": [
        Example(gdlab.dion(0.1), by_element=False),
        Example(
            gdlab.dion(0.1, 1, weight_decay=0.1, mu_dtype="bfloat16"), rests=False, on_complex=None
        ),
    ],
    "orthogonalize_low_rank": [Example(gdlab.orthogonalize_low_rank(1), by_element=False)],
}
