"""Examples of methods of dual averaging, for sparse gradients, for games and with model scales."""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "madgrad": [Example(gdlab.madgrad(0.1)), Example(gdlab.madgrad(0.1, 0.0, 0.1), rests=False)],
    "scale_by_madgrad": [Example(gdlab.scale_by_madgrad(0.1, eps=0.1))],
    "ftrl": [
        Example(gdlab.ftrl(0.1), rests=False),
        Example(gdlab.ftrl(0.1, -0.6, 0.0, 0.1, 0.1, 0.1, 1.0), rests=False),
    ],
    "where_touched": [Example(gdlab.where_touched(gdlab.trace(0.9)), by_element=False)],
    "sparse_adam": [Example(gdlab.sparse_adam(0.1), by_element=False)],
    "optimistic_adam": [
        Example(gdlab.optimistic_adam(0.1)),
        Example(gdlab.optimistic_adam(0.1, 0.3, eps_root=1e-3, nesterov=True)),
    ],
    "optimistic_adam_v2": [
        Example(gdlab.optimistic_adam_v2(0.1)),
        Example(
            gdlab.optimistic_adam_v2(0.1, alpha=0.5, mu_dtype="bfloat16", nesterov=True),
            on_complex=None,
        ),
    ],
    "amos": [
        Example(gdlab.amos(0.1), rests=False, by_element=False, keeps_nan=False),
        Example(
            gdlab.amos(0.1, eta=0.5, momentum=0.9), rests=False, by_element=False, keeps_nan=False
        ),
    ],
    "descend_by_amos": [
        Example(gdlab.descend_by_amos(0.1, 0.5), rests=False, by_element=False, keeps_nan=False)
    ],
}
