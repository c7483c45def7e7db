"""Examples of methods that are free of tuning."""

import gdlab
from tests.contract.example import Example

EXAMPLES = {
    "schedule_free": [
        Example(gdlab.schedule_free(gdlab.sgd(0.1), 0.1)),
        Example(
            gdlab.schedule_free(gdlab.adamw(0.1), 0.1, 0.5, 1.0, r=1.0, decay_at_z=True),
            rests=False,
        ),
    ],
    "schedule_free_adamw": [
        Example(gdlab.schedule_free_adamw(0.1)),
        Example(gdlab.schedule_free_adamw(0.1, 3.0, weight_decay=0.1), rests=False),
    ],
    "schedule_free_sgd": [
        Example(gdlab.schedule_free_sgd(0.1)),
        Example(gdlab.schedule_free_sgd(0.1, 3.0, weight_decay=0.1), rests=False),
    ],
}
