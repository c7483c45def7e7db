"""Examples of gradient descent and momentum."""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "nesterov": [
        Example(gdlab.nesterov(0.1), on_complex=None, keeps_nan=False),
    ],
    "sgd": [
        Example(gdlab.sgd(0.1, 0.9, True, "bfloat16"), on_complex=None),
        Example(gdlab.sgd(0.1)),
    ],
}
