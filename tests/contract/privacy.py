"""Examples of methods that keep single examples private."""

import gdlab
from tests.contract.example import Example


def as_one_example(u, _):
    return u[None]


EXAMPLES = {
    "dpsgd": [
        # It takes gradients of single examples.
        Example(
            gdlab.chain(
                gdlab.stateless_with_tree_map(as_one_example), gdlab.dpsgd(0.1, 1.0, 0.0, 0.9)
            ),
            source=False,
        ),
    ],
}
