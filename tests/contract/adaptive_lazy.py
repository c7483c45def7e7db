"""Examples of methods of dual averaging, for sparse gradients, for games and with model scales."""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    # One NaN is in the mean square of its whole array.
    "amos": [Example(gdlab.amos(0.1, momentum=0.9), by_element=False, keeps_nan=False)],
    "descend_by_amos": [
        Example(gdlab.descend_by_amos(0.1, 0.5), by_element=False, keeps_nan=False)
    ],
    # Its weights are a function of the gradients alone, zero as long as there are none.
    "ftrl": [
        Example(gdlab.ftrl(0.1, -0.6, 0.0, 0.1, 0.1, 0.1, 1.0), rests=False),
    ],
    "madgrad": [Example(gdlab.madgrad(0.1))],
    "optimistic_adam": [Example(gdlab.optimistic_adam(0.1, 0.3, eps_root=1e-3))],
    "optimistic_adam_v2": [Example(gdlab.optimistic_adam_v2(0.1, alpha=0.5, nesterov=True))],
    "scale_by_madgrad": [Example(gdlab.scale_by_madgrad(0.1, eps=0.1))],
    # A row is touched as a whole.
    "sparse_adam": [Example(gdlab.sparse_adam(0.1), by_element=False)],
    "where_touched": [Example(gdlab.where_touched(gdlab.trace(0.9)), by_element=False)],
}
