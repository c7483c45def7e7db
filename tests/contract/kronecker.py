"""Examples of methods with a preconditioner for each axis."""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "scale_by_kronecker_roots": [
        Example(gdlab.scale_by_kronecker_roots(0.9, 0.1, statistics="kl", block_size=2, every=2)),
    ],
    "shampoo": [
        # The length of a grafted step is that of a whole array.
        Example(
            gdlab.shampoo(0.1, eps=0.1, momentum=0.9, graft=gdlab.scale_by_adam(), start=2),
            keeps_nan=False,
            by_element=False,
        ),
    ],
    "caspr": [Example(gdlab.caspr(0.1, eps=0.1))],
}
