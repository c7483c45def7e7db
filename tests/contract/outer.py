"""Examples of outer steps around other methods."""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "diloco": [
        Example(gdlab.diloco(gdlab.sgd(0.1, 0.9), every=2), keeps_nan=False, counts_calls=False)
    ],
    "ema_nesterov": [Example(gdlab.ema_nesterov(gdlab.sgd(0.1, 0.9)))],
}
