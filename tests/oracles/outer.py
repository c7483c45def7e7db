"""Outer steps around gradient descent, beside their papers."""

from functools import partial

import gdlab
from tests.oracles.method import Method
from tests.references import outer as ref

METHODS = {
    "diloco": Method(
        lambda lr: gdlab.diloco(gdlab.sgd(lr), 0.6, 0.8, every=7),
        partial(ref.diloco, outer_learning_rate=0.6, outer_momentum=0.8, every=7),
        also="torch's Nesterov momentum as the outer step: test_diloco.py",
    ),
    "ema_nesterov": Method(
        lambda lr: gdlab.ema_nesterov(gdlab.sgd(lr), 0.4, 0.9),
        partial(ref.ema_nesterov, beta=0.4, decay=0.9),
        also="without memory it is Nesterov's method: test_ema_nesterov.py",
    ),
}
