"""Examples of deterministic and second-order methods.

They are about the whole tree and evaluate the loss along their steps, so a NaN spoils every
element, and leaves taken apart are added up in another order.
"""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "lbfgs": [
        Example(gdlab.lbfgs(memory_size=2), keeps_nan=False),
    ],
    "scale_by_backtracking_linesearch": [
        Example(gdlab.scale_by_backtracking_linesearch(10, atol=0.1, rtol=0.1), keeps_nan=False),
    ],
    "scale_by_lbfgs": [Example(gdlab.scale_by_lbfgs(2, False), keeps_nan=False)],
    "scale_by_zoom_linesearch": [
        Example(gdlab.scale_by_zoom_linesearch(10, 2.0), keeps_nan=False),
    ],
}
