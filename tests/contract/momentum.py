"""Examples of gradient descent and momentum."""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "accsgd": [Example(gdlab.accsgd(0.1))],
    "aggmo": [Example(gdlab.aggmo(0.1))],
    "alig": [Example(gdlab.alig(0.1), keeps_nan=False)],
    "asgd": [Example(gdlab.asgd(0.1, 0.1, t0=1), rests=False)],
    "compensate_growth": [Example(gdlab.compensate_growth(0.1), rests=False)],
    "fromage": [Example(gdlab.fromage(0.1), rests=False, by_element=False)],
    "lars": [
        Example(
            gdlab.lars(0.1, 0.1, "matrix", 0.1, 1e-3, "matrix", nesterov=True),
            rests=False,
            by_element=False,
        )
    ],
    "nesterov": [
        Example(gdlab.nesterov(0.1), on_complex=None, keeps_nan=False),
    ],
    "noisy_sgd": [
        Example(gdlab.noisy_sgd(0.1), rests=False, on_complex=None, by_element=False, random=True)
    ],
    "optimistic_gradient_descent": [Example(gdlab.optimistic_gradient_descent(0.1))],
    "pnm": [Example(gdlab.pnm(0.1))],
    "polyak_sgd": [
        Example(gdlab.polyak_sgd(), keeps_nan=False),
        Example(gdlab.polyak_sgd(0.5, 0.5, 0.1, 0.1, "sps+"), keeps_nan=False),
    ],
    "pull_towards_long_steps": [Example(gdlab.pull_towards_long_steps(10.0, 2.0))],
    "qhm": [Example(gdlab.qhm(0.1, accumulator_dtype="bfloat16"), on_complex=None)],
    "scale_by_lars": [Example(gdlab.scale_by_lars(eps=1e-3), by_element=False)],
    "scale_by_optimistic_gradient": [Example(gdlab.scale_by_optimistic_gradient())],
    "scale_by_pnm": [Example(gdlab.scale_by_pnm())],
    "scale_by_polyak": [Example(gdlab.scale_by_polyak(), keeps_nan=False)],
    "sgd": [
        Example(gdlab.sgd(0.1, 0.9, True, "bfloat16"), on_complex=None),
        Example(gdlab.sgd(0.1)),
    ],
}
