"""Examples of methods that step along signs."""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "lion": [
        Example(gdlab.lion(0.1, mu_dtype="bfloat16", mask="matrix"), rests=False, on_complex=None)
    ],
    "rprop": [Example(gdlab.rprop(0.1))],
    "scale_by_lion": [Example(gdlab.scale_by_lion())],
    "scale_by_rprop": [Example(gdlab.scale_by_rprop(0.1))],
    "sign_sgd": [Example(gdlab.sign_sgd(0.1))],
    "signum": [Example(gdlab.signum(0.1))],
}
